//! The command line: one file a subcommand. Faces people and CI on one side and the library on the other; the only
//! place that prints, and the only one that knows exit codes.

mod against;
mod budget;
mod call;
mod check;
mod clean;
mod compare;
mod completions;
mod doctor;
mod exit;
mod faults;
mod list;
mod logs;
mod merge;
mod outcome;
mod output;
mod progress;
mod projection;
mod render;
mod report;
mod run;
mod runs;
mod schema;
mod signals;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use exit::Exit;

/// Rehearse outages and prove that they fit the budget.
///
/// Starts a service in containers (or local processes), breaks it on purpose, watches it as its users would, and says
/// with numbers what that cost of the year's downtime.
#[derive(Debug, Parser)]
#[command(
    name = "firedrill",
    version,
    arg_required_else_help = true,
    after_help = "\
Examples:
  firedrill run                          every scenario of ./scenarios, in containers if an engine answers
  firedrill run wrong-json-loader        one of them, with the whole report
  firedrill run --backend process -n 5    without containers, each five times
  firedrill report runs/RUN              judge and show a stored run again, offline
  firedrill projection runs              the year that these drills foretell
  firedrill budget                       what real incidents have spent of it
  firedrill faults                       what can be broken, with an example of each

Exit codes:
  0 as stated   1 breached   2 bad usage or file   3 undecided   4 environment   5 cleanup incomplete
  130 interrupted, after reverting"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios and judge them.
    Run(run::Args),
    /// List the scenarios that `run` would run.
    List(list::Args),
    /// Check scenario files without running anything.
    Check(check::Args),
    /// Judge and show a stored run again, offline.
    Report(report::Args),
    /// Put the shards of a suite together, as if it had been run whole.
    Merge(merge::Args),
    /// Compare two sets of repeats: is the head worse than the base, beyond chance?
    Compare(compare::Args),
    /// Project the year's downtime from stored drills and each scenario's `per_year`.
    Projection(projection::Args),
    /// Show what real incidents have spent of the year's budget, or add one (`budget add`).
    Budget(budget::Args),
    /// List the faults, with their parameters and an example each.
    Faults(faults::Args),
    /// Print the JSON Schema of the files, for editors.
    Schema(schema::Args),
    /// Say what this machine can do, and how to get the rest.
    Doctor(doctor::Args),
    /// Remove what a killed run left behind. Touches nothing that is not Firedrill's.
    Clean(clean::Args),
    /// Print completions for a shell.
    Completions(completions::Args),
}

/// Parses, calls, and turns the result into an exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked = !error.use_stderr();
            drop(error.print());
            return if asked { Exit::AsStated } else { Exit::Usage }.into();
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&format!("cannot start: {error}"));
            return Exit::Environment.into();
        }
    };
    let exit = match cli.command {
        Command::Run(args) => runtime.block_on(run::run(args)),
        Command::List(args) => list::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Projection(args) => projection::run(&args),
        Command::Budget(args) => budget::run(args),
        Command::Faults(args) => faults::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Doctor(args) => runtime.block_on(doctor::run(&args)),
        Command::Clean(args) => runtime.block_on(clean::run(args)),
        Command::Completions(args) => completions::run(&args),
    };
    exit.into()
}
