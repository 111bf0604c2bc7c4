//! `firedrill budget`: what real incidents have spent of the year's downtime. `budget add` writes one down.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;

use super::exit::Exit;
use super::output;
use firedrill_budget::{Entry, Ledger, RunsOut, Terms};
use firedrill_model::scenario::{self, Contract, Project, Year};
use firedrill_model::units::Span;

#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  firedrill budget                                 what is spent and left of the year
  firedrill budget --contract five-minute-mean --year calendar
  firedrill budget --check                         a gate: is anything left?
  firedrill budget add --start 2026-03-04T10:00Z --duration 7m --cause \"the wrong release\"
  firedrill budget add --undated --duration 23m --cause \"nobody knows when\"

Exit codes:
  0 shown, or written down   2 bad usage or file   4 the ledger cannot be read or written
  With --check: 1 the budget is spent   3 a line of the ledger cannot be read"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    place: Place,
    /// How an incident is billed: strict, request, minute1, minute5, minute10, full-minutes, five-minute-mean (the
    /// project file's contract).
    #[arg(long, value_parser = word::<Contract>)]
    contract: Option<Contract>,
    /// The year: rolling or calendar (the project file's).
    #[arg(long, value_parser = word::<Year>)]
    year: Option<Year>,
    /// As one JSON object.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// As Markdown, for a job summary.
    #[arg(long)]
    markdown: bool,
    /// Exit with 1 when the budget is spent, and with 3 when lines of the ledger cannot be read.
    #[arg(long)]
    check: bool,
}

/// Where the ledger is, and whose clock it is read by.
#[derive(Debug, clap::Args)]
struct Place {
    /// The ledger (`[ledger] file` of firedrill.toml, else ledger.jsonl beside it).
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// The time zone of the calendar, and of times without one (`[ledger] time_zone` of firedrill.toml, else UTC).
    #[arg(long, value_name = "NAME")]
    time_zone: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write a real incident down.
    Add(Add),
}

#[derive(Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    place: Place,
    /// When users were first let down: 2026-03-04T10:00Z, or 2026-03-04 10:00 in the ledger's time zone.
    #[arg(long, required_unless_present = "undated")]
    start: Option<String>,
    /// When they were served again.
    #[arg(long, conflicts_with = "duration", requires = "start")]
    end: Option<String>,
    /// For how long they were let down: 23m, 1.5h.
    #[arg(long, required_unless_present = "end")]
    duration: Option<Span>,
    /// Nobody knows any more when it was: it counts in every year.
    #[arg(long, conflicts_with = "start")]
    undated: bool,
    /// What went wrong, in a sentence.
    #[arg(long)]
    cause: String,
    /// Where more is written.
    #[arg(long)]
    link: Option<String>,
}

/// Parses a word as the files spell it.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

/// What the project file and the arguments come to.
struct Books {
    project: Project,
    ledger: PathBuf,
    zone: TimeZone,
}

/// Why an incident or a ledger is refused.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("no time zone is called `{0}`: use a name such as Europe/Berlin")]
    Zone(String),
    #[error("`{text}` is no time: {why}; write 2026-03-04T10:00Z, or 2026-03-04 10:00 for {zone}")]
    Time { text: String, why: String, zone: String },
    #[error("--end {end} is before --start {start}")]
    Backwards { start: Timestamp, end: Timestamp },
    #[error(transparent)]
    Entry(#[from] firedrill_budget::BadEntry),
    #[error(transparent)]
    Year(#[from] firedrill_budget::NoCalendarYear),
    #[error("there is no folder {}: make it, or name another ledger with --ledger", .0.display())]
    NoFolder(PathBuf),
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

pub(super) fn run(args: Args) -> Exit {
    let now = Timestamp::now();
    let done = match &args.command {
        Some(Command::Add(add)) => books(&add.place).map(|books| self::add(add, &books, now)),
        None => books(&args.place).map(|books| show(&args, &books, now)),
    };
    match done {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) | Err(Refused::Error(error)) => {
            output::error(&error.to_string());
            match error {
                Error::File { .. } => Exit::Environment,
                _ => Exit::Usage,
            }
        }
        Err(Refused::Project(problems)) => {
            output::problems(&problems);
            Exit::Usage
        }
    }
}

enum Refused {
    Project(scenario::Problems),
    Error(Error),
}

fn books(place: &Place) -> Result<Books, Refused> {
    let (project, file) = scenario::project(Path::new(".")).map_err(Refused::Project)?;
    let folder = file.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
    let ledger = place
        .ledger
        .clone()
        .unwrap_or_else(|| folder.join(&project.ledger.file));
    let name = place.time_zone.as_ref().unwrap_or(&project.ledger.time_zone);
    let zone = TimeZone::get(name).map_err(|_| Refused::Error(Error::Zone(name.clone())))?;
    Ok(Books {
        ledger,
        zone,
        project,
    })
}

fn file_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { doing, path, source }
}

/// The ledger, and what is wrong with its lines said aloud. One that is not there yet is empty.
fn read(books: &Books, now: Timestamp) -> Result<Ledger, Error> {
    let text = match std::fs::read(&books.ledger) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            output::note(&format!(
                "there is no {} yet: `firedrill budget add` begins it",
                books.ledger.display()
            ));
            String::new()
        }
        Err(error) => return Err(file_error("read", &books.ledger)(error)),
    };
    let ledger = Ledger::read(&text, now);
    for line in &ledger.unreadable {
        output::note(&format!(
            "{}:{}: left out: {}; the budget below misses it. Add the incident again, and keep the line",
            books.ledger.display(),
            line.line,
            line.why
        ));
    }
    Ok(ledger)
}

fn show(args: &Args, books: &Books, now: Timestamp) -> Result<Exit, Error> {
    let ledger = read(books, now)?;
    let terms = Terms {
        budget: books.project.budget,
        contract: args.contract.unwrap_or(books.project.contract),
        year: args.year.unwrap_or(books.project.ledger.year),
        zone: books.zone.clone(),
    };
    let account = terms.account(&ledger, now)?;
    output::print(&if args.json {
        serde_json::json!(account).to_string()
    } else if args.markdown {
        firedrill_report::budget_markdown(&account, &terms)
    } else {
        firedrill_report::budget(&account, &terms, output::colours())
    });
    Ok(match (account.runs_out, account.unreadable) {
        (RunsOut::Already, _) if args.check => Exit::Breached,
        (_, 1..) if args.check => Exit::Undecided,
        _ => Exit::AsStated,
    })
}

/// A time with its zone, or in the ledger's own.
fn time(text: &str, zone: &TimeZone) -> Result<Timestamp, Error> {
    if let Ok(at) = text.trim().parse::<Timestamp>() {
        return Ok(at);
    }
    let here = text
        .trim()
        .parse::<jiff::civil::DateTime>()
        .and_then(|at| zone.to_ambiguous_zoned_datetime(at).unambiguous());
    here.map(|at| at.timestamp()).map_err(|error| Error::Time {
        text: text.into(),
        why: error.to_string(),
        zone: zone.iana_name().unwrap_or("UTC").to_owned(),
    })
}

fn entry(add: &Add, zone: &TimeZone) -> Result<Entry, Error> {
    let at = |text: &Option<String>| text.as_deref().map(|text| time(text, zone)).transpose();
    let (start, end) = (at(&add.start)?, at(&add.end)?);
    let downtime = match (start, end) {
        (Some(start), Some(end)) => std::time::Duration::try_from(end.duration_since(start))
            .map(Span)
            .map_err(|_| Error::Backwards { start, end })?,
        _ => add.duration.unwrap_or_default(),
    };
    Ok(Entry {
        start,
        downtime,
        cause: add.cause.trim().to_owned(),
        link: add.link.clone(),
    })
}

fn add(add: &Add, books: &Books, now: Timestamp) -> Result<Exit, Error> {
    let entry = entry(add, &books.zone)?;
    entry.check(now)?;
    append(&books.ledger, &entry.line())?;
    output::note(&format!(
        "written down in {}: {}",
        books.ledger.display(),
        entry.line().trim_end()
    ));
    Ok(Exit::AsStated)
}

/// Adds a line, whole or not at all as far as a disk allows: under a lock, in one write, and on disk before it is said
/// to be. What is there is never touched; a line that was cut off before stays, on a line of its own.
fn append(path: &Path, line: &str) -> Result<(), Error> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Error::NoFolder(folder.to_owned()));
    }
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        file.lock()?;
        let mut text = String::new();
        if torn(&mut file)? {
            text.push('\n');
        }
        text.push_str(line);
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        File::open(folder)?.sync_all()
    };
    write().map_err(file_error("write to", path))
}

/// Whether the last line has no end.
fn torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
