//! What people are told: one event with everything that helps to understand it. No receiver's format yet.

use serde::Serialize;

use super::{Settings, log};
use crate::difference::{self, Difference};
use crate::event::{Event, Record};
use crate::excerpt::{self, Limits};
use crate::reading::{self, Reading};
use crate::redact::{self, Secret};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A layer did its work: users met nothing.
    Warning,
    /// Users were served another way, or for moments not at all.
    Error,
    /// Users are not served, and nothing here can help.
    Critical,
}

impl Severity {
    /// Its name, as most receivers call it.
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
    /// What happened, as scenarios name it: `rolled-back`, `rejected`, …
    pub kind: String,
    /// The same in a line.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// The release it is about.
    pub release: String,
    /// The last working release, where there is one.
    pub last_working: Option<String>,
    /// Why, in a line.
    pub reason: String,
    /// What shows it.
    pub evidence: Vec<String>,
    /// When it was decided, on the edge's wall clock.
    pub decided_at: jiff::Timestamp,
    /// The event's number: the same for every try at telling it.
    pub number: u64,
    /// What the errors probably mean.
    pub readings: Vec<Reading>,
    /// The filtered log; where there is none, why.
    pub excerpt: String,
    /// What changed since the last working release.
    pub difference: Option<Difference>,
}

/// The most telling parts of an event.
struct Gist {
    severity: Severity,
    title: String,
    last_working: Option<String>,
    reason: String,
    evidence: Vec<String>,
}

fn gist(event: &Event) -> Gist {
    let release = event.release();
    let gist = |severity, title: String, other: Option<&String>, reason: &str| Gist {
        severity,
        title,
        last_working: other.cloned(),
        reason: reason.to_owned(),
        evidence: Vec::new(),
    };
    match event {
        Event::Rejected {
            gate,
            reason,
            evidence,
            ..
        } => Gist {
            evidence: evidence.clone(),
            ..gist(
                Severity::Warning,
                format!("{release} was rejected ({gate})"),
                None,
                reason,
            )
        },
        Event::RolledBack {
            to,
            reason,
            pairs,
            after_ms,
            ..
        } => Gist {
            evidence: pairs
                .iter()
                .map(|pair| format!("{}: {release}: {}; {to}: {}", pair.request, pair.new, pair.old))
                .chain([format!("decided {after_ms} ms after {release} went live")])
                .collect(),
            ..gist(
                Severity::Error,
                format!("{release} was rolled back to {to}"),
                Some(to),
                reason,
            )
        },
        Event::SharedCause { standby, reason, .. } => {
            let title = format!("{release} and {standby} fail alike: no rollback would help");
            gist(Severity::Critical, title, Some(standby), reason)
        }
        Event::Failing { reason, failures, .. } => {
            let title = format!("{release} fails ({failures} requests so far) and nothing is done about it");
            gist(Severity::Critical, title, None, reason)
        }
        Event::StandbyAnswers { standby, reason, .. } => {
            let title = format!("{release} fails, {standby} answers for it");
            gist(Severity::Error, title, Some(standby), reason)
        }
        _ => gist(Severity::Warning, release.to_owned(), None, ""),
    }
}

impl Notice {
    /// Writes an event's alert: reads and filters the log, and compares the releases. Does file operations.
    pub(super) fn new(settings: &Settings, record: &Record) -> Self {
        let gist = gist(&record.event);
        let release = record.event.release();
        let secrets: Vec<&Secret> = settings
            .receiver
            .iter()
            .flat_map(|receiver| receiver.secrets())
            .chain(&settings.secrets)
            .collect();
        let clean = |text: &str| redact::redacted(text, secrets.iter().copied());
        let log = settings.logs.as_ref().map(|folder| log::tail(folder, release));
        let (readings, excerpt) = match log {
            None => (Vec::new(), "(where the logs are is not configured)".to_owned()),
            Some(Err(error)) => (
                Vec::new(),
                format!("(the log of {release} cannot be read: {error})"),
            ),
            Some(Ok(log)) => {
                let log = clean(&log);
                let excerpt = excerpt::excerpt(&log, Limits::default());
                let nothing = format!("(the log of {release} has no error in it)");
                let text = if excerpt.is_empty() {
                    nothing
                } else {
                    excerpt.to_string()
                };
                (reading::read(&log), text)
            }
        };
        let about = |name: &str| settings.release.get(name);
        let difference = gist
            .last_working
            .as_ref()
            .map(|old| difference::between((old, about(old)), (release, about(release))));
        let kind = serde_json::to_value(&record.event)
            .ok()
            .and_then(|event| Some(event.get("kind")?.as_str()?.to_owned()));
        Self {
            kind: kind.unwrap_or_default(),
            title: gist.title,
            severity: gist.severity,
            release: release.to_owned(),
            last_working: gist.last_working,
            reason: clean(&gist.reason),
            evidence: gist.evidence.iter().map(|text| clean(text)).collect(),
            decided_at: record.at,
            number: record.number,
            readings,
            excerpt,
            difference,
        }
    }

    /// A name that is the same for every try at telling this, also after a restart, and for no other alert. The instant
    /// is in it because numbers begin anew where the state was lost.
    pub(super) fn id(&self) -> String {
        let (number, at) = (self.number, self.decided_at.as_millisecond());
        format!("edge-{}-{}-{number}-{at}", self.kind, self.release)
    }

    /// The first readings, a line each.
    pub(super) fn reading(&self) -> String {
        self.readings
            .iter()
            .map(|reading| format!("{}\n", reading.means))
            .collect()
    }

    /// What changed, as text.
    pub(super) fn changes(&self) -> String {
        self.difference
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// Everything, for people.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n{}\n", self.title, self.reason);
        let mut part = |name: &str, content: &str| {
            if !content.trim().is_empty() {
                text.push_str(&format!("\n{name}:\n{}\n", content.trim_end()));
            }
        };
        part("First reading", &self.reading());
        part("Seen", &self.evidence.join("\n"));
        part("Log", &self.excerpt);
        part("Changed since the last working release", &self.changes());
        text
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::rolled_back;
    use super::*;

    /// The notice of a rollback with a log.
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
    fn an_alert_reads_like_this() {
        insta::assert_snapshot!(notice().text());
    }

    #[test]
    fn a_log_that_cannot_be_read_is_said_and_stops_nothing() {
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
        assert_eq!(
            (notice.kind.as_str(), notice.severity),
            ("rolled-back", Severity::Error)
        );
    }
}
