//! `firedrill schema`: the files' JSON Schema, for editors, and that of the report, for whoever reads it.

use super::exit::Exit;
use super::output;
use firedrill_model::scenario;
use firedrill_runner::fault;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of which file.
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
    /// The machine-readable report: `firedrill report --format json`.
    Report,
}

pub(super) fn run(args: &Args) -> Exit {
    let schema = match args.file {
        File::Scenario => scenario::schema(&fault::kinds()),
        File::System => scenario::system_schema(),
        File::Project => scenario::project_schema(),
        File::Report => firedrill_report::schema(),
    };
    output::print(&format!("{schema:#}"));
    Exit::AsStated
}
