//! The end of `firedrill run`: reports, summary, what to do next, and the exit code.

use std::path::Path;

use super::super::exit::Exit;
use super::super::output;
use super::super::render::{self, Reported};
use super::drill::Finished;
use super::session::Session;
use firedrill_model::format;
use firedrill_report::{DrillOutcome, DrillSummary};

/// Writes the reports, prints the summary, and returns the worst exit code of all drills.
pub(super) fn conclude(session: &Session, mut drills: Vec<Finished>) -> Exit {
    session.progress.finish();
    // They ended in any order.
    drills.sort_by(|a, b| (&a.name, a.repeat).cmp(&(&b.name, b.repeat)));
    let written = write_reports(session, &drills);
    let interrupted = session.stop.is_cancelled();
    let start = if interrupted { Exit::Interrupted } else { written };
    let exit = drills.iter().fold(start, |worst, drill| worst.worst(drill.exit));
    if interrupted {
        // What is missing from the summary was never run; a verdict on the rest would mislead.
        let ended = drills.iter().filter(|drill| drill.exit != Exit::Interrupted);
        output::note(&format!(
            "interrupted: {} of {} ended",
            ended.count(),
            format::count(session.drills, "drill")
        ));
        return exit;
    }
    if !session.args.json && !session.single {
        let summaries: Vec<&DrillSummary> = drills.iter().map(|drill| &drill.summary).collect();
        output::print(&firedrill_report::summary(
            &summaries,
            session.seed,
            &session.kind.to_string(),
            output::color(),
        ));
        print_next_steps(session, &drills, &summaries);
    }
    // A suite without any evidence must not pass. A shard may be empty: `merge` judges the whole suite.
    let all_skipped = drills.iter().all(|drill| drill.summary.is_skipped());
    if all_skipped && session.args.shard.is_none() {
        return exit.worst(Exit::Undecided);
    }
    exit
}

/// Writes the reports of `--report`, from the stored runs.
fn write_reports(session: &Session, drills: &[Finished]) -> Exit {
    if session.args.report.is_empty() {
        return Exit::AsExpected;
    }
    let reported = drills.iter().map(|drill| match drill.folder() {
        Err(outcome) => Reported::not_run(outcome, drill.exit),
        Ok(folder) => render::read(&folder).unwrap_or_else(|error| {
            let (name, why) = (drill.name.clone(), format::chain(&error));
            Reported::not_run(DrillOutcome::Failed { name, why }, drill.exit)
        }),
    });
    render::write_all(&session.args.report, &reported.collect::<Vec<_>>())
}

fn report_command(folder: &Path) -> String {
    format::command(["firedrill", "report", &output::short_path(folder), "--open"])
}

/// Prints the commands to go on with: unexpected drills first, then what the suite says about the year.
fn print_next_steps(session: &Session, drills: &[Finished], summaries: &[&DrillSummary]) {
    let mut steps = Vec::new();
    for drill in drills.iter().filter(|drill| drill.exit != Exit::AsExpected) {
        if let Ok(folder) = drill.folder() {
            let report = report_command(&folder);
            steps.push((format!("why {}", drill.name), report));
        }
        let (backend, seed) = (session.kind.to_string(), session.seed.to_string());
        let again = [
            "firedrill",
            "run",
            &drill.name,
            "--backend",
            &backend,
            "--seed",
            &seed,
        ];
        let again = format::command(again);
        steps.push((format!("run {} again", drill.name), again));
    }
    if steps.is_empty() {
        // Nothing to explain: show the drill that cost the most, or the first one.
        let costliest = firedrill_report::costliest(summaries).map(|(summary, ..)| summary);
        let first = drills
            .iter()
            .filter(|drill| costliest.is_none_or(|summary| std::ptr::eq(summary, &drill.summary)))
            .find_map(|drill| drill.folder().ok());
        let Some(folder) = first else { return };
        let report = report_command(&folder);
        steps.push(("a drill and its timeline".to_owned(), report));
    }
    let runs = output::short_path(&session.args.runs);
    steps.push((
        "projected annual downtime".to_owned(),
        format::command(["firedrill", "projection", &runs]),
    ));
    steps.push(("budget left".to_owned(), format::command(["firedrill", "budget"])));
    let width = steps.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
    let steps: Vec<String> = steps
        .iter()
        .map(|(what, command)| format!("\n  {what:width$}  {command}"))
        .collect();
    output::note(&format!("Next steps{}", steps.concat()));
}
