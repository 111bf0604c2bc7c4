//! The arguments of `firedrill run`.

use std::path::PathBuf;

use super::super::render::ReportFile;
use super::super::suite_log::Shard;
use firedrill_model::units::Size;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  firedrill run wrong-json-loader --backend process   One scenario, without containers
  firedrill run -n 20 --report html=report.html       Twenty repeats each, with an HTML report
  firedrill run -n 10 --baseline app=v1               Two releases in turn, for `firedrill compare`

Exit codes:
  0    as expected
  1    breached
  2    bad usage or bad file
  3    undecided, or every drill was skipped
  4    environment failure
  5    cleanup incomplete
  130  interrupted, after reverting faults")]
pub(in crate::cli) struct Args {
    /// Scenario names, files or folders [default: ./scenarios].
    pub(super) scenarios: Vec<String>,
    /// Where services run.
    #[arg(long, alias = "target", value_enum, default_value_t)]
    pub(super) backend: BackendChoice,
    /// Maximum number of drills at a time [default: one per core in containers, four as processes].
    #[arg(short, long, value_name = "NUMBER")]
    pub(super) jobs: Option<usize>,
    /// Repeats of each scenario. Every scenario runs once before any runs again.
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) repeat: u32,
    /// Random seed, printed with every result [default: random].
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Print every event as one JSON object per line, and each drill's report at its end.
    #[arg(long)]
    pub(super) json: bool,
    /// Folder for run folders.
    #[arg(long, value_name = "FOLDER", env = "FIREDRILL_RUNS", default_value = "runs")]
    pub(super) runs: PathBuf,
    /// Run only one part of the suite, such as 2/4. `firedrill merge` merges the parts.
    #[arg(long, value_name = "PART/PARTS", conflicts_with = "baseline")]
    pub(super) shard: Option<Shard>,
    /// Also run a baseline to compare with: another release (SERVICE=RELEASE) or another folder of scenarios. Baseline
    /// and head take turns, one drill at a time unless `--jobs` is given.
    #[arg(long, alias = "against", value_name = "SERVICE=RELEASE|FOLDER")]
    pub(super) baseline: Option<String>,
    /// Reports to write at the end: html=report.html,junit=report.xml. Formats: terminal, json, markdown, junit, github,
    /// html.
    #[arg(long, value_name = "FORMAT=PATH", value_delimiter = ',')]
    pub(super) report: Vec<ReportFile>,
    /// How much of each service's log is kept, such as 64MiB: a sixteenth from its beginning, the rest from its end.
    #[arg(long, value_name = "SIZE", default_value = "16MiB")]
    pub(super) log_limit: Size,
    /// Print the full report of every drill, not only of unexpected ones.
    #[arg(short, long)]
    pub(super) verbose: bool,
}

/// Where services run, as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum BackendChoice {
    /// Local processes if every system has a service with `build.command`; otherwise containers if an engine answers, else
    /// local processes.
    #[default]
    Auto,
    /// Containers.
    Docker,
    /// Local processes.
    Process,
}
