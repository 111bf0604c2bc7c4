//! Reading a history, whole or cut off.

use std::collections::HashMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::plan::Plan;
use super::samples::SamplesError;
use super::{EVENTS, Event, FORMAT, History, LOAD, SAMPLES, Stamped, load, samples};
use crate::files::{self, FileError, Limit};
use crate::format;
use crate::sample::StreamId;

/// The longest line of an event, in bytes; a longer one is not read.
const LONGEST_LINE: u64 = 4 << 20;
/// Three million writes that are read back, at 80 bytes an event.
const EVENTS_LIMIT: Limit = Limit::new(256 << 20, "all events are held in memory");
/// Sixteen million samples: four and a half hours at 1000 a second.
const SAMPLES_LIMIT: Limit = Limit::new(512 << 20, "all samples are held in memory");
/// So many lines that cannot be read are named; those after them are counted.
const NAMED: usize = 100;

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A file of it is missing or cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: FileError,
    },
    /// Its first event is none.
    #[error("cannot read the history {}: damaged first line: {source}", path.display())]
    FirstEvent {
        /// The file.
        path: PathBuf,
        /// What is wrong with the line.
        source: serde_json::Error,
    },
    /// It does not begin with a `start` event.
    #[error("cannot read the history {}: its first event is not `start`", path.display())]
    NoStart {
        /// The file.
        path: PathBuf,
    },
    /// Its samples are none.
    #[error("cannot read the samples {}: {source}", path.display())]
    Samples {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SamplesError,
    },
    /// A later version wrote it.
    #[error("{} was written by a newer Firedrill (format {format}; this one reads up to {FORMAT})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
}

/// What this version cannot read of a history: its writer was cut off, its files were damaged, or it is newer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// The last line of the events, which was cut off.
    LastEvent,
    /// A line of the events that cannot be read.
    Event {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        error: String,
    },
    /// So many further lines of the events that cannot be read.
    Events(usize),
    /// The file of the samples.
    Samples,
    /// The last sample, which was cut off.
    LastSample,
    /// So many samples of a kind that this version does not know.
    UnknownSamples(usize),
    /// A requirement of the scenario that this version does not know, and cannot check.
    Requirement {
        /// Its key, with the tables that it is in.
        key: String,
    },
    /// The event that ends every whole history.
    End,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LastEvent => write!(f, "{EVENTS}: its last line was cut off"),
            Self::Event { line, error } => write!(f, "{EVENTS}: line {line} is left out: {error}"),
            Self::Events(lines) => write!(
                f,
                "{EVENTS}: {} left out: they cannot be read",
                format::count(*lines, "further line")
            ),
            Self::Samples => write!(f, "{SAMPLES} is missing"),
            Self::LastSample => write!(f, "{SAMPLES}: its last record was cut off"),
            Self::UnknownSamples(count) => write!(
                f,
                "{SAMPLES}: {count} records are of a kind this version does not know"
            ),
            Self::Requirement { key } => write!(
                f,
                "{EVENTS}: `{key}` requires what this version cannot check; use a newer Firedrill"
            ),
            Self::End => f.write_str("the drill was cut off before its end"),
        }
    }
}

fn file_error<E: Into<FileError>>(path: &Path) -> impl FnOnce(E) -> ReadError {
    let path = path.to_owned();
    move |source| ReadError::File {
        path,
        source: source.into(),
    }
}

/// Reads the history in a run folder.
///
/// # Errors
/// [`ReadError`]; a history that was cut off is no error: [`History::torn`] says what is missing.
pub fn read(folder: &Path) -> Result<History, ReadError> {
    let mut torn = Vec::new();
    // The events first: a newer format is refused before the samples are looked at.
    let events = read_events(&folder.join(EVENTS), &mut torn)?;
    let path = folder.join(EVENTS);
    let Some(Event::Start(start)) = events.first().map(|first| first.event.clone()) else {
        return Err(ReadError::NoStart { path });
    };
    let mut samples = read_samples(&folder.join(SAMPLES), &mut torn)?;
    let path = folder.join(LOAD);
    let load = load::read(&path).map_err(file_error(&path))?;
    let deadlines = deadlines(&start.plan, &events);
    load::excuse(&mut samples, &load, |stream| {
        deadlines.get(&stream).copied().unwrap_or_default()
    });
    if !events.iter().any(|e| matches!(e.event, Event::End { .. })) {
        torn.push(Missing::End);
    }
    let unknown = start.plan.scenario.unknown_requirements();
    torn.extend(unknown.into_iter().map(|key| Missing::Requirement { key }));
    let labels = labels(&events);
    Ok(History {
        start: *start,
        events,
        samples,
        load,
        labels,
        torn,
    })
}

/// The id of the run that a folder holds, as its history says: the same under every name that the folder may have. `None`
/// when the history does not say; [`read`] says why.
pub fn run_id(folder: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct Head {
        run: String,
    }
    let line = first_line(folder).ok()?;
    serde_json::from_slice(&line).ok().map(|Head { run }| run)
}

/// The first line of the events in a run folder, with its end; without one if it was cut off. Everything that only asks
/// what was run reads no more than this.
///
/// # Errors
/// When there is no such file, or it is none.
pub fn first_line(folder: &Path) -> Result<Vec<u8>, FileError> {
    let mut line = Vec::new();
    let file = files::open_regular(&folder.join(EVENTS))?;
    BufReader::new(file.take(LONGEST_LINE)).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// Each stream's deadline: that of its journey.
fn deadlines(plan: &Plan, events: &[Stamped]) -> HashMap<StreamId, Duration> {
    let streams = events.iter().filter_map(|event| match &event.event {
        Event::Stream { stream, journey, .. } => Some((*stream, journey)),
        _ => None,
    });
    let deadline = |name: &str| {
        let mut journeys = plan.system.journeys.iter();
        journeys
            .find(|journey| journey.name == name)
            .map(|journey| journey.deadline.0)
    };
    streams
        .filter_map(|(stream, journey)| Some((stream, deadline(journey)?)))
        .collect()
}

/// The texts in the order of their numbers, with the empty one in front.
fn labels(events: &[Stamped]) -> Vec<String> {
    let mut labels = vec![String::new()];
    for event in events {
        if let Event::Label { label, text } = &event.event {
            // Labels of a damaged history may have gaps.
            let at = usize::from(label.0);
            if labels.len() <= at {
                labels.resize(at + 1, String::new());
            }
            labels[at].clone_from(text);
        }
    }
    labels
}

/// Refuses a newer format before anything else of the line is read: what else it says may have any shape by then.
fn not_newer(line: &[u8], path: &Path) -> Result<(), ReadError> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    match serde_json::from_slice(line) {
        Ok(Head { format }) if format > FORMAT => Err(ReadError::Newer {
            path: path.to_owned(),
            format,
        }),
        _ => Ok(()),
    }
}

fn read_events(path: &Path, torn: &mut Vec<Missing>) -> Result<Vec<Stamped>, ReadError> {
    let mut lines = BufReader::new(files::open(path, EVENTS_LIMIT).map_err(file_error(path))?);
    let mut events = Vec::new();
    let mut line = Vec::new();
    let mut unnamed = 0;
    for number in 1.. {
        line.clear();
        let read = lines
            .by_ref()
            // A file without line ends would otherwise be read into memory as a whole.
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .map_err(file_error(path))?;
        if read == 0 {
            break;
        }
        if number == 1 {
            not_newer(&line, path)?;
        }
        match serde_json::from_slice(&line) {
            Ok(event) => events.push(event),
            // A file of nothing but line ends would fill the memory with what is missing.
            Err(_) if torn.len() >= NAMED => unnamed += 1,
            // A kill in the middle of a write leaves a line without its end.
            Err(_) if line.last() != Some(&b'\n') => torn.push(Missing::LastEvent),
            Err(source) if number == 1 => {
                return Err(ReadError::FirstEvent {
                    path: path.to_owned(),
                    source,
                });
            }
            Err(error) => torn.push(Missing::Event {
                line: number,
                error: error.to_string(),
            }),
        }
    }
    if unnamed > 0 {
        torn.push(Missing::Events(unnamed));
    }
    Ok(events)
}

fn read_samples(path: &Path, torn: &mut Vec<Missing>) -> Result<Vec<crate::sample::Sample>, ReadError> {
    let file = match files::open(path, SAMPLES_LIMIT) {
        Ok(file) => file,
        Err(error) if error.is_missing() => {
            torn.push(Missing::Samples);
            return Ok(Vec::new());
        }
        Err(error) => return Err(file_error(path)(error)),
    };
    let bytes = file.metadata().map_or(0, |meta| meta.len());
    // It may grow while it is read.
    let decoded = samples::read(file.take(SAMPLES_LIMIT.bytes), bytes, FORMAT)
        .map_err(file_error(path))?
        .map_err(|source| ReadError::Samples {
            path: path.to_owned(),
            source,
        })?;
    if decoded.cut > 0 {
        torn.push(Missing::LastSample);
    }
    if decoded.unreadable > 0 {
        torn.push(Missing::UnknownSamples(decoded.unreadable));
    }
    Ok(decoded.samples)
}
