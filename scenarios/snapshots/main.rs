//! Every scenario, run by the real binary, must end as expected and agree with its snapshot. One test per scenario and
//! backend, `process::NAME` and `docker::NAME`: each can be filtered, run and reviewed alone.
//!
//! All selected scenarios run in one call of `firedrill run`, started by the first test. `docs/snapshots.md` says how to
//! add and review a snapshot.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::panic;
use std::sync::{Arc, OnceLock};

use acceptance::Kind;
use acceptance::snapshots::{self, Snapshot};
use acceptance::suite::Suite;
use acceptance::trials;
use firedrill::Plan;
use firedrill::history::{Event, History, Phase, Stamped};
use firedrill::{fault, report, scenario};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// The scenarios that every test run also compares in containers: one of each kind. The others run at night, and with
/// `-- --include-ignored docker::`.
const IN_CONTAINERS: [&str; 9] = [
    "killed-v3",
    "link-to-the-live-slot-refused",
    "network-reset",
    "release-caught-in-staging",
    "release-good",
    "release-rolled-back",
    "store-truncated-v3",
    "wrong-json-loader",
    "wrong-json-loader-on-v3",
];

fn main() {
    let args = Arguments::from_args();
    let paths = scenario::find(&[], &acceptance::workspace()).unwrap_or_default();
    let plans = match scenario::load_all(&paths, &fault::catalogue()) {
        Ok(plans) => plans,
        Err(problems) => panic!("{problems:?}"),
    };
    let mut trials = Vec::new();
    for kind in [Kind::Process, Kind::Docker] {
        let missing: Vec<_> = plans.iter().map(|plan| missing(kind, plan)).collect();
        let wanted = plans.iter().zip(&missing).filter(|(plan, missing)| {
            is_wanted(&args, &name(kind, plan)) && (args.include_ignored || args.ignored || missing.is_none())
        });
        let names = wanted.map(|(plan, _)| plan.name.clone());
        let suite = Arc::new(Asked::new(kind, names.collect()));
        trials.extend(plans.iter().zip(missing).map(|(plan, missing)| {
            let (suite, scenario) = (Arc::clone(&suite), plan.name.clone());
            Trial::ignorable_test(name(kind, plan), move || suite.check(&scenario))
                .with_ignored_flag(missing.is_some())
        }));
    }
    libtest_mimic::run(&args, trials).exit();
}

/// Why a scenario is ignored on a backend unless it is asked for.
fn missing(kind: Kind, plan: &Plan) -> Option<String> {
    if !usual(kind, plan) {
        return Some("only at night".into());
    }
    trials::missing(kind, plan.faults.iter().flat_map(|fault| fault.needs()))
}

#[expect(clippy::print_stderr, reason = "the report of a difference")]
fn eprintln_once(text: &str) {
    eprintln!("{text}");
}

/// Whether a scenario runs on a backend without `--include-ignored`.
fn usual(kind: Kind, plan: &Plan) -> bool {
    kind == Kind::Process || IN_CONTAINERS.contains(&plan.name.as_str())
}

fn name(kind: Kind, plan: &Plan) -> String {
    format!("{kind}::{}", plan.name)
}

/// Whether the arguments select a test.
fn is_wanted(args: &Arguments, name: &str) -> bool {
    let fits = |filter: &String| {
        if args.exact {
            name == filter
        } else {
            name.contains(filter.as_str())
        }
    };
    args.filter.as_ref().is_none_or(fits) && !args.skip.iter().any(fits)
}

/// The selected scenarios of one backend, and their results once they have run.
struct Asked {
    kind: Kind,
    names: Vec<String>,
    ran: OnceLock<Suite>,
}

impl Asked {
    fn new(kind: Kind, names: Vec<String>) -> Self {
        let ran = OnceLock::new();
        Self { kind, names, ran }
    }

    /// Runs all of them, once.
    fn ran(&self) -> &Suite {
        self.ran.get_or_init(|| {
            let runs = tempfile::tempdir().unwrap();
            let kind = self.kind.to_string();
            // Fewer at once than usual, and containers one by one: a test run also builds images and keeps disks busy,
            // which disturbs what is measured.
            let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            let jobs = match self.kind {
                Kind::Process => cores * 2,
                _ => 1,
            };
            let jobs = jobs.to_string();
            let mut args = vec!["run", "--backend", &kind, "--jobs", &jobs];
            args.extend(self.names.iter().map(String::as_str));
            let ended = acceptance::run_alone(runs.path(), &args);
            Suite::read(runs.path(), &ended)
        })
    }

    /// One scenario must end as expected and agree with its snapshot. An unexpected drill is compared too: the difference
    /// helps its reviewer.
    fn check(&self, name: &str) -> Result<Completion, Failed> {
        let Some(run) = self.ran().run(name)? else {
            return Ok(Completion::ignored_with(
                "this backend cannot do what the scenario needs",
            ));
        };
        if let Some(step) = reverted_too_early(&run.history) {
            return Err(format!("{name}: step {} was reverted before read-back", step + 1).into());
        }
        let snapshot = Snapshot::of(self.kind, name)?;
        let text = snapshot.text(&run.history, &run.measured, &run.judgement);
        let compared = panic::catch_unwind(|| compare(&snapshot, &text));
        snapshots::record_compared(self.kind, name)?;
        let report = || {
            let (measured, judgement) = (run.measured.clone(), run.judgement.clone());
            let story = report::DrillReport::new(&run.history, measured, judgement, Vec::new());
            report::terminal(&story, 120, false)
        };
        if !run.judgement.as_expected() {
            let differs = if compared.is_err() {
                " and differs from its snapshot"
            } else {
                ""
            };
            return Err(format!("{name} ended unexpectedly{differs}\n{}", report()).into());
        }
        if snapshot.accepted.as_deref() != Some(text.as_str()) {
            // For the reviewer of the difference.
            eprintln_once(&report());
        }
        match compared {
            Ok(()) => Ok(Completion::Completed),
            // insta has printed the difference.
            Err(panic) => panic::resume_unwind(panic),
        }
    }
}

/// A step without an end that was reverted before the writes had been read back: the harness must look before it puts
/// anything right.
fn reverted_too_early(history: &History) -> Option<usize> {
    let collect = |event: &Stamped| {
        matches!(
            event.event,
            Event::Phase {
                phase: Phase::Collect
            }
        )
    };
    let before = history.events.iter().take_while(|event| !collect(event));
    let mut reverted = before.filter_map(|event| match event.event {
        Event::Reverted { step, .. } | Event::NotReverted { step, .. } => Some(step),
        _ => None,
    });
    let steps = &history.start.plan.scenario.steps;
    reverted.find(|step| steps[*step].lasting.is_none())
}

/// Compares a text with its snapshot. insta writes a new one beside it, for `cargo insta review`.
fn compare(snapshot: &Snapshot, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&snapshot.folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    if let Some(why) = &snapshot.why {
        settings.set_description(format!("differs from the other backend's snapshot: {why}"));
    }
    settings.bind(|| insta::assert_snapshot!(snapshot.name.clone(), text));
}
