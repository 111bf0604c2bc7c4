//! What a reader of a report would do next, from what was found. Sentences that one can act on.

use super::drill::DrillReport;
use firedrill_judge::{Check, Verdict};
use firedrill_model::check::CheckId;

/// What to do, most pressing first; one sentence when there is nothing to do.
pub(super) fn advice(report: &DrillReport) -> Vec<String> {
    let judgement = &report.judgement;
    if judgement.as_expected() {
        return vec![stated(report)];
    }
    let mut advice: Vec<String> = Vec::new();
    for check in judgement.of(Verdict::Undecided) {
        advice.extend(undecided(check));
    }
    if judgement.control.is_some() {
        advice.push(control(report));
    } else {
        for check in judgement.of(Verdict::Breached) {
            advice.extend(breached(report, check));
        }
    }
    let mut seen = std::collections::HashSet::new();
    advice.retain(|sentence| seen.insert(sentence.clone()));
    advice
}

fn stated(report: &DrillReport) -> String {
    let share = report.judgement.cost.share.high.unwrap_or(0.0);
    match &report.judgement.control {
        Some(_) => {
            "Nothing: this control breached where it must, so the harness still sees this outage.".into()
        }
        None if share > 20.0 => {
            "Nothing failed, but one such event takes over a fifth of the budget: shorten it, or expect few."
                .into()
        }
        None => "Nothing: repeat it (-n 59) before relying on the slowest case.".into(),
    }
}

fn undecided(check: &Check) -> Option<String> {
    let advice = match &check.id {
        CheckId::EvidenceSteady => {
            "The system was failing before anything was broken: mend that first (the time line says which journey), or lower its rate, then run again."
        }
        CheckId::EvidenceVoids => {
            "The prober could not keep its schedule: run fewer drills at once (--jobs 1), or lower the rates."
        }
        CheckId::EvidenceGaps => {
            "The machine stood still near an edge of the outage: run again when it is less busy."
        }
        CheckId::EvidenceEnd => "The drill did not come to its end: mend what stopped it, then run again.",
        CheckId::EvidenceFault(_) => {
            return Some(format!(
                "The fault did not happen as written ({}): mend the step, then run again.",
                check.found
            ));
        }
        _ => return None,
    };
    Some(advice.into())
}

fn breached(report: &DrillReport, check: &Check) -> Option<String> {
    let log = report.loudest().map_or_else(
        || format!("look into {}/logs/", report.folder),
        |(log, entry)| {
            format!(
                "start at line {} of {}/logs/{}.log",
                entry.line, report.folder, log.service
            )
        },
    );
    match &check.id {
        CheckId::Budget | CheckId::Downtime => Some(format!("Users were down for too long: {log}.")),
        CheckId::LostWrites | CheckId::CorruptWrites | CheckId::PhantomWrites => Some(format!(
            "Acknowledged writes did not survive ({}): find what acknowledged before it was durable; {log}.",
            check.found
        )),
        CheckId::Rollback => Some(format!(
            "The way back was missing or slow ({}): look at what decides it.",
            check.found
        )),
        CheckId::Journey(name) => Some(format!("{} was not as promised ({}): {log}.", name, check.found)),
        CheckId::Alert(_) => Some(format!(
            "Nobody would have been told in time ({}: {}): look at the alert's way.",
            check.id, check.found
        )),
        _ => Some(format!(
            "{}: {}; required: {}.",
            check.id, check.found, check.required
        )),
    }
}

fn control(report: &DrillReport) -> String {
    let ids = |checks: &[CheckId]| {
        checks
            .iter()
            .map(CheckId::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let wanted = report.judgement.control.as_deref().map_or_else(String::new, ids);
    let found: Vec<String> = report
        .judgement
        .of(Verdict::Breached)
        .map(|check| check.id.to_string())
        .collect();
    if found.is_empty() {
        return format!(
            "This control must breach ({wanted}) and did not: either the harness no longer sees the outage, or it was mended."
        );
    }
    format!(
        "This control must breach in exactly {wanted}, and breached in {}.",
        found.join(", ")
    )
}

/// Commands to go on with: what for, and the command.
pub(super) fn commands(report: &DrillReport) -> Vec<(&'static str, String)> {
    let (name, backend, seed) = (report.name(), &report.start.backend, report.start.seed);
    vec![
        (
            "the same run",
            format!("firedrill run {name} --backend {backend} --seed {seed}"),
        ),
        (
            "in a browser",
            format!("firedrill report {} --open", report.folder),
        ),
        ("logs", format!("{}/logs/", report.folder)),
    ]
}
