//! The suite log: what one call of `firedrill run` planned, and the result of each drill.
//!
//! `run` appends a line as each drill ends; `merge` and `compare` read it. Run folders alone do not show which drills
//! were skipped, or which ones a killed shard never started.
//!
//! ```text
//! RUNS/call-ID.jsonl   first line: seed, backend, all scenarios of the suite, repeats, shard; then one line per drill
//! ```

use std::fs::File;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use firedrill_model::files::{self, FileError, Limit};
use firedrill_model::history::BackendKind;
use firedrill_model::json_lines;

/// The version of the file.
const FORMAT: u32 = 1;
/// A suite log's name is the call's id between these.
const NAME_BEGINS: &str = "call-";
const NAME_ENDS: &str = ".jsonl";
/// Half a million drills.
const LIMIT: Limit = Limit::new(64 << 20, "it is read whole");

/// A part of a suite: `2/4` is the second of four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Shard {
    /// Which part, from 1.
    pub(super) part: usize,
    /// Number of parts.
    pub(super) of: usize,
}

/// A text that is not a shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a shard; write 2/4 for the second of four")]
pub(super) struct InvalidShard(String);

impl FromStr for Shard {
    type Err = InvalidShard;

    fn from_str(text: &str) -> Result<Self, InvalidShard> {
        let shard = text.split_once('/').and_then(|(part, of)| {
            let (part, of) = (part.trim().parse().ok()?, of.trim().parse().ok()?);
            Some(Self { part, of })
        });
        shard
            .filter(|shard| 1 <= shard.part && shard.part <= shard.of && shard.of <= 1000)
            .ok_or_else(|| InvalidShard(text.into()))
    }
}

impl Shard {
    /// Whether the scenario at this index of the sorted suite belongs to the shard. Scenarios are dealt out in turn:
    /// neighbours by name take similar time, so every shard gets its share of the slow ones.
    pub(super) fn contains(self, index: usize) -> bool {
        index % self.of == self.part - 1
    }
}

/// What a call planned to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Suite {
    /// The version of the file.
    format: u32,
    /// The random seed.
    pub(super) seed: u64,
    /// Where the services run.
    #[serde(alias = "target")] // the key in files of older versions
    pub(super) backend: BackendKind,
    /// Every scenario of the suite, including those of other shards.
    pub(super) scenarios: Vec<String>,
    /// Repeats of each scenario.
    pub(super) repeat: u32,
    /// The shard that this call runs; none for the whole suite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shard: Option<Shard>,
}

impl Suite {
    pub(super) fn new(
        seed: u64,
        backend: BackendKind,
        scenarios: Vec<String>,
        repeat: u32,
        shard: Option<Shard>,
    ) -> Self {
        Self {
            format: FORMAT,
            seed,
            backend,
            scenarios,
            repeat,
            shard,
        }
    }

    /// The same suite without a shard: equal for all shards of one suite.
    pub(super) fn whole(&self) -> Self {
        Self {
            shard: None,
            ..self.clone()
        }
    }
}

/// One drill of a call, after it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DrillRecord {
    /// Its scenario.
    pub(super) scenario: String,
    /// Which repeat, from 1.
    pub(super) repeat: u32,
    /// Whether the scenario is a negative control.
    pub(super) control: bool,
    /// How it ended.
    #[serde(alias = "became")] // the key in files of older versions
    pub(super) result: DrillResult,
}

/// How a drill ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DrillResult {
    /// It was run: the id of its run folder.
    Run(String),
    /// The backend does not support it: why.
    Skipped(String),
    /// It could not be started: why.
    Failed(String),
}

/// Whether a file of this name is a suite log.
pub(super) fn is_suite_log(name: &str) -> bool {
    name.starts_with(NAME_BEGINS) && name.ends_with(NAME_ENDS)
}

/// A suite log, open for writing.
#[derive(Debug)]
pub(super) struct SuiteLog(Mutex<File>);

impl SuiteLog {
    /// Creates the log of a call, with its first line.
    ///
    /// # Errors
    /// When the folder or the file cannot be created.
    pub(super) fn create(runs: &Path, id: &str, suite: &Suite) -> io::Result<Self> {
        std::fs::create_dir_all(runs)?;
        let path = runs.join(format!("{NAME_BEGINS}{id}{NAME_ENDS}"));
        // `create_new`: two calls never share a log.
        let mut file = files::private().append(true).create_new(true).open(path)?;
        json_lines::append(&mut file, suite)?;
        Ok(Self(Mutex::new(file)))
    }

    /// Appends the result of a drill.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub(super) fn record(&self, record: &DrillRecord) -> io::Result<()> {
        // A drill that panicked while it held the lock left whole lines, or one torn line, which readers skip.
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        json_lines::append(&mut *file, record)
    }
}

/// A suite log cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogError {
    /// The file cannot be read.
    #[error("cannot read the file")]
    File(#[from] FileError),
    /// The first line is not that of a suite log.
    #[error("the first line does not describe a suite")]
    NotASuiteLog(#[source] serde_json::Error),
    /// A newer version wrote it.
    #[error("written by a newer Firedrill (format {0}; this one reads up to {FORMAT})")]
    Newer(u32),
}

/// Reads a suite log. A line that was cut off is passed over: its drill counts as not run.
///
/// # Errors
/// [`LogError`].
pub(super) fn read(path: &Path) -> Result<(Suite, Vec<DrillRecord>), LogError> {
    // Lossy: a line damaged by a full disk must not make the others unreadable.
    let text = String::from_utf8_lossy(&files::read(path, LIMIT)?).into_owned();
    let mut lines = text.lines();
    let suite: Suite =
        serde_json::from_str(lines.next().unwrap_or_default()).map_err(LogError::NotASuiteLog)?;
    if suite.format > FORMAT {
        return Err(LogError::Newer(suite.format));
    }
    let records = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ok((suite, records))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn invalid_shards_are_refused() {
        assert_eq!("2/4".parse(), Ok(Shard { part: 2, of: 4 }));
        for text in ["0/4", "5/4", "2", "", "/", "a/b", "1/0", "-1/4", "1/1001"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_scenario_is_in_one_shard_and_shards_differ_by_at_most_one(scenarios in 0usize..60, of in 1usize..9) {
            let shards: Vec<Shard> = (1..=of).map(|part| Shard { part, of }).collect();
            for index in 0..scenarios {
                prop_assert_eq!(shards.iter().filter(|shard| shard.contains(index)).count(), 1);
            }
            let sizes: Vec<usize> =
                shards.iter().map(|shard| (0..scenarios).filter(|index| shard.contains(*index)).count()).collect();
            let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            prop_assert!(most - least <= 1);
        }
    }

    #[test]
    fn a_log_reads_back_as_written_without_a_line_that_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let suite = Suite::new(
            7,
            "process".into(),
            vec!["a".into()],
            2,
            Some(Shard { part: 1, of: 2 }),
        );
        let log = SuiteLog::create(folder.path(), "x", &suite).unwrap();
        let record = DrillRecord {
            scenario: "a".into(),
            repeat: 1,
            control: false,
            result: DrillResult::Skipped("no".into()),
        };
        log.record(&record).unwrap();
        let path = folder.path().join("call-x.jsonl");
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"scenario\":\"a\",\"rep").unwrap();
        assert_eq!(read(&path).unwrap(), (suite, vec![record]));
    }
}
