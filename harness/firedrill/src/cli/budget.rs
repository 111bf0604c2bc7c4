//! `firedrill budget`: shows how much of the budget real incidents used; `budget add` records an incident.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;

use super::exit::Exit;
use super::failure::Failure;
use super::ledger_file::{self, FileError};
use super::output;
use firedrill_budget::{Incident, Ledger, LineError, RunsOut, Terms};
use firedrill_model::format;
use firedrill_model::scenario::{self, Contract, Project, Year};
use firedrill_model::units::Span;

#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  firedrill budget                                   Show what is used and left
  firedrill budget --contract five-minute-mean --year calendar
  firedrill budget --check                           Fail if the budget is used up
  firedrill budget add --start 2026-03-04T10:00Z --duration 7m --cause \"wrong release\"
  firedrill budget add --undated --duration 23m --cause \"wrong release, date unknown\"

Exit codes:
  0  shown, or recorded
  2  bad usage or bad file
  4  the ledger cannot be read or written
  With --check also:
  1  the budget is used up
  3  a line of the ledger cannot be read"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    place: Place,
    /// Contract that bills incidents: strict, request, minute1, minute5, minute10, full-minutes, five-minute-mean
    /// [default: firedrill.toml's].
    #[arg(long, value_parser = parse_word::<Contract>)]
    contract: Option<Contract>,
    /// Year: rolling or calendar [default: firedrill.toml's].
    #[arg(long, value_parser = parse_word::<Year>)]
    year: Option<Year>,
    /// Print one JSON object.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print Markdown, for a job summary.
    #[arg(long)]
    markdown: bool,
    /// Exit with 1 if the budget is used up, and with 3 if a line of the ledger cannot be read.
    #[arg(long)]
    check: bool,
}

/// Which ledger, and in which time zone.
#[derive(Debug, clap::Args)]
struct Place {
    /// Ledger [default: firedrill.toml's `[ledger] file`, or ledger.jsonl beside it].
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Time zone of the calendar, and of times without a zone [default: firedrill.toml's `[ledger] time_zone`, or UTC].
    #[arg(long, value_name = "NAME")]
    time_zone: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Record a real incident.
    Add(Add),
}

#[derive(Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    place: Place,
    /// Start of the outage: 2026-03-04T10:00Z, or 2026-03-04 10:00 in the ledger's time zone.
    #[arg(long, required_unless_present = "undated")]
    start: Option<String>,
    /// End of the outage.
    #[arg(long, conflicts_with = "duration", requires = "start")]
    end: Option<String>,
    /// Length of the outage: 23m, 1.5h.
    #[arg(long, required_unless_present = "end")]
    duration: Option<Span>,
    /// The date is unknown: the incident counts in every year.
    #[arg(long, conflicts_with = "start")]
    undated: bool,
    /// Cause, in one sentence.
    #[arg(long)]
    cause: String,
    /// Link to more information.
    #[arg(long)]
    link: Option<String>,
}

/// Parses a word as the files spell it.
fn parse_word<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_value(text.into())
}

/// The project file, and what the arguments override.
struct Settings {
    project: Project,
    ledger: PathBuf,
    zone: TimeZone,
}

/// Why an incident or a ledger is refused.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The time zone does not exist.
    #[error("unknown time zone `{name}`: {cause}; use a name such as Europe/Berlin")]
    Zone {
        /// The name given.
        name: String,
        /// Why. Named in the text, so it is no source: it would be printed twice.
        cause: jiff::Error,
    },
    /// A text is not a time.
    #[error("`{text}` is not a time: {cause}; write 2026-03-04T10:00Z, or 2026-03-04 10:00 in {zone}")]
    Time {
        /// The text given.
        text: String,
        /// The ledger's time zone.
        zone: String,
        /// Why. Named in the text, so it is no source: it would be printed twice.
        cause: jiff::Error,
    },
    /// The incident ends before it starts.
    #[error("--end {end} is before --start {start}")]
    Backwards {
        /// Its start.
        start: Timestamp,
        /// Its end.
        end: Timestamp,
    },
    /// The ledger refuses the incident.
    #[error(transparent)]
    Incident(#[from] firedrill_budget::IncidentError),
    /// The year does not fit the budget's window.
    #[error(transparent)]
    Year(#[from] firedrill_budget::NoCalendarYear),
    /// The ledger's file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::File(FileError::Missing(_) | FileError::Read { .. } | FileError::Write { .. }) => {
                Self::environment(error)
            }
            error => Self::usage(error),
        }
    }
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    match &args.command {
        Some(Command::Add(add)) => {
            let settings = settings(&add.place)?;
            record(add, &settings, now)?;
            Ok(Exit::AsExpected)
        }
        None => {
            let settings = settings(&args.place)?;
            Ok(show(&args, &settings, now)?)
        }
    }
}

fn settings(place: &Place) -> Result<Settings, Failure> {
    let (project, file) = scenario::project(Path::new("."))?;
    // The ledger lies beside the project file, wherever in the project the command is run.
    let folder = file.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
    let ledger = place
        .ledger
        .clone()
        .unwrap_or_else(|| folder.join(&project.ledger.file));
    let name = place.time_zone.as_ref().unwrap_or(&project.ledger.time_zone);
    let zone = TimeZone::get(name).map_err(|cause| Error::Zone {
        name: name.clone(),
        cause,
    })?;
    Ok(Settings {
        ledger,
        zone,
        project,
    })
}

/// Reads the ledger, with a warning for each line that cannot be read.
fn read(settings: &Settings, now: Timestamp) -> Result<Ledger, FileError> {
    let path = output::short_path(&settings.ledger);
    let text = ledger_file::read(&settings.ledger)?;
    // A broken line must not hide the incidents in the others.
    let ledger = Ledger::read(&text, now);
    for unreadable in &ledger.unreadable {
        let advice = match unreadable.why {
            LineError::MergeConflict => "",
            _ => ". Add the incident again and leave the line",
        };
        output::warning(&format!(
            "{path}:{}: left out: {}; the budget below does not include it{advice}",
            unreadable.line, unreadable.why
        ));
    }
    for doubled in ledger.doubled() {
        let advice = if doubled.counts_twice {
            "and both count: if it was one, remove a line"
        } else {
            "and count once"
        };
        output::warning(&format!(
            "{path}:{}: the incident of line {} once more, {advice}",
            doubled.second, doubled.first
        ));
    }
    Ok(ledger)
}

fn show(args: &Args, settings: &Settings, now: Timestamp) -> Result<Exit, Error> {
    let ledger = read(settings, now)?;
    let terms = Terms {
        budget: settings.project.budget,
        contract: args.contract.unwrap_or(settings.project.contract),
        year: args.year.unwrap_or(settings.project.ledger.year),
        zone: settings.zone.clone(),
    };
    let statement = terms.statement(&ledger, now)?;
    output::print(&if args.json {
        serde_json::json!(statement).to_string()
    } else if args.markdown {
        firedrill_report::budget_markdown(&statement, &terms)
    } else {
        firedrill_report::budget(&statement, &terms, output::color())
    });
    // A budget that is used up stays so, whatever a broken line says: this comes first.
    Ok(match (statement.runs_out, statement.unreadable) {
        (RunsOut::Already, _) if args.check => Exit::Breached,
        (_, 1..) if args.check => Exit::Undecided,
        _ => Exit::AsExpected,
    })
}

/// Parses a time: with its own zone, or in the ledger's.
fn parse_time(text: &str, zone: &TimeZone) -> Result<Timestamp, Error> {
    // With a zone of its own first: the ledger's applies only to times without one.
    if let Ok(at) = text.trim().parse::<Timestamp>() {
        return Ok(at);
    }
    // Ambiguous times, in the hour that a clock change repeats, are refused: their date is not known.
    let local = text
        .trim()
        .parse::<jiff::civil::DateTime>()
        .and_then(|at| zone.to_ambiguous_zoned_datetime(at).unambiguous());
    local.map(|at| at.timestamp()).map_err(|cause| Error::Time {
        text: text.into(),
        zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        cause,
    })
}

fn incident(add: &Add, zone: &TimeZone) -> Result<Incident, Error> {
    let at = |text: &Option<String>| text.as_deref().map(|text| parse_time(text, zone)).transpose();
    let (start, end) = (at(&add.start)?, at(&add.end)?);
    let downtime = match (start, end) {
        (Some(start), Some(end)) => std::time::Duration::try_from(end.duration_since(start))
            .map(Span)
            .map_err(|_| Error::Backwards { start, end })?,
        _ => add.duration.unwrap_or_default(),
    };
    Ok(Incident {
        start,
        downtime,
        cause: add.cause.trim().to_owned(),
        link: add.link.clone(),
    })
}

/// Warns when the ledger seems to have the incident already. It is recorded all the same: two may be alike.
fn warn_of_double(incident: &Incident, settings: &Settings, now: Timestamp) {
    // A ledger that does not exist yet, or cannot be read, has nothing to compare with; writing to it says the rest.
    let Ok(text) = ledger_file::read(&settings.ledger) else {
        return;
    };
    let ledger = Ledger::read(&text, now);
    if let Some((line, _)) = ledger.incidents.iter().find(|(_, other)| incident.is_like(other)) {
        output::warning(&format!(
            "{}:{line} is the same incident: if it is the same outage, remove one of the two lines",
            output::short_path(&settings.ledger)
        ));
    }
}

fn record(add: &Add, settings: &Settings, now: Timestamp) -> Result<(), Error> {
    let incident = incident(add, &settings.zone)?;
    incident.check(now)?;
    warn_of_double(&incident, settings, now);
    ledger_file::append(&settings.ledger, &incident.line())?;
    // As it was understood, so that a mistake in the time or its zone shows.
    let start = match incident.start {
        Some(start) => start
            .to_zoned_datetime(settings.zone.clone())
            .strftime("%Y-%m-%d %H:%M %Z")
            .to_string(),
        None => "undated".to_owned(),
    };
    output::note(&format!(
        "recorded in {}: {start}, {} of downtime: {}",
        output::short_path(&settings.ledger),
        format::span(incident.downtime.0),
        incident.cause
    ));
    Ok(())
}
