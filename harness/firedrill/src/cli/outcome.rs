//! How a call of `firedrill run` ends: what became of each drill, the reports that were asked for, and where to look next.

use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::output;
use super::render::{self, Told};
use super::run::Call;

/// What became of one drill.
pub(super) struct Outcome {
    pub(super) name: String,
    /// Its run folder, or why there is none.
    pub(super) stored: Result<PathBuf, firedrill_report::DrillOutcome>,
    pub(super) repeat: u32,
    pub(super) exit: Exit,
    pub(super) line: firedrill_report::DrillSummary,
}

/// The summary, and the worst of all exits.
pub(super) fn conclude(call: &Call, mut outcomes: Vec<Outcome>) -> Exit {
    call.progress.finish();
    outcomes.sort_by(|a, b| (&a.name, a.repeat).cmp(&(&b.name, b.repeat)));
    let written = reports(call, &outcomes);
    if call.stop.is_cancelled() {
        return outcomes
            .iter()
            .fold(Exit::Interrupted, |worst, outcome| worst.worst(outcome.exit));
    }
    let mut exit = outcomes
        .iter()
        .fold(written, |worst, outcome| worst.worst(outcome.exit));
    let skipped = outcomes
        .iter()
        .filter(|outcome| outcome.line.is_skipped())
        .count();
    if skipped == outcomes.len() && call.args.shard.is_none() {
        exit = exit.worst(Exit::Undecided);
    }
    if !call.args.json && !call.alone {
        let lines: Vec<&firedrill_report::DrillSummary> =
            outcomes.iter().map(|outcome| &outcome.line).collect();
        output::print(&firedrill_report::summary(
            &lines,
            call.seed,
            &call.kind.to_string(),
            output::colours(),
        ));
        what_next(call, &outcomes, &lines);
    }
    exit
}

/// The reports that were asked for, from what is stored.
fn reports(call: &Call, outcomes: &[Outcome]) -> Exit {
    if call.args.report.is_empty() {
        return Exit::AsStated;
    }
    let told = outcomes.iter().map(|outcome| match &outcome.stored {
        Err(drill) => Told::not_run(drill.clone(), outcome.exit),
        Ok(folder) => render::told(folder).unwrap_or_else(|error| {
            let (name, why) = (outcome.name.clone(), error.to_string());
            Told::not_run(firedrill_report::DrillOutcome::Failed { name, why }, outcome.exit)
        }),
    });
    render::write_all(&call.args.report, &told.collect::<Vec<_>>())
}

/// After many drills: where to look, and what they say of the year. What is not as stated comes before what it cost.
fn what_next(call: &Call, outcomes: &[Outcome], lines: &[&firedrill_report::DrillSummary]) {
    let runs = shown(&call.args.runs);
    let mut next = Vec::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.exit != Exit::AsStated) {
        if let Ok(folder) = &outcome.stored {
            let report = format!("firedrill report {} --open", shown(folder));
            next.push((format!("why {}", outcome.name), report));
        }
        let again = format!(
            "firedrill run {} --backend {} --seed {}",
            outcome.name, call.kind, call.seed
        );
        next.push(("the same once more".to_owned(), again));
    }
    if next.is_empty() {
        let costliest = firedrill_report::costliest(lines).map(|(line, ..)| line);
        let first = outcomes
            .iter()
            .filter(|outcome| costliest.is_none_or(|line| std::ptr::eq(line, &outcome.line)))
            .find_map(|outcome| outcome.stored.as_ref().ok());
        let Some(folder) = first else { return };
        let report = format!("firedrill report {} --open", shown(folder));
        next.push(("one drill, with its time line".to_owned(), report));
    }
    next.push((
        "what a year would cost".to_owned(),
        format!("firedrill projection {runs}"),
    ));
    next.push((
        "what is left of the year".to_owned(),
        "firedrill budget".to_owned(),
    ));
    let width = next
        .iter()
        .map(|(what, _)| what.chars().count())
        .max()
        .unwrap_or(0);
    let next: Vec<String> = next
        .iter()
        .map(|(what, how)| format!("\n  {what:width$}  {how}"))
        .collect();
    output::note(&format!("what next{}", next.concat()));
}

/// A path as short as it can be typed from here.
pub(super) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
