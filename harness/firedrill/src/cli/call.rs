//! What one call of `firedrill run` was to do and did: a small file beside its run folders.
//!
//! Faces `run`, which appends a line as each drill ends, and `merge`, which puts the parts of a suite together: from
//! run folders alone nobody could tell what was skipped, and what a killed shard never came to.
//!
//! ```text
//! RUNS/call-ID.jsonl   the first line: seed, backend, all scenarios of the suite, repeats, shard; then a line a drill
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// The version of the file.
const FORMAT: u32 = 1;

/// A part of a suite: `2/4` is the second of four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Shard {
    /// Which, from 1.
    pub(super) part: usize,
    /// Of how many.
    pub(super) of: usize,
}

/// What is wrong with a shard's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no part of a suite; the second of four is 2/4")]
pub(super) struct NoShard(String);

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        let shard = text.split_once('/').and_then(|(part, of)| {
            let (part, of) = (part.trim().parse().ok()?, of.trim().parse().ok()?);
            Some(Self { part, of })
        });
        shard
            .filter(|shard| 1 <= shard.part && shard.part <= shard.of && shard.of <= 1000)
            .ok_or_else(|| NoShard(text.into()))
    }
}

impl Shard {
    /// Whether the scenario at this place of the sorted suite belongs to the shard: dealt out like cards, so that
    /// neighbours, which are alike, go to different machines.
    pub(super) fn holds(self, place: usize) -> bool {
        place % self.of == self.part - 1
    }
}

/// What a call was to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ordered {
    /// The version of the file.
    format: u32,
    /// What every random choice derives from.
    pub(super) seed: u64,
    /// Where the services run.
    #[serde(alias = "target")] // files of older versions
    pub(super) backend: String,
    /// Every scenario of the suite, those of other shards included.
    pub(super) scenarios: Vec<String>,
    /// How often each is run.
    pub(super) repeat: u32,
    /// The part of the suite that this call runs; all of it without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shard: Option<Shard>,
}

impl Ordered {
    pub(super) fn new(
        seed: u64,
        backend: String,
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

    /// What all parts of one suite have in common.
    pub(super) fn suite(&self) -> Self {
        Self {
            shard: None,
            ..self.clone()
        }
    }
}

/// How one drill of a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Done {
    /// Its scenario.
    pub(super) scenario: String,
    /// Which repeat, from 1.
    pub(super) repeat: u32,
    /// Whether the scenario is a control.
    pub(super) control: bool,
    /// What became of it.
    pub(super) became: Became,
}

/// What became of a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Became {
    /// It was run: the id of its run folder.
    Run(String),
    /// The backend cannot do it: why.
    Skipped(String),
    /// It could not be started: why.
    Failed(String),
}

/// The file while it is written.
#[derive(Debug)]
pub(super) struct Record(Mutex<File>);

impl Record {
    /// Begins the file of a call.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn begin(runs: &Path, id: &str, ordered: &Ordered) -> io::Result<Self> {
        std::fs::create_dir_all(runs)?;
        let path = runs.join(format!("call-{id}.jsonl"));
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        let record = Self(Mutex::new(file));
        record.line(ordered)?;
        Ok(record)
    }

    /// Writes down how a drill ended.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(super) fn done(&self, done: &Done) -> io::Result<()> {
        self.line(done)
    }

    fn line(&self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write_all(&line)
    }
}

/// Why a call's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// It cannot be read.
    #[error("cannot read: {0}")]
    File(#[from] io::Error),
    /// It is not a call's file.
    #[error("its first line does not say what was to be run: {0}")]
    NotOne(serde_json::Error),
    /// It was written by a later version.
    #[error("it is of format {0}; this firedrill reads up to {FORMAT}: use a newer one")]
    Newer(u32),
}

/// Reads a call's file. Lines that were cut off are left out: their drills then count as not run.
///
/// # Errors
/// [`Unusable`].
pub(super) fn read(path: &Path) -> Result<(Ordered, Vec<Done>), Unusable> {
    let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
    let mut lines = text.lines();
    let ordered: Ordered =
        serde_json::from_str(lines.next().unwrap_or_default()).map_err(Unusable::NotOne)?;
    if ordered.format > FORMAT {
        return Err(Unusable::Newer(ordered.format));
    }
    let done = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ok((ordered, done))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_part_of_a_suite_is_refused() {
        assert_eq!("2/4".parse(), Ok(Shard { part: 2, of: 4 }));
        for text in ["0/4", "5/4", "2", "", "/", "a/b", "1/0", "-1/4", "1/1001"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_scenario_is_in_exactly_one_shard_and_shards_are_of_one_size(scenarios in 0usize..60, of in 1usize..9) {
            let shards: Vec<Shard> = (1..=of).map(|part| Shard { part, of }).collect();
            for place in 0..scenarios {
                prop_assert_eq!(shards.iter().filter(|shard| shard.holds(place)).count(), 1);
            }
            let sizes: Vec<usize> =
                shards.iter().map(|shard| (0..scenarios).filter(|place| shard.holds(*place)).count()).collect();
            let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            prop_assert!(most - least <= 1);
        }
    }

    #[test]
    fn a_call_reads_back_as_written_and_without_a_line_that_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let ordered = Ordered::new(
            7,
            "process".into(),
            vec!["a".into()],
            2,
            Some(Shard { part: 1, of: 2 }),
        );
        let record = Record::begin(folder.path(), "x", &ordered).unwrap();
        let done = Done {
            scenario: "a".into(),
            repeat: 1,
            control: false,
            became: Became::Skipped("no".into()),
        };
        record.done(&done).unwrap();
        let path = folder.path().join("call-x.jsonl");
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"scenario\":\"a\",\"rep").unwrap();
        assert_eq!(read(&path).unwrap(), (ordered, vec![done]));
    }
}
