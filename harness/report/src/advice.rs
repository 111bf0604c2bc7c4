//! What to do next, from what was found: sentences that one can act on, and commands to go on with.
//!
//! Takes a drill's report, gives advice with the most pressing first. Decides by check identities, never by their text.

use super::drill::DrillReport;
use super::words::finding;
use firedrill_judge::check::Found;
use firedrill_judge::{Check, Verdict};
use firedrill_model::check::CheckId;
use firedrill_model::format::command;
use firedrill_model::sample::Void;

/// From this share of the budget on, in percent, one event alone is worth a remark.
const COSTLY: f64 = 20.0;

/// A piece of advice. Several checks may lead to the same one.
#[derive(Debug, PartialEq)]
enum Advice<'r> {
    /// There is nothing to do.
    AsExpected,
    /// A check is undecided.
    Undecided(&'r Check),
    /// A negative control did not breach as it must.
    Control,
    /// The outage is too long, whichever check says so.
    TooLong,
    /// Any other check is breached.
    Breached(&'r Check),
}

impl Advice<'_> {
    /// In words; nothing for a check that says all there is to say.
    fn sentence(&self, report: &DrillReport) -> Option<String> {
        match self {
            Self::AsExpected => Some(as_expected(report)),
            Self::Undecided(check) => undecided(check),
            Self::Control => Some(control(report)),
            Self::TooLong => Some(format!(
                "The outage is longer than allowed: {}.",
                where_to_look(report)
            )),
            Self::Breached(check) => Some(breached(report, check)),
        }
    }
}

/// What to do in sentences, most pressing first; one when there is nothing to do.
pub(super) fn sentences(report: &DrillReport) -> Vec<String> {
    let advice = advice(report).into_iter();
    advice.filter_map(|advice| advice.sentence(report)).collect()
}

fn advice(report: &DrillReport) -> Vec<Advice<'_>> {
    let judgement = &report.judgement;
    if judgement.as_expected() {
        return vec![Advice::AsExpected];
    }
    // What is undecided goes first: until it is fixed, the rest of the verdict may change.
    let mut advice: Vec<Advice<'_>> = judgement.of(Verdict::Undecided).map(Advice::Undecided).collect();
    // A negative control has to breach: advice to fix its outage would be wrong.
    if judgement.control.is_some() {
        advice.push(Advice::Control);
        return advice;
    }
    for check in judgement.of(Verdict::Breached) {
        let next = match check.id {
            CheckId::Budget | CheckId::Downtime => Advice::TooLong,
            _ => Advice::Breached(check),
        };
        if !advice.contains(&next) {
            advice.push(next);
        }
    }
    advice
}

fn as_expected(report: &DrillReport) -> String {
    let share = report.judgement.cost.share.high.unwrap_or(0.0);
    let text = match &report.judgement.control {
        Some(_) => "OK: the control breached as required, so the checks still detect this outage.",
        None if share > COSTLY => {
            "Every check is met, but one such event uses more than a fifth of the budget: make it shorter or rarer."
        }
        None => "Passed. For 95 % confidence in the worst case, run with -n 59.",
    };
    text.into()
}

fn undecided(check: &Check) -> Option<String> {
    let advice = match &check.id {
        CheckId::EvidenceSteady => {
            "A journey failed before the first fault: fix it (the timeline names it) or lower its rate, then run again."
        }
        CheckId::EvidenceVoids if is_busy(&check.found) => {
            "Other programs kept the machine busy while answers were late. Run again on an idle machine, or with --jobs 1."
        }
        CheckId::EvidenceVoids => {
            "The prober could not follow its schedule: run fewer drills at once (--jobs 1) or lower the rates."
        }
        CheckId::EvidenceGaps => {
            "The prober stalled near the edge of an outage: run again when the machine is less busy."
        }
        CheckId::EvidenceEnd => "The drill did not finish: fix what stopped it, then run again.",
        CheckId::EvidenceFault(step) => {
            let number = step + 1;
            return Some(format!(
                "The fault of step {number} is not confirmed ({}): fix the step, then run again.",
                check.found
            ));
        }
        _ => return None,
    };
    Some(advice.into())
}

/// Whether probes are void because others held the machine.
fn is_busy(found: &Found) -> bool {
    let Found::Voids { voids, .. } = found else {
        return false;
    };
    voids.iter().any(|(reason, _)| *reason == Void::MachineBusy)
}

fn breached(report: &DrillReport, check: &Check) -> String {
    let log = where_to_look(report);
    match &check.id {
        CheckId::LostWrites | CheckId::CorruptWrites => format!(
            "Acknowledged writes did not survive ({}): find where a write is acknowledged before it is durable; {log}.",
            check.found
        ),
        CheckId::PhantomWrites => format!(
            "Refused writes were stored anyway ({}): find where a write is refused after it is stored; {log}.",
            check.found
        ),
        CheckId::Rollback => format!(
            "The rollback is missing or late: {}. Check what triggers it.",
            finding(check)
        ),
        CheckId::Journey(name) => format!("Journey {name}: {}; {log}.", finding(check)),
        CheckId::Alert(kind) => format!(
            "Alert {kind}: {}. Check its path to the receiver.",
            finding(check)
        ),
        // What the check found is the advice: the other checks name what is missing themselves.
        id => format!("{id}: {}.", finding(check)),
    }
}

/// The first line to read: the error that most likely names the cause.
fn where_to_look(report: &DrillReport) -> String {
    report.loudest().map_or_else(
        || format!("read {}/logs/", report.folder),
        |(log, entry)| {
            format!(
                "read {}/logs/{}.log from line {}",
                report.folder, log.service, entry.line
            )
        },
    )
}

fn control(report: &DrillReport) -> String {
    let names = |ids: &[&CheckId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let required: Vec<&CheckId> = report.judgement.control.iter().flatten().collect();
    let breached: Vec<&CheckId> = report
        .judgement
        .of(Verdict::Breached)
        .map(|check| &check.id)
        .collect();
    let required = names(&required);
    // Nothing breached: a sentence with an empty list would not say so.
    if breached.is_empty() {
        return format!(
            "This negative control must breach {required}, and nothing breached: either the checks no longer detect the outage, or the system was fixed."
        );
    }
    format!(
        "This negative control must breach exactly {required}; breached: {}.",
        names(&breached)
    )
}

/// Commands to go on with: what for, and the command.
pub(super) fn commands(report: &DrillReport) -> Vec<(&'static str, String)> {
    let (name, backend, seed) = (
        report.name(),
        report.start.backend.name(),
        report.start.seed.to_string(),
    );
    vec![
        (
            "run again",
            command(["firedrill", "run", name, "--backend", backend, "--seed", &seed]),
        ),
        (
            "in a browser",
            command(["firedrill", "report", &report.folder, "--open"]),
        ),
        ("logs", format!("{}/logs/", report.folder)),
    ]
}
