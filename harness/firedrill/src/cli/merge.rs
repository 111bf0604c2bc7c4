//! `firedrill merge`: the shards of a suite put together, as if it had been run whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::call::{self, Became, Done, Ordered};
use super::exit::Exit;
use super::{output, runs};
use firedrill_model::history::{Event, History};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  firedrill run --shard 1/2 --seed 7 --runs part-1    on one machine
  firedrill run --shard 2/2 --seed 7 --runs part-2    on another
  firedrill merge part-1 part-2
  firedrill merge part-1 part-2 --markdown            the worst first, a row for each scenario

Exit codes:
  The suite's, as if it had been run whole:
  0 as stated   1 breached   2 bad usage or file   3 undecided, or not run by any shard
  4 environment")]
pub(super) struct Args {
    /// The shards' folders: each what one `firedrill run --shard` wrote.
    #[arg(required = true)]
    shards: Vec<PathBuf>,
    /// As one JSON object: the counts, and one object a drill.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// As Markdown, for a job summary or a comment: the worst first.
    #[arg(long)]
    markdown: bool,
}

/// The suite, put together.
struct Suite {
    seed: u64,
    backend: String,
    drills: Vec<(Exit, firedrill_report::DrillSummary)>,
}

pub(super) fn run(args: &Args) -> Exit {
    let merged = runs::find(&args.shards).and_then(|found| {
        let calls = calls(&found.calls)?;
        match one_suite(&calls) {
            Err(why) => {
                output::error(&why);
                Err(Exit::Usage)
            }
            Ok(None) => {
                output::note("no call-*.jsonl there: what was skipped or never run is not known");
                Ok(of_histories(&found.folders))
            }
            Ok(Some(ordered)) => Ok(of_calls(ordered, &calls, &found.folders)),
        }
    });
    match merged {
        Ok(suite) => conclude(args, &suite),
        Err(exit) => exit,
    }
}

fn conclude(args: &Args, suite: &Suite) -> Exit {
    let lines: Vec<&firedrill_report::DrillSummary> = suite.drills.iter().map(|(_, line)| line).collect();
    if args.json {
        output::print(&firedrill_report::summary_json(&lines, suite.seed, &suite.backend).to_string());
    } else if args.markdown {
        output::print(&firedrill_report::summary_markdown(
            &lines,
            suite.seed,
            &suite.backend,
        ));
    } else {
        let text = firedrill_report::summary(&lines, suite.seed, &suite.backend, output::colours());
        output::print(&text);
    }
    let worst = suite
        .drills
        .iter()
        .fold(Exit::AsStated, |worst, (exit, _)| worst.worst(*exit));
    if lines.iter().all(|line| line.is_skipped()) {
        return worst.worst(Exit::Undecided);
    }
    worst
}

type Calls = Vec<(PathBuf, Ordered, Vec<Done>)>;

fn calls(paths: &[PathBuf]) -> Result<Calls, Exit> {
    let mut calls = Vec::new();
    for path in paths {
        let (ordered, done) = call::read(path).map_err(|error| {
            output::error(&format!("{}: {error}", path.display()));
            Exit::Usage
        })?;
        calls.push((path.clone(), ordered, done));
    }
    Ok(calls)
}

/// What the suite is, if all calls are parts of one; why they are not.
fn one_suite(calls: &Calls) -> Result<Option<&Ordered>, String> {
    let Some((first_path, first, _)) = calls.first() else {
        return Ok(None);
    };
    let mut seen: BTreeMap<Option<call::Shard>, &Path> = BTreeMap::new();
    for (path, ordered, _) in calls {
        let parts = |ordered: &Ordered| ordered.shard.map(|shard| shard.of);
        if ordered.suite() != first.suite() || parts(ordered) != parts(first) {
            return Err(format!(
                "{} and {} are not parts of one suite ({}, and {}): run every shard with the same scenarios, seed, \
                 backend and repeats",
                first_path.display(),
                path.display(),
                words(first),
                words(ordered)
            ));
        }
        if let Some(other) = seen.insert(ordered.shard, path) {
            return Err(format!(
                "{} and {} are the same part of the suite: name it once",
                other.display(),
                path.display()
            ));
        }
    }
    Ok(Some(first))
}

fn words(ordered: &Ordered) -> String {
    let parts = ordered
        .shard
        .map_or_else(|| "whole".to_owned(), |shard| format!("of {} parts", shard.of));
    format!(
        "{} scenarios × {} on {}, seed {}, {parts}",
        ordered.scenarios.len(),
        ordered.repeat,
        ordered.backend,
        ordered.seed
    )
}

/// Every drill that was ordered, in the order of names and repeats. One that nobody ran is there too, as not run.
fn of_calls(ordered: &Ordered, calls: &Calls, folders: &[PathBuf]) -> Suite {
    let done: BTreeMap<(&str, u32), &Done> = calls
        .iter()
        .flat_map(|(_, _, done)| done)
        .map(|done| ((done.scenario.as_str(), done.repeat), done))
        .collect();
    let mut names: Vec<&String> = ordered.scenarios.iter().collect();
    names.sort();
    let drills = names
        .into_iter()
        .flat_map(|name| (1..=ordered.repeat).map(move |repeat| (name, repeat)))
        .map(|(name, repeat)| match done.get(&(name.as_str(), repeat)) {
            Some(done) => drill(done, folders),
            None => {
                let line = firedrill_report::DrillSummary::failed(
                    name,
                    false,
                    &format!("no shard ran repeat {repeat}"),
                );
                (Exit::Undecided, line)
            }
        });
    Suite {
        seed: ordered.seed,
        backend: ordered.backend.clone(),
        drills: drills.collect(),
    }
}

fn drill(done: &Done, folders: &[PathBuf]) -> (Exit, firedrill_report::DrillSummary) {
    let (name, control) = (done.scenario.as_str(), done.control);
    match &done.became {
        Became::Skipped(why) => (
            Exit::AsStated,
            firedrill_report::DrillSummary::skipped(name, control, why),
        ),
        Became::Failed(why) => (
            Exit::Environment,
            firedrill_report::DrillSummary::failed(name, control, why),
        ),
        Became::Run(id) => match folders.iter().find(|folder| folder.ends_with(id)) {
            Some(folder) => judged(folder, name, control),
            None => {
                let why = format!("its run folder {id} is not here");
                (
                    Exit::Undecided,
                    firedrill_report::DrillSummary::failed(name, control, &why),
                )
            }
        },
    }
}

fn judged(folder: &Path, name: &str, control: bool) -> (Exit, firedrill_report::DrillSummary) {
    match runs::judged(folder) {
        Err(error) => {
            let line = firedrill_report::DrillSummary::failed(name, control, &error.to_string());
            (Exit::Environment, line)
        }
        Ok(run) => match ended(&run.history) {
            Some((false, Some(error))) => {
                let line = firedrill_report::DrillSummary::failed(name, control, error);
                (Exit::Environment, line)
            }
            end => {
                let line = firedrill_report::DrillSummary::new(&run.history, &run.measured, &run.judgement);
                let stopped = matches!(end, Some((true, _)));
                let exit = super::run::exit(&run.judgement);
                (if stopped { Exit::Interrupted } else { exit }, line)
            }
        },
    }
}

/// What the drill's own end says: whether somebody stopped it, and what else went wrong.
fn ended(history: &History) -> Option<(bool, Option<&str>)> {
    history.events.iter().rev().find_map(|event| match &event.event {
        Event::End { interrupted, error } => Some((*interrupted, error.as_deref())),
        _ => None,
    })
}

/// Run folders without the files of their calls: what is there, and no word on what is not.
fn of_histories(folders: &[PathBuf]) -> Suite {
    let name = |folder: &Path| {
        folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let mut suite = Suite {
        seed: 0,
        backend: "unknown".into(),
        drills: Vec::new(),
    };
    for folder in folders {
        if let Ok(history) = firedrill_model::history::read(folder) {
            suite.seed = history.start.seed;
            suite.backend = history.start.backend;
        }
        suite.drills.push(judged(folder, &name(folder), false));
    }
    suite.drills.sort_by(|a, b| a.1.name().cmp(b.1.name()));
    suite
}
