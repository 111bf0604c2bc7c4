//! `firedrill schema`: prints the JSON Schema of the files that Firedrill reads, and of its JSON report.

use super::exit::Exit;
use super::output;
use firedrill_model::scenario;
use firedrill_runner::fault;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// File format.
    #[arg(value_enum, default_value_t = File::Scenario)]
    file: File,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum File {
    /// A scenario.
    Scenario,
    /// A system.
    System,
    /// The project file, firedrill.toml.
    Project,
    /// The output of `firedrill report --format json`.
    Report,
}

pub(super) fn run(args: &Args) -> Exit {
    let schema = match args.file {
        File::Scenario => scenario::schema(fault::catalogue().kinds()),
        File::System => scenario::system_schema(),
        File::Project => scenario::project_schema(),
        File::Report => firedrill_report::schema(),
    };
    output::print(&format!("{schema:#}"));
    Exit::AsExpected
}
