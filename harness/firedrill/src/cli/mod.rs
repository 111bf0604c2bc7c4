//! The command line: parses arguments, calls the library, prints, and exits.
//!
//! Takes what people and CI type; gives text and an exit code. One file per subcommand. No other part of Firedrill
//! prints or knows exit codes.

mod budget;
mod check;
mod clean;
mod compare;
mod completions;
mod doctor;
mod engine_address;
mod exit;
mod failure;
mod faults;
mod init;
mod ledger_file;
mod list;
mod logs;
mod merge;
mod output;
mod projection;
mod render;
mod report;
mod run;
mod scenarios;
mod schema;
mod stored_runs;
mod suite_log;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Runtime;

use exit::Exit;
use failure::Failure;

/// Rehearse outages and prove that they fit the budget.
///
/// Firedrill starts a service in containers or as local processes, breaks it on purpose, watches it as its users would,
/// and reports how much of the yearly downtime budget the outage used.
#[derive(Debug, Parser)]
#[command(
    name = "firedrill",
    version,
    arg_required_else_help = true,
    after_help = "\
Examples:
  firedrill init                         Write scenarios for the service in this folder
  firedrill run                          Run every scenario in ./scenarios
  firedrill run wrong-json-loader        Run one scenario and print its full report
  firedrill run --backend process -n 5   Run without containers, five repeats each
  firedrill report runs/RUN              Judge and show a stored run again, offline
  firedrill projection runs              Project annual downtime from stored drills
  firedrill budget                       Show how much of the budget real incidents used
  firedrill faults                       List the faults, with an example of each

Exit codes:
  0    as expected
  1    breached
  2    bad usage or bad file
  3    undecided
  4    environment failure
  5    cleanup incomplete
  130  interrupted, after reverting faults"
)]
struct Cli {
    /// When to use colors; `auto` also follows NO_COLOR and CLICOLOR_FORCE.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    color: output::Color,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a system and three scenarios for the service in this folder.
    Init(init::Args),
    /// Run scenarios and judge them.
    Run(run::Args),
    /// List the scenarios that `run` would run.
    List(list::Args),
    /// Check scenario files without running anything.
    Check(check::Args),
    /// Judge and show stored runs again, offline.
    Report(report::Args),
    /// Merge the shards of a suite into one summary.
    Merge(merge::Args),
    /// Compare two sets of repeats for regressions.
    Compare(compare::Args),
    /// Project annual downtime from stored drills and each scenario's `per_year`.
    Projection(projection::Args),
    /// Show how much of the budget real incidents used, or record one (`budget add`).
    Budget(budget::Args),
    /// List the faults, with their parameters and an example of each.
    Faults(faults::Args),
    /// Print the JSON Schema of a file format, for editors.
    Schema(schema::Args),
    /// Show what this machine can do, and how to get what is missing.
    Doctor(doctor::Args),
    /// Remove what a killed run left behind. Touches only what Firedrill created.
    Clean(clean::Args),
    /// Print a shell completion script.
    Completions(completions::Args),
}

/// Parses the arguments, runs the subcommand, and turns its result into an exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` are errors to clap, but go to standard output and succeed.
            if error.use_stderr() {
                // It quotes the arguments, which may be names of files.
                output::note_in_color(error.render().ansi().to_string().trim_end());
                return Exit::Usage.into();
            }
            output::remember(error.print());
            return finish(Exit::AsExpected).into();
        }
    };
    engine_address::lead_library_to_engine();
    // Before the first output, and for everything that follows, also in the libraries.
    cli.color.apply();
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::environment)
        .and_then(|runtime| dispatch(cli.command, &runtime));
    let exit = result.unwrap_or_else(|failure| {
        failure.print();
        failure.exit()
    });
    finish(exit).into()
}

/// The exit code, once all is printed. A result that could not be printed must not look like one that was.
fn finish(exit: Exit) -> Exit {
    match output::finish() {
        Ok(()) => exit,
        Err(error) => {
            output::error(&error);
            exit.worst(Exit::Environment)
        }
    }
}

fn dispatch(command: Command, runtime: &Runtime) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => runtime.block_on(init::run(args)),
        Command::Run(args) => runtime.block_on(run::run(args)),
        Command::List(args) => list::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Projection(args) => projection::run(&args),
        Command::Budget(args) => budget::run(args),
        Command::Faults(args) => Ok(faults::run(&args)),
        Command::Schema(args) => Ok(schema::run(&args)),
        Command::Doctor(args) => Ok(runtime.block_on(doctor::run(&args))),
        Command::Clean(args) => Ok(runtime.block_on(clean::run(args))),
        Command::Completions(args) => Ok(completions::run(&args)),
    }
}
