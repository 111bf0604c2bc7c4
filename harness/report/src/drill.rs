//! One drill as every report shows it: what was measured and judged, its timeline, its answers over time and the errors
//! in its logs.
//!
//! Takes a history with its measurement and judgement, gives a value of some kilobytes, however long the drill was: its
//! samples are dropped. The caller owns it and hands it to a report.

use super::surplus::without_surplus;
use super::text::{in_words, of_step, plain};
use super::timeline::{self, Moment};
use super::words;
use firedrill_judge::Judgement;
use firedrill_judge::check::{EndFound, FaultFound, Found};
use firedrill_judge::measure::{self, Interval, Measured, Outage, Series};
use firedrill_logs::{ErrorGroup, LogSummary, line};
use firedrill_model::check::CheckId;
use firedrill_model::history::plan::{FaultName, Plan};
use firedrill_model::history::{Event, History, Start};
use firedrill_model::sample::Micros;

/// Buckets of a journey's answers over time.
const BUCKETS: usize = 240;

/// A step's fault, from its injection to its revert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FaultSpan {
    /// Its name in the catalogue.
    pub(super) fault: FaultName,
    /// What it does.
    pub(super) what: String,
    /// Its injection began.
    pub(super) from: Micros,
    /// It was in effect, with evidence.
    pub(super) confirmed: Option<Micros>,
    /// It was reverted; `None`: it stayed in effect to the end.
    pub(super) until: Option<Micros>,
    /// It could not be injected.
    pub(super) failed: bool,
}

impl FaultSpan {
    /// Whether it put another release live.
    pub(super) fn is_deploy(&self) -> bool {
        self.fault.is_deploy()
    }
}

/// One drill.
#[derive(Debug, Clone)]
pub struct DrillReport {
    pub(super) start: Start,
    pub(super) measured: Measured,
    pub(super) judgement: Judgement,
    pub(super) timeline: Vec<Moment>,
    pub(super) faults: Vec<FaultSpan>,
    pub(super) series: Vec<Series>,
    /// From the first probe to the end of what is judged.
    pub(super) shown: Interval,
    pub(super) logs: Vec<LogSummary>,
    pub(super) folder: String,
    pub(super) torn: Vec<String>,
}

impl DrillReport {
    /// The report of a history that was measured and judged, with the excerpts of its services' logs.
    pub fn new(history: &History, measured: Measured, judgement: Judgement, logs: Vec<LogSummary>) -> Self {
        let measured = without_surplus(measured);
        let shown = shown(history, &measured);
        Self {
            start: history.start.clone(),
            timeline: timeline::timeline(history, &measured),
            faults: faults(history),
            series: measure::over_time(history, shown, BUCKETS),
            shown,
            logs,
            folder: plain(&format!("runs/{}", history.start.run), 300),
            torn: history.torn.iter().map(ToString::to_string).collect(),
            measured,
            judgement: readable(judgement, &history.start.plan),
        }
    }

    /// Sets the path of the run folder as one types it, for the commands that the report suggests.
    #[must_use]
    pub fn in_folder(mut self, folder: &str) -> Self {
        self.folder = plain(folder, 300);
        self
    }

    /// How it was judged.
    pub fn judgement(&self) -> &Judgement {
        &self.judgement
    }

    pub(super) fn name(&self) -> &str {
        &self.start.plan.name
    }

    /// The name, with the number of the repeat where there are several.
    pub(super) fn title(&self) -> String {
        match self.start.repeat {
            (_, 0 | 1) => plain(self.name(), 200),
            (this, _) => format!("{} #{this}", plain(self.name(), 200)),
        }
    }

    /// An instant in seconds from the start of the steps.
    pub(super) fn time(&self, at: Micros) -> String {
        words::seconds(at, self.measured.window.from)
    }

    pub(super) fn reason(&self) -> String {
        // It quotes names of services and alerts.
        plain(&words::reason(&self.measured, &self.judgement), 2000)
    }

    /// Its share of the budget in thousandths of a percent, to sort by; the largest without a price.
    pub(super) fn cost(&self) -> u64 {
        let share = self.judgement.cost.share.high.unwrap_or(f64::MAX);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "to sort by; the cast saturates"
        )]
        let cost = (share * 1e3) as u64;
        cost
    }

    /// The outage that the report is about: the service's longest, with one that is still down before all others. Without
    /// one, the longest of a journey that is not essential.
    pub(super) fn outage(&self) -> Option<&Outage> {
        let length = |outage: &&Outage| {
            let first = std::cmp::Reverse(outage.first_bad);
            // The longest one, by its upper bound: a short outage must not hide it.
            // `None` as a bound sorts first, so *still down* must be compared before it.
            (outage.still_down, outage.bounds().high, first)
        };
        let others = || self.measured.journeys.iter().flat_map(|journey| &journey.outages);
        // The service's outage, and that of a journey that is not essential only where there is no other.
        let service = self.measured.outages.iter().max_by_key(length);
        service.or_else(|| others().max_by_key(length))
    }

    /// The fault that the outage began with: of those in effect at its onset the one injected last, else the last one
    /// before it. Without an outage, the last one before the error.
    pub(super) fn trigger(&self) -> Option<&FaultSpan> {
        // Without an outage, the first error stands for its onset.
        let error = || self.culprit().and_then(|(_, entry)| self.logged_at(entry));
        // A fault is the trigger by its time alone; what it is said to do is not compared.
        let onset = self.outage().map(|outage| outage.onset).or_else(|| {
            let at = error()?;
            Some(Interval { from: at, until: at })
        })?;
        let before = || {
            let injected = self.faults.iter().filter(|fault| !fault.failed);
            injected.filter(|fault| fault.from <= onset.until)
        };
        // A fault that was reverted before the onset can hardly be the trigger while another is in effect.
        let active = before().filter(|fault| fault.until.is_none_or(|until| until >= onset.from));
        let last = |fault: &&FaultSpan| fault.from;
        active.max_by_key(last).or_else(|| before().max_by_key(last))
    }

    /// The error that most likely names the cause: of those first logged during the outage the most frequent. Without an
    /// outage, of those logged since the first fault.
    pub(super) fn culprit(&self) -> Option<(&LogSummary, &ErrorGroup)> {
        let (outage, fault) = (self.outage(), self.faults.first().map(|fault| fault.from));
        let inside = |at: Micros| match outage {
            Some(outage) => outage.hull.contains(at),
            None => Some(at) >= fault,
        };
        // An error that was logged at another time is not the cause of the outage.
        let in_time = |(_, entry): &(&LogSummary, &ErrorGroup)| self.logged_at(entry).is_some_and(inside);
        self.errors().filter(in_time).max_by_key(frequency)
    }

    /// The error to read first: the likely cause, else the most frequent one, whenever it was logged.
    pub(super) fn loudest(&self) -> Option<(&LogSummary, &ErrorGroup)> {
        self.culprit().or_else(|| self.errors().max_by_key(frequency))
    }

    fn errors(&self) -> impl Iterator<Item = (&LogSummary, &ErrorGroup)> {
        let of = |log| {
            let log: &LogSummary = log;
            log.groups.iter().map(move |entry| (log, entry))
        };
        self.logs.iter().flat_map(of)
    }

    /// When a log line was written, on the drill's clock, if it begins with a time stamp.
    pub(super) fn logged_at(&self, entry: &ErrorGroup) -> Option<Micros> {
        // Services write RFC 3339 at the start of a line; anything else has no place in time.
        let stamp: jiff::Timestamp = entry.text.split_whitespace().next()?.parse().ok()?;
        u64::try_from(stamp.duration_since(self.start.began()?).as_micros())
            .ok()
            .map(Micros)
    }

    /// An error line without its time stamp, cut to a length.
    pub(super) fn error(entry: &ErrorGroup, longest: usize) -> String {
        plain(line::without_time(&entry.text), longest)
    }
}

/// The order of errors: frequent before rare, early before late.
fn frequency((_, entry): &(&LogSummary, &ErrorGroup)) -> (usize, std::cmp::Reverse<usize>) {
    // Of equally frequent errors the earlier one: later ones often follow from it.
    (entry.count, std::cmp::Reverse(entry.line))
}

/// A judgement whose evidence people can read: what services answered is JSON or HTML in the history.
pub(super) fn readable(mut judgement: Judgement, plan: &Plan) -> Judgement {
    for check in &mut judgement.checks {
        if let Some(text) = quoted(&mut check.found) {
            *text = match check.id {
                CheckId::EvidenceFault(step) => of_step(plan, step, text),
                _ => in_words(text),
            };
        }
    }
    judgement
}

/// The text that a check quotes from the history.
fn quoted(found: &mut Found) -> Option<&mut String> {
    match found {
        Found::SteadyState(text)
        | Found::Fault(
            FaultFound::InEffect { evidence: text, .. }
            | FaultFound::NotInjected(text)
            | FaultFound::NotReverted(text),
        )
        | Found::End(EndFound::Failed(text)) => Some(text),
        _ => None,
    }
}

/// The time that is shown: from the first probe (or the window's start) to the window's end.
fn shown(history: &History, measured: &Measured) -> Interval {
    // Samples are in the order of their ends, so the first due is not the first in the file.
    let first = history.samples.iter().map(|sample| sample.due).min();
    let last = history.samples.iter().map(|sample| sample.due).max();
    let window = measured.window;
    let from = first.map_or(window.from, |first| first.min(window.from));
    // A drill that ended before its steps has an empty window; its probes are shown all the same.
    let until = if window.from < window.until {
        window.until
    } else {
        last.map_or(window.until, |last| last.max(window.until))
    };
    Interval { from, until }
}

fn faults(history: &History) -> Vec<FaultSpan> {
    let mut faults: Vec<(usize, FaultSpan)> = Vec::new();
    for event in &history.events {
        if let Event::Injecting { step, fault, what } = &event.event {
            let span = FaultSpan {
                fault: fault.clone(),
                what: what.clone(),
                from: event.at,
                confirmed: None,
                until: None,
                failed: false,
            };
            faults.push((*step, span));
            continue;
        }
        let (step, confirmed) = match &event.event {
            Event::Injected {
                step,
                evidence: Some(_),
            } => (*step, true),
            Event::Reverted { step, .. } | Event::NotInjected { step, .. } => (*step, false),
            _ => continue,
        };
        // Steps have numbers, not identities: of equal numbers the last injection is meant.
        if let Some((_, fault)) = faults.iter_mut().rev().find(|(of, _)| *of == step) {
            let stamp = if confirmed {
                &mut fault.confirmed
            } else {
                &mut fault.until
            };
            *stamp = Some(event.at);
            fault.failed |= matches!(event.event, Event::NotInjected { .. });
        }
    }
    faults.into_iter().map(|(_, fault)| fault).collect()
}
