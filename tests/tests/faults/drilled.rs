//! Drills of one's own: a system and scenarios in a folder, run by the real binary, and what became of each.

use std::collections::BTreeMap;
use std::path::PathBuf;

use firedrill::check::CheckId;
use firedrill::history::{self, Event, History};
use firedrill::judge::check::{FaultFound, Found};
use firedrill::{judge, measure};

use crate::stage::Kind;

/// A folder with a system and scenarios. Inside the workspace's target folder, so that its packages are found.
pub(crate) struct Folder(tempfile::TempDir);

/// What became of a drill.
pub(crate) struct Drilled {
    pub(crate) history: History,
    pub(crate) judgement: judge::Judgement,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    /// Puts a file there.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    /// Puts a scenario there: on a system of this folder, or of the workspace when it has a name of its own there.
    pub(crate) fn scenario(&self, name: &str, system: &str, body: &str) {
        let system = match self.0.path().join(system) {
            stored if stored.exists() => stored,
            _ => acceptance::workspace().join("scenarios/systems").join(system),
        };
        let head = format!(
            "summary = {name:?}\nsystem = {:?}\n",
            system.display().to_string()
        );
        let timing = "timing = { quiet = \"300ms\", settle = \"600ms\" }\n";
        self.write(&format!("{name}.toml"), &(head + timing + body));
    }

    fn scenarios(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.0.path()).unwrap().flatten();
        let is_scenario =
            |path: &PathBuf| std::fs::read_to_string(path).is_ok_and(|text| text.contains("\nsystem = "));
        files.map(|file| file.path()).filter(is_scenario).collect()
    }

    /// Runs all scenarios of the folder, and no other folder's meanwhile: the exit code with all that was said, and the
    /// drills by name.
    pub(crate) fn run(&self, kind: Kind) -> (acceptance::Ended, BTreeMap<String, Drilled>) {
        let runs = self.0.path().join("runs");
        let kind = kind.to_string();
        let mut args = vec![
            "run".to_owned(),
            "--backend".into(),
            kind,
            "--jobs".into(),
            "2".into(),
        ];
        args.extend(self.scenarios().iter().map(|path| path.display().to_string()));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let ended = acceptance::run_alone(&runs, &args);
        let drilled = acceptance::run_folders(&runs).into_iter().map(|folder| {
            let history = history::read(&folder).unwrap_or_else(|error| panic!("{error}\n{ended}"));
            let judgement = judge::judge(&history, &measure::measure(&history));
            (history.start.plan.name.clone(), Drilled { history, judgement })
        });
        let drilled = drilled.collect();
        (ended, drilled)
    }
}

impl Folder {
    /// A log of the drill of this name.
    pub(crate) fn log(&self, drill: &str, log: &str) -> String {
        let runs = acceptance::run_folders(&self.0.path().join("runs")).into_iter();
        let of_drill = |run: &PathBuf| history::read(run).is_ok_and(|run| run.start.plan.name == drill);
        let run = runs.into_iter().find(of_drill).unwrap();
        std::fs::read_to_string(run.join(history::LOGS).join(format!("{log}.log"))).unwrap()
    }
}

impl Drilled {
    /// What was found of the evidence for a step, and what follows from it.
    pub(crate) fn evidence(&self, step: usize) -> (judge::Verdict, &FaultFound) {
        let id = CheckId::EvidenceFault(step);
        let check = self.judgement.checks.iter().find(|check| check.id == id);
        let check = check.unwrap_or_else(|| panic!("no check is called {id}"));
        match &check.found {
            Found::Fault(found) => (check.verdict, found),
            other => panic!("{id}: {other}"),
        }
    }

    /// The statuses with which alerts were answered before a step was reverted, and from then on.
    pub(crate) fn alerts(&self, step: usize) -> [Vec<u16>; 2] {
        let mut answered = [Vec::new(), Vec::new()];
        let mut reverted = 0;
        for event in &self.history.events {
            match &event.event {
                Event::Alert { answered: status, .. } => answered[reverted].push(*status),
                Event::Reverted { step: at, .. } if *at == step => reverted = 1,
                _ => {}
            }
        }
        answered
    }
}
