//! Made-up run folders: what `run` would have stored, without running anything.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use firedrill::history::{Event, FORMAT, Phase, Stamped, Start, Writer};
use firedrill::sample::{Bad, Clock, Label, Labels, Micros, Mode, Outcome, Sample, StreamId};
use serde_json::{Value, json};

/// One made-up drill.
#[derive(Debug, Clone)]
pub(crate) struct Drill {
    pub(crate) scenario: &'static str,
    pub(crate) repeat: (u32, u32),
    /// Answers are bad for so many milliseconds, from the first second on.
    pub(crate) down: u64,
    /// It is still bad when the drill ends.
    pub(crate) still_down: bool,
    /// Times a year.
    pub(crate) per_year: Option<f64>,
    /// The wall clock at its start.
    pub(crate) wall: String,
    /// At most this much downtime is expected.
    pub(crate) at_most: &'static str,
    /// An outage that is still down at the end costs this.
    pub(crate) manual_recovery: Option<&'static str>,
    /// It must breach.
    pub(crate) control: bool,
    /// Every journey was good before the first step.
    pub(crate) steady: bool,
    /// What ended it before its time.
    pub(crate) error: Option<&'static str>,
}

pub(crate) fn drill(scenario: &'static str, down: u64) -> Drill {
    Drill {
        scenario,
        repeat: (1, 1),
        down,
        still_down: false,
        per_year: None,
        wall: "2026-01-01T00:00:00Z".into(),
        at_most: "2s",
        manual_recovery: Some("23m"),
        control: false,
        steady: true,
        error: None,
    }
}

/// How long a made-up drill is judged.
const WINDOW: u64 = 5000;

impl Drill {
    /// Stores it below `runs`; returns its id.
    pub(crate) fn store(&self, runs: &Path) -> String {
        let at = self.wall.replace([':', '-', 'T', 'Z', '.'], "");
        let id = format!("{at}-{}-{}-{}", self.scenario, self.repeat.0, self.down);
        let folder = runs.join(&id);
        std::fs::create_dir_all(&folder).unwrap();
        let mut writer = Writer::create(&folder, Clock::start(), Labels::default()).unwrap();
        for at in (0..WINDOW + 500).step_by(5) {
            writer.sample(&self.sample(at)).unwrap();
        }
        writer.flush().unwrap();
        let lines = self.events(&id).into_iter().map(|(at, event)| {
            let at = Micros(at * 1000);
            serde_json::to_string(&Stamped { at, event }).unwrap() + "\n"
        });
        std::fs::write(folder.join("events.jsonl"), lines.collect::<String>()).unwrap();
        id
    }

    fn sample(&self, at: u64) -> Sample {
        let (from, until) = (1500, 1500 + self.down);
        let bad = self.down > 0 && at >= from && (self.still_down || at < until);
        let due = Micros(at * 1000);
        let ended = due + Duration::from_millis(1);
        Sample {
            stream: StreamId(0),
            due,
            sent: due,
            first: ended,
            ended,
            outcome: if bad {
                Outcome::Bad(Bad::Refused)
            } else {
                Outcome::Good
            },
            status: if bad { 0 } else { 200 },
            release: Label::NONE,
            rung: Label::NONE,
            reconnected: false,
        }
    }

    fn events(&self, id: &str) -> Vec<(u64, Event)> {
        let start = Start {
            format: FORMAT,
            version: "0".into(),
            run: id.into(),
            wall: self.wall.clone(),
            seed: 7,
            backend: "process".into(),
            place: "here".into(),
            repeat: self.repeat,
            plan: serde_json::from_value(self.plan()).unwrap(),
        };
        let phase = |phase| Event::Phase { phase };
        vec![
            (0, Event::Start(Box::new(start))),
            (
                0,
                Event::Stream {
                    stream: StreamId(0),
                    journey: "get".into(),
                    mode: Mode::New,
                    rate: 200.0,
                },
            ),
            (
                400,
                Event::Steady {
                    good: self.steady,
                    evidence: "made up".into(),
                },
            ),
            (500, phase(Phase::Steps)),
            (WINDOW + 500, phase(Phase::ReadBack)),
            (WINDOW + 500, phase(Phase::Done)),
            (
                WINDOW + 500,
                Event::End {
                    interrupted: false,
                    error: self.error.map(str::to_owned),
                },
            ),
        ]
    }

    fn plan(&self) -> Value {
        let mut scenario = json!({
            "summary": "made up", "system": "system.toml",
            "expect": { "downtime": { "at_most": self.at_most } },
        });
        if let Some(times) = self.per_year {
            scenario["per_year"] = json!({ "times": times, "because": "made up" });
        }
        if let Some(price) = self.manual_recovery {
            scenario["manual_recovery"] = json!(price);
        }
        if self.control {
            scenario["control"] = json!({ "because": "made up", "breaches": ["downtime"] });
        }
        let request = json!({ "path": "/" });
        let journey =
            json!({ "name": "get", "rate": "200/s", "request": request, "answer": { "status": 200 } });
        json!({
            "name": self.scenario,
            "scenario": scenario,
            "system": {
                "summary": "one service",
                "service": { "app": { "build": { "image": "app" }, "port": 80 } },
                "journey": [journey],
            },
            "project": {},
        })
    }
}

/// Writes the file of a call that ran these drills.
pub(crate) fn call(
    runs: &Path,
    suite: &[&str],
    repeat: u32,
    shard: Option<(usize, usize)>,
    done: &[(&Drill, Value)],
) {
    let mut ordered =
        json!({ "format": 1, "seed": 7, "target": "process", "scenarios": suite, "repeat": repeat });
    if let Some((part, of)) = shard {
        ordered["shard"] = json!({ "part": part, "of": of });
    }
    let mut text = format!("{ordered}\n");
    for (drill, became) in done {
        let line = json!({
            "scenario": drill.scenario, "repeat": drill.repeat.0, "control": drill.control, "became": became,
        });
        text.push_str(&format!("{line}\n"));
    }
    std::fs::create_dir_all(runs).unwrap();
    std::fs::write(runs.join("call-x.jsonl"), text).unwrap();
}

/// Runs the binary in a folder.
pub(crate) fn firedrill(folder: &Path, args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(args)
        .current_dir(folder)
        .env_remove("FIREDRILL_RUNS")
        .output()
        .unwrap();
    Ran {
        args: args.join(" "),
        folder: folder.to_owned(),
        output,
    }
}

/// What a call of the binary came to.
pub(crate) struct Ran {
    args: String,
    folder: PathBuf,
    output: Output,
}

impl Ran {
    /// Its standard output, if it ended with this code; everything there is to see otherwise.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> String {
        assert_eq!(self.output.status.code(), Some(code), "{}", self.text());
        let out = String::from_utf8_lossy(&self.output.stdout).into_owned();
        assert_eq!(
            crate::plain_english::avoided(&out),
            None,
            "firedrill {}",
            self.args
        );
        out
    }

    /// Its standard error, if it refused its arguments or files.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        assert_eq!(self.output.status.code(), Some(2), "{}", self.text());
        self.errors()
    }

    pub(crate) fn errors(&self) -> String {
        let errors = String::from_utf8_lossy(&self.output.stderr).into_owned();
        assert_eq!(
            crate::plain_english::avoided(&errors),
            None,
            "firedrill {}",
            self.args
        );
        errors
    }

    fn text(&self) -> String {
        let (out, error) = (
            String::from_utf8_lossy(&self.output.stdout),
            String::from_utf8_lossy(&self.output.stderr),
        );
        format!(
            "firedrill {} in {}\n--- out\n{out}--- error\n{error}",
            self.args,
            self.folder.display()
        )
    }
}
