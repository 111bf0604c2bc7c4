//! Makes up a run folder of any length: what reading, measuring and reporting are timed on.
#![expect(clippy::print_stdout, reason = "a program that says what it made")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use firedrill_bench::history::Recipe;

/// Makes up a history in a new folder, in virtual time.
#[derive(Parser)]
struct Args {
    /// The run folder to make.
    folder: PathBuf,
    /// How long it lasts, in seconds.
    #[arg(long, default_value_t = 3600)]
    seconds: u32,
    /// Probes per second, of all streams together.
    #[arg(long, default_value_t = 1000)]
    rate: u32,
    /// How many of them are writes.
    #[arg(long, default_value_t = 10)]
    writes: u32,
    /// How many outages of two seconds lie in it.
    #[arg(long, default_value_t = 20)]
    outages: u32,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let recipe = Recipe {
        seconds: args.seconds,
        rate: args.rate,
        writes: args.writes,
        outages: args.outages,
    };
    match recipe.write(&args.folder) {
        Ok(samples) => {
            println!("{samples} samples in {}", args.folder.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("cannot write {}: {error}", args.folder.display());
            ExitCode::FAILURE
        }
    }
}
