//! A suite that the real binary has run: the result of each of its drills.
//!
//! Takes the run folders and the suite log; gives the tests what they compare with snapshots. Printed text is shown when
//! a test fails and never searched: a word in it proves nothing.

use std::collections::BTreeMap;
use std::path::Path;

use firedrill::history::{self, History};
use firedrill::judge::{self, Judgement};
use firedrill::measure::{self, Measured};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::Ended;

/// A drill that left a history.
pub struct Run {
    /// What happened.
    pub history: History,
    /// What it comes to.
    pub measured: Measured,
    /// How that is judged.
    pub judgement: Judgement,
}

/// What became of a drill.
enum Drill {
    Ran(Box<Run>),
    Skipped,
    Lost(String),
}

/// All drills of one call of `firedrill run`.
pub struct Suite {
    drills: BTreeMap<String, Drill>,
    code: Option<i32>,
    printed: String,
}

/// Why a scenario has no run, and everything that the call printed.
#[derive(Debug, thiserror::Error)]
#[error("{cause}\n{printed}")]
pub struct NoRun {
    cause: Cause,
    printed: String,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    /// The exit code does not follow from the drills.
    #[error("the exit code of the suite does not follow from its drills")]
    Unexplained,
    /// The drill left no history that can be read; why.
    #[error("{0}")]
    Failed(String),
    /// The suite log does not have it.
    #[error("the suite log has no such scenario")]
    Missing,
}

/// A line of a call's file.
#[derive(Deserialize)]
struct Done {
    scenario: String,
    result: Became,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Became {
    Run(String),
    Skipped(IgnoredAny),
    Failed(String),
}

impl Suite {
    /// Reads what a call left in its folder.
    pub fn read(runs: &Path, ended: &Ended) -> Self {
        let drills = calls(runs).into_iter().map(|done| {
            let drill = match done.result {
                Became::Run(id) => ran(&runs.join(id)),
                Became::Skipped(_) => Drill::Skipped,
                Became::Failed(why) => Drill::Lost(why),
            };
            (done.scenario, drill)
        });
        Self {
            drills: drills.collect(),
            code: ended.code,
            printed: ended.to_string(),
        }
    }

    /// A scenario's run; none when the backend cannot do what the scenario needs.
    ///
    /// # Errors
    /// [`NoRun`], with everything that the call printed.
    pub fn run(&self, scenario: &str) -> Result<Option<&Run>, NoRun> {
        let failed = |cause| {
            let printed = self.printed.clone();
            Err(NoRun { cause, printed })
        };
        if !self.is_explained() {
            return failed(Cause::Unexplained);
        }
        match self.drills.get(scenario) {
            Some(Drill::Ran(run)) => Ok(Some(run)),
            Some(Drill::Skipped) => Ok(None),
            Some(Drill::Lost(why)) => failed(Cause::Failed(why.clone())),
            None => failed(Cause::Missing),
        }
    }

    /// Whether what became of the drills is why the call ended as it did.
    fn is_explained(&self) -> bool {
        const AS_EXPECTED: i32 = 0;
        const BREACHED: i32 = 1;
        const UNDECIDED: i32 = 3;
        const ENVIRONMENT: i32 = 4;
        let amiss = |drill: &Drill| match drill {
            Drill::Ran(run) => !run.judgement.as_expected(),
            Drill::Skipped => false,
            Drill::Lost(_) => true,
        };
        let mut drills = self.drills.values();
        match self.code {
            Some(AS_EXPECTED) => true,
            // A suite of which every drill was skipped proves nothing, and says so by its exit code.
            Some(UNDECIDED) if drills.clone().all(|drill| matches!(drill, Drill::Skipped)) => true,
            // The exit code must follow from some drill: otherwise the suite failed by itself.
            Some(BREACHED | UNDECIDED | ENVIRONMENT) => drills.any(amiss),
            _ => false,
        }
    }
}

fn ran(folder: &Path) -> Drill {
    match history::read(folder) {
        Err(error) => Drill::Lost(error.to_string()),
        Ok(history) => {
            let measured = measure::measure(&history);
            let judgement = judge::judge(&history, &measured);
            Drill::Ran(Box::new(Run {
                history,
                measured,
                judgement,
            }))
        }
    }
}

/// How the drills ended, as the call wrote it down.
fn calls(runs: &Path) -> Vec<Done> {
    let files = std::fs::read_dir(runs).into_iter().flatten().flatten();
    let texts = files
        .map(|entry| entry.path())
        // Run folders lie beside the suite logs.
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .filter_map(|path| std::fs::read_to_string(path).ok());
    let done = |text: String| {
        // A suite log begins with lines of another kind.
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        lines.collect::<Vec<Done>>()
    };
    texts.flat_map(done).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    /// A folder of runs: a call's file with these lines, and one stored history that ended as expected.
    fn runs(lines: &[&str]) -> tempfile::TempDir {
        let runs = tempfile::tempdir().unwrap();
        let stored =
            workspace().join("harness/firedrill/tests/fixtures/histories/format-1/wrong-json-loader");
        let folder = runs.path().join("stored");
        std::fs::create_dir(&folder).unwrap();
        for file in [history::EVENTS, history::SAMPLES] {
            std::fs::copy(stored.join(file), folder.join(file)).unwrap();
        }
        std::fs::write(runs.path().join("call-1.jsonl"), lines.join("\n")).unwrap();
        runs
    }

    fn ended(code: Option<i32>) -> Ended {
        Ended {
            code,
            out: "skipped   b\nunsupported".into(),
            err: String::new(),
        }
    }

    const RAN: &str = r#"{"scenario":"a","repeat":1,"control":true,"result":{"run":"stored"}}"#;
    const SKIPPED: &str = r#"{"scenario":"b","repeat":1,"control":false,"result":{"skipped":"no"}}"#;
    const FAILED: &str = r#"{"scenario":"c","repeat":1,"control":false,"result":{"failed":"no cc"}}"#;

    #[test]
    fn only_what_the_call_wrote_down_as_skipped_is_skipped() {
        let runs = runs(&[RAN, SKIPPED]);
        let suite = Suite::read(runs.path(), &ended(Some(0)));
        assert!(suite.run("a").unwrap().is_some());
        assert!(suite.run("b").unwrap().is_none());
        let lost = suite.run("unknown").map(|_| ()).unwrap_err();
        assert!(lost.to_string().contains("unsupported"), "{lost}");
    }

    #[test]
    fn a_call_that_no_drill_explains_fails_every_test() {
        let runs = runs(&[RAN, SKIPPED]);
        for code in [Some(1), Some(2), Some(3), Some(4), Some(5), Some(130), None] {
            let suite = Suite::read(runs.path(), &ended(code));
            assert!(suite.run("a").is_err() && suite.run("b").is_err(), "{code:?}");
        }
    }

    #[test]
    fn a_drill_that_could_not_start_fails_alone() {
        let runs = runs(&[RAN, FAILED]);
        let suite = Suite::read(runs.path(), &ended(Some(4)));
        assert!(suite.run("a").is_ok());
        let failed = suite.run("c").map(|_| ()).unwrap_err();
        assert!(matches!(failed.cause, Cause::Failed(why) if why.contains("no cc")));
    }

    #[test]
    fn a_call_that_skipped_all_it_was_asked_for_is_explained() {
        let runs = runs(&[SKIPPED]);
        assert!(Suite::read(runs.path(), &ended(Some(3))).run("b").is_ok());
    }

    #[test]
    fn a_run_whose_history_is_gone_is_not_held() {
        let runs = runs(&[RAN]);
        std::fs::remove_file(runs.path().join("stored").join(history::EVENTS)).unwrap();
        for code in [0, 4] {
            assert!(Suite::read(runs.path(), &ended(Some(code))).run("a").is_err());
        }
    }
}
