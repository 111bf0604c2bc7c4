//! An alert before it has a receiver's format: one event with everything that helps to understand it.
//!
//! Takes an event, the release's log and the details of both releases; gives a [`Notice`] without secrets.

use firedrill_logs::redact::{Secret, redacted};
use firedrill_logs::{Difference, Explanation, Limits, difference, excerpt, explain};
use serde::Serialize;

use super::{Settings, log};
use crate::event::{Event, Record};

/// How bad an event is for users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A gate stopped a release: users noticed nothing.
    Warning,
    /// Users got answers from the last working release, or a brief outage.
    Error,
    /// Users get errors, and the edge cannot help.
    Critical,
}

impl Severity {
    /// Its name, as most receivers write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notice {
    /// The kind of event: `rolled-back`, `rejected`, …
    pub kind: &'static str,
    /// What happened, in one line.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// The release that the event is about.
    pub release: String,
    /// The last working release, if there is one.
    pub last_working: Option<String>,
    /// The reason of the decision, in one line.
    pub reason: String,
    /// The requests or checks that the decision is based on.
    pub evidence: Vec<String>,
    /// When it was decided, by the edge's clock.
    pub decided_at: jiff::Timestamp,
    /// The event's number: the same for every attempt to deliver the alert.
    pub number: u64,
    /// What the errors in the log probably mean.
    #[serde(rename = "readings")]
    pub explanations: Vec<Explanation>,
    /// The errors in the log, or why they are not known.
    pub excerpt: String,
    /// What changed since the last working release.
    pub difference: Option<Difference>,
}

/// The parts of a notice that depend on the kind of event.
struct Summary {
    severity: Severity,
    title: String,
    last_working: Option<String>,
    reason: String,
    evidence: Vec<String>,
}

impl Summary {
    fn new(severity: Severity, title: String, reason: &str) -> Self {
        Self {
            severity,
            title,
            last_working: None,
            reason: reason.to_owned(),
            evidence: Vec::new(),
        }
    }

    fn last_working(self, release: &str) -> Self {
        Self {
            last_working: Some(release.to_owned()),
            ..self
        }
    }

    fn evidence(self, evidence: Vec<String>) -> Self {
        Self { evidence, ..self }
    }

    /// The summary of an event.
    fn of(event: &Event) -> Self {
        let release = event.release();
        match event {
            Event::Rejected {
                gate,
                reason,
                evidence,
                ..
            } => {
                let title = format!("{release} was rejected by the {gate}");
                Self::new(Severity::Warning, title, reason).evidence(evidence.clone())
            }
            Event::RolledBack {
                to,
                reason,
                pairs,
                after_ms,
                ..
            } => {
                let evidence = pairs
                    .iter()
                    .map(|pair| format!("{}: {release}: {}; {to}: {}", pair.request, pair.new, pair.old))
                    .chain([format!("decided {after_ms} ms after {release} was promoted")]);
                Self::new(
                    Severity::Error,
                    format!("{release} was rolled back to {to}"),
                    reason,
                )
                .last_working(to)
                .evidence(evidence.collect())
            }
            Event::SharedCause { standby, reason, .. } => {
                let title = format!("{release} and {standby} both fail: a rollback would not help");
                Self::new(Severity::Critical, title, reason).last_working(standby)
            }
            Event::Failing { reason, failures, .. } => {
                let title = match failures {
                    1 => format!("{release} failed a request and was not rolled back"),
                    _ => format!("{release} failed {failures} requests and was not rolled back"),
                };
                Self::new(Severity::Critical, title, reason)
            }
            Event::StandbyAnswers { standby, reason, .. } => {
                let title = format!("{release} fails; {standby} answers its requests");
                Self::new(Severity::Error, title, reason).last_working(standby)
            }
            Event::StateDamaged { reason, .. } => {
                let title = format!("the edge lost decisions; {release} is live now");
                Self::new(Severity::Error, title, reason)
            }
            // The other events cause no alert.
            _ => Self::new(Severity::Warning, release.to_owned(), ""),
        }
    }
}

impl Notice {
    /// Composes the alert of an event. Does file operations.
    pub(super) fn new(settings: &Settings, record: &Record) -> Self {
        let summary = Summary::of(&record.event);
        let release = record.event.release();
        let secrets: Vec<&Secret> = settings
            .receiver
            .iter()
            .flat_map(|receiver| receiver.secrets())
            .chain(&settings.secrets)
            .collect();
        let clean = |text: &str| redacted(text, secrets.iter().copied());
        let (explanations, excerpt) = read_log(settings, release, clean);
        let details = |name: &str| settings.release.get(name);
        let compared = summary
            .last_working
            .as_ref()
            .map(|old| difference::compare((old, details(old)), (release, details(release))));
        Self {
            kind: record.event.kind(),
            title: summary.title,
            severity: summary.severity,
            release: release.to_owned(),
            last_working: summary.last_working,
            reason: clean(&summary.reason),
            evidence: summary.evidence.iter().map(|text| clean(text)).collect(),
            decided_at: record.at,
            number: record.number,
            explanations,
            excerpt,
            difference: compared,
        }
    }

    /// Identifies the alert: the same for every attempt to deliver it, also after a restart. The time is part of it because
    /// numbers start again when the state is lost.
    pub(super) fn id(&self) -> String {
        let (number, at) = (self.number, self.decided_at.as_millisecond());
        format!("edge-{}-{}-{number}-{at}", self.kind, self.release)
    }

    /// The explanations, one per line.
    pub(super) fn explanation(&self) -> String {
        self.explanations
            .iter()
            .map(|explanation| format!("{}\n", explanation.means))
            .collect()
    }

    /// What changed, as text.
    pub(super) fn changes(&self) -> String {
        self.difference
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// The whole alert as text, for people.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n{}\n", self.title, self.reason);
        let mut section = |heading: &str, content: &str| {
            if !content.trim().is_empty() {
                text.push_str(&format!("\n{heading}:\n{}\n", content.trim_end()));
            }
        };
        section("Probable cause", &self.explanation());
        section("Evidence", &self.evidence.join("\n"));
        section("Errors in the log", &self.excerpt);
        section("Changes since the last working release", &self.changes());
        text
    }
}

/// What the release's log says: explanations, and the excerpt or why there is none. A log that cannot be read must not
/// stop the alert.
fn read_log(
    settings: &Settings,
    release: &str,
    clean: impl Fn(&str) -> String,
) -> (Vec<Explanation>, String) {
    let Some(folder) = &settings.logs else {
        return (Vec::new(), "(no log folder is configured)".to_owned());
    };
    let log = match log::tail(folder, release) {
        // Secrets are removed before the lines are cut, so that no part of one remains.
        Ok(log) => clean(&log),
        Err(error) => {
            let unreadable = format!("(the log of {release} cannot be read: {error})");
            return (Vec::new(), unreadable);
        }
    };
    let errors = excerpt(&log, Limits::default());
    let text = if errors.is_empty() {
        format!("(the log of {release} contains no error)")
    } else {
        errors.to_string()
    };
    (explain(&log), text)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::rolled_back;
    use super::*;

    /// The notice of a rollback, with a log.
    pub(in super::super) fn notice() -> Notice {
        let folder = tempfile::tempdir().unwrap();
        let log = "2026-01-01T00:00:00.1Z  INFO v2 listens\n\
                   2026-01-01T00:00:01.1Z ERROR POST /your-url failed: parsing the store /data/urls.json: expected value at line 1 column 1\n  it was given: \"/data/urls.json\"\n\
                   2026-01-01T00:00:01.2Z ERROR POST /your-url failed: parsing the store /data/urls.json: expected value at line 1 column 1\n  it was given: \"/data/urls.json\"\n\
                   2026-01-01T00:00:01.3Z ERROR login with token=hunter2 failed\n";
        std::fs::write(folder.path().join("v2.log"), log).unwrap();
        let settings = Settings {
            logs: Some(folder.path().to_owned()),
            ..Settings::default()
        };
        Notice::new(&settings, &rolled_back())
    }

    #[test]
    fn the_text_of_an_alert() {
        insta::assert_snapshot!(notice().text());
    }

    #[test]
    fn a_log_that_cannot_be_read_does_not_stop_the_alert() {
        let settings = Settings {
            logs: Some("/nowhere/at/all".into()),
            ..Settings::default()
        };
        let notice = Notice::new(&settings, &rolled_back());
        assert!(
            notice.excerpt.starts_with("(the log of v2 cannot be read"),
            "{}",
            notice.excerpt
        );
        assert_eq!((notice.kind, notice.severity), ("rolled-back", Severity::Error));
    }
}
