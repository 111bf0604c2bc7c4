//! `firedrill faults`: lists the faults.

use std::fmt::Write;

use super::exit::Exit;
use super::output;
use firedrill_runner::backend::Capability;
use firedrill_runner::fault::{CATALOGUE, Entry};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  firedrill faults          Every fault
  firedrill faults kill     One fault, with its parameters and an example

Exit codes:
  0  listed
  2  no such fault")]
pub(super) struct Args {
    /// Print one JSON object per fault, with the JSON Schema of its parameters.
    #[arg(long)]
    json: bool,
    /// Faults to list [default: all].
    #[arg(value_name = "FAULT", value_parser = clap::builder::PossibleValuesParser::new(CATALOGUE.iter().map(|entry| entry.kind.name)))]
    faults: Vec<String>,
}

pub(super) fn run(args: &Args) -> Exit {
    let asked =
        |entry: &&Entry| args.faults.is_empty() || args.faults.iter().any(|name| name == entry.kind.name);
    for entry in CATALOGUE.iter().filter(asked) {
        output::print(&if args.json { json(entry) } else { text(entry) });
    }
    Exit::AsExpected
}

fn schema(entry: &Entry) -> serde_json::Value {
    // Inline: each schema is printed by itself, so references would lead nowhere.
    let mut generator = schemars::generate::SchemaSettings::draft2020_12()
        .with(|s| s.inline_subschemas = true)
        .into_generator();
    (entry.kind.schema)(&mut generator).to_value()
}

/// The backends that support it. What this machine lacks is shown by `firedrill doctor`.
fn backends(entry: &Entry) -> &'static str {
    // Needs belong to a fault with parameters, and the example has some.
    let example = toml::from_str::<toml::Table>(&format!("step = {{ {} }}", entry.kind.example));
    let step = example.ok().and_then(|mut table| table.remove("step"));
    let params = step.as_ref().and_then(|step| step.get(entry.kind.name));
    let params = params
        .and_then(|params| serde_json::to_value(params).ok())
        .unwrap_or_default();
    let needs = (entry.parse)(params)
        .map(|fault| fault.needs())
        .unwrap_or_default();
    let needs = |capability| needs.contains(&capability);
    if needs(Capability::CpuLimit) || needs(Capability::PidsLimit) {
        "docker"
    } else if needs(Capability::SizedVolumes) {
        "docker, process as root on Linux (it mounts a file system)"
    } else {
        "docker, process"
    }
}

fn json(entry: &Entry) -> String {
    let kind = &entry.kind;
    serde_json::json!({
        "name": kind.name, "family": kind.family, "summary": kind.summary,
        "lasts": kind.lasts, "example": kind.example, "params": schema(entry), "backends": backends(entry),
        "confirmed": entry.confirmed,
    })
    .to_string()
}

fn text(entry: &Entry) -> String {
    let kind = &entry.kind;
    let mut text = format!("{} ({})\n  {}", kind.name, kind.family, kind.summary);
    if kind.lasts {
        text.push_str("; `for` reverts it after that time");
    }
    let schema = schema(entry);
    for (name, of) in schema
        .get("properties")
        .and_then(|p| p.as_object())
        .into_iter()
        .flatten()
    {
        let description = of.get("description").and_then(|d| d.as_str()).unwrap_or_default();
        let _ = write!(text, "\n    {name:13}{}", description.replace('\n', " "));
    }
    let _ = write!(
        text,
        "\n  confirmed by: {}\n  backends: {}",
        entry.confirmed,
        backends(entry)
    );
    let _ = write!(text, "\n  [[step]]");
    // The example is the inside of an inline table; a scenario has one key per line.
    for line in kind.example.split(", ").fold(Vec::<String>::new(), rejoin) {
        let _ = write!(text, "\n  {line}");
    }
    text.push('\n');
    text
}

/// Joins what the split cut inside an inline table: one line for each key of the step.
fn rejoin(mut lines: Vec<String>, part: &str) -> Vec<String> {
    match lines.last_mut() {
        Some(last) if last.matches('{').count() > last.matches('}').count() => {
            last.push_str(", ");
            last.push_str(part);
        }
        _ => lines.push(part.to_owned()),
    }
    lines
}
