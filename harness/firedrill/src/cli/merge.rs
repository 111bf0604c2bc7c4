//! `firedrill merge`: merges the shards of a suite into one summary.
//!
//! Takes the folders that `firedrill run --shard` wrote; gives the summary and the exit code of the whole suite.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::failure::Failure;
use super::output;
use super::stored_runs::{self, Found};
use super::suite_log::{self, DrillRecord, DrillResult, LogError, Shard, Suite};
use firedrill_model::format;
use firedrill_model::history::{BackendKind, Event, History};
use firedrill_report::DrillSummary;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  firedrill run --shard 1/2 --seed 7 --runs part-1   On one machine
  firedrill run --shard 2/2 --seed 7 --runs part-2   On another machine
  firedrill merge part-1 part-2
  firedrill merge part-1 part-2 --markdown           One row per scenario, the worst first

Exit codes:
  The exit code of the whole suite:
  0  as expected
  1  breached
  2  bad usage or bad file
  3  undecided, or a drill that no shard ran
  4  environment failure")]
pub(super) struct Args {
    /// Folders written by `firedrill run --shard`.
    #[arg(required = true)]
    shards: Vec<PathBuf>,
    /// Print one JSON object: the counts, and one object per drill.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print Markdown for a job summary or a comment, the worst first.
    #[arg(long)]
    markdown: bool,
}

/// Why the shards cannot be merged.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// A suite log cannot be read.
    #[error("{}", path.display())]
    Log {
        /// The log.
        path: PathBuf,
        /// Why.
        source: LogError,
    },
    /// They are parts of different suites.
    #[error(
        "{} and {} are not parts of one suite ({first_suite}; {second_suite}): run every shard with the same scenarios, \
         seed, backend and repeats",
        first.display(), second.display()
    )]
    DifferentSuites {
        /// One log.
        first: PathBuf,
        /// Its suite in words.
        first_suite: String,
        /// A log of another suite.
        second: PathBuf,
        /// Its suite in words.
        second_suite: String,
    },
    /// The same shard was given twice.
    #[error("{} and {} are the same part of the suite: give each part once", first.display(), second.display())]
    SameShard {
        /// One log of the shard.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
}

/// A suite log, read.
struct Log {
    path: PathBuf,
    suite: Suite,
    records: Vec<DrillRecord>,
}

/// The suite, merged.
struct Merged {
    seed: u64,
    /// `None` where nothing says it.
    backend: Option<BackendKind>,
    drills: Vec<Drill>,
}

/// A drill's line of the summary, and its exit code.
struct Drill {
    exit: Exit,
    summary: DrillSummary,
}

impl Drill {
    fn failed(exit: Exit, name: &str, control: bool, why: &str) -> Self {
        let summary = DrillSummary::failed(name, control, why);
        Self { exit, summary }
    }
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let found = stored_runs::find(&args.shards).map_err(Failure::usage)?;
    let logs = read_logs(&found.suite_logs).map_err(Failure::usage)?;
    let merged = match common_suite(&logs).map_err(Failure::usage)? {
        // The logs know what was planned, so what is missing can be named.
        Some(suite) => merge(suite, &logs, &found),
        None => {
            output::warning(
                "no suite log (call-*.jsonl): drills that were skipped or never run are missing below",
            );
            merge_histories(&found.folders())
        }
    };
    print(args, &merged);
    Ok(exit(&merged))
}

fn print(args: &Args, merged: &Merged) {
    let summaries: Vec<&DrillSummary> = merged.drills.iter().map(|drill| &drill.summary).collect();
    let (seed, backend) = (merged.seed, merged.backend.as_ref());
    let backend = backend.map_or("unknown", BackendKind::name);
    output::print(&if args.json {
        firedrill_report::summary_json(&summaries, seed, backend).to_string()
    } else if args.markdown {
        firedrill_report::summary_markdown(&summaries, seed, backend)
    } else {
        firedrill_report::summary(&summaries, seed, backend, output::color())
    });
}

fn exit(merged: &Merged) -> Exit {
    let drills = merged.drills.iter();
    let worst = drills.fold(Exit::AsExpected, |worst, drill| worst.worst(drill.exit));
    // As in `run`: a suite without any evidence must not pass.
    if merged.drills.iter().all(|drill| drill.summary.is_skipped()) {
        return worst.worst(Exit::Undecided);
    }
    worst
}

fn read_logs(paths: &[PathBuf]) -> Result<Vec<Log>, Error> {
    let read = |path: &PathBuf| match suite_log::read(path) {
        Ok((suite, records)) => Ok(Log {
            path: path.clone(),
            suite,
            records,
        }),
        Err(source) => Err(Error::Log {
            path: path.clone(),
            source,
        }),
    };
    paths.iter().map(read).collect()
}

/// The suite that all logs are parts of; none without logs.
fn common_suite(logs: &[Log]) -> Result<Option<&Suite>, Error> {
    let Some(first) = logs.first() else {
        return Ok(None);
    };
    let mut seen: BTreeMap<Option<Shard>, &Path> = BTreeMap::new();
    for log in logs {
        // Shards of different counts overlap, even if all else is equal.
        let parts = |log: &Log| log.suite.shard.map(|shard| shard.of);
        if log.suite.whole() != first.suite.whole() || parts(log) != parts(first) {
            return Err(Error::DifferentSuites {
                first: first.path.clone(),
                first_suite: describe(&first.suite),
                second: log.path.clone(),
                second_suite: describe(&log.suite),
            });
        }
        if let Some(other) = seen.insert(log.suite.shard, &log.path) {
            return Err(Error::SameShard {
                first: other.to_owned(),
                second: log.path.clone(),
            });
        }
    }
    Ok(Some(&first.suite))
}

fn describe(suite: &Suite) -> String {
    let parts = suite
        .shard
        .map_or_else(|| "whole".to_owned(), |shard| format!("in {} parts", shard.of));
    format!(
        "{} × {} on {}, seed {}, {parts}",
        format::count(suite.scenarios.len(), "scenario"),
        suite.repeat,
        suite.backend,
        suite.seed
    )
}

/// Every planned drill, sorted by name and repeat. A drill that no shard ran counts as not run.
fn merge(suite: &Suite, logs: &[Log], found: &Found) -> Merged {
    let records: BTreeMap<(&str, u32), &DrillRecord> = logs
        .iter()
        .flat_map(|log| &log.records)
        .map(|record| ((record.scenario.as_str(), record.repeat), record))
        .collect();
    // One run is the result of one drill.
    let mut used = BTreeSet::new();
    let mut names: Vec<&String> = suite.scenarios.iter().collect();
    // In the order of `run`, so that the summary of a merged suite equals that of a whole one.
    names.sort();
    let drills = names
        .into_iter()
        .flat_map(|name| (1..=suite.repeat).map(move |repeat| (name, repeat)))
        .map(|(name, repeat)| match records.get(&(name.as_str(), repeat)) {
            Some(record) => drill(record, found, &mut used),
            None => Drill::failed(
                Exit::Undecided,
                name,
                false,
                &format!("no shard ran repeat {repeat}"),
            ),
        });
    Merged {
        seed: suite.seed,
        backend: Some(suite.backend.clone()),
        drills: drills.collect(),
    }
}

fn drill(record: &DrillRecord, found: &Found, used: &mut BTreeSet<String>) -> Drill {
    let (name, control) = (record.scenario.as_str(), record.control);
    match &record.result {
        DrillResult::Skipped(why) => Drill {
            exit: Exit::AsExpected,
            summary: DrillSummary::skipped(name, control, why),
        },
        DrillResult::Failed(why) => Drill::failed(Exit::Environment, name, control, why),
        DrillResult::Run(id) if !used.insert(id.clone()) => {
            let why = format!("its run {id} is that of another drill");
            Drill::failed(Exit::Undecided, name, control, &why)
        }
        DrillResult::Run(id) => match found.run(id) {
            Some(run) => judge(&run.path, name, control),
            None => {
                let why = format!("its run folder {id} is missing");
                Drill::failed(Exit::Undecided, name, control, &why)
            }
        },
    }
}

fn judge(folder: &Path, name: &str, control: bool) -> Drill {
    let run = match stored_runs::judge(folder) {
        Ok(run) => run,
        Err(error) => return Drill::failed(Exit::Environment, name, control, &format::chain(&error)),
    };
    let (interrupted, error) = end(&run.history);
    // An interrupted drill may also have an error, caused by the interrupt: the interrupt counts, as in `run`.
    if let Some(error) = error.filter(|_| !interrupted) {
        return Drill::failed(Exit::Environment, name, control, error);
    }
    Drill {
        exit: if interrupted {
            Exit::Interrupted
        } else {
            Exit::from(&run.judgement)
        },
        summary: DrillSummary::new(&run.history, &run.measured, &run.judgement),
    }
}

/// How the drill ended: whether it was interrupted, and its error if it had one.
fn end(history: &History) -> (bool, Option<&str>) {
    let end = history.events.iter().rev().find_map(|event| match &event.event {
        Event::End { interrupted, error } => Some((*interrupted, error.as_deref())),
        _ => None,
    });
    end.unwrap_or((false, None))
}

/// Run folders without a suite log.
fn merge_histories(folders: &[PathBuf]) -> Merged {
    let mut merged = Merged {
        seed: 0,
        backend: None,
        drills: Vec::new(),
    };
    for folder in folders {
        // Without a log the suite's seed is unknown; the last run's stands for it.
        if let Ok(history) = firedrill_model::history::read(folder) {
            merged.seed = history.start.seed;
            merged.backend = Some(history.start.backend);
        }
        let name = stored_runs::file_name(folder);
        merged.drills.push(judge(folder, &name, false));
    }
    merged
        .drills
        .sort_by(|a, b| a.summary.name().cmp(b.summary.name()));
    merged
}
