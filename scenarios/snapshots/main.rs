//! Every scenario, run by the real binary, must end as expected and match its snapshot: one test for each scenario and
//! backend, `process::NAME` and `docker::NAME`, so that each can be filtered, run and reviewed alone.
//!
//! All selected scenarios run in one call, side by side, when the first of them is checked. `docs/snapshots.md` says how a
//! snapshot is added and reviewed.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::panic;
use std::sync::{Arc, OnceLock};

use acceptance::Kind;
use acceptance::snapshots::{self, Snapshot};
use acceptance::suite::Suite;
use firedrill::Plan;
use firedrill::{fault, report, scenario};
use libtest_mimic::{Arguments, Failed, Trial};

/// The scenarios that every test run also runs in containers: one of each kind. The others run at night, or on request:
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
        let wanted = plans.iter().filter(|plan| {
            is_wanted(&args, &name(kind, plan)) && (args.include_ignored || args.ignored || usual(kind, plan))
        });
        let suite = Arc::new(Asked::new(kind, wanted.map(|plan| plan.name.clone()).collect()));
        // Looked for only when it is needed: listing tests asks nobody.
        let no_engine = (kind == Kind::Docker && !args.list && !suite.names.is_empty())
            .then(acceptance::no_engine)
            .flatten();
        if let Some(why) = &no_engine {
            eprintln_once(&format!("docker::* are skipped: {why}"));
        }
        trials.extend(plans.iter().map(|plan| {
            let (suite, scenario) = (Arc::clone(&suite), plan.name.clone());
            Trial::test(name(kind, plan), move || suite.check(&scenario))
                .with_ignored_flag(no_engine.is_some() || !usual(kind, plan))
        }));
    }
    libtest_mimic::run(&args, trials).exit();
}

#[expect(clippy::print_stderr, reason = "a skipped tier says why")]
fn eprintln_once(text: &str) {
    eprintln!("{text}");
}

/// Whether a scenario runs on a backend by default.
fn usual(kind: Kind, plan: &Plan) -> bool {
    kind == Kind::Process || IN_CONTAINERS.contains(&plan.name.as_str())
}

fn name(kind: Kind, plan: &Plan) -> String {
    format!("{kind}::{}", plan.name)
}

/// Whether the arguments ask for a test: what is not asked for is not run.
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
            // Fewer side by side than usual, and containers one by one: in a test run images are built and disks are busy,
            // and whoever is measured meanwhile is not to be disturbed.
            let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            let jobs = match self.kind {
                Kind::Docker => 1,
                Kind::Process => cores * 2,
            };
            let jobs = jobs.to_string();
            let mut args = vec!["run", "--backend", &kind, "--jobs", &jobs];
            args.extend(self.names.iter().map(String::as_str));
            let ended = acceptance::run_alone(runs.path(), &args);
            Suite::read(runs.path(), &ended)
        })
    }

    /// One scenario: it matches its snapshot, and ended as expected. An unexpected one is compared, too: that is when a
    /// reviewer wants to see what has changed.
    fn check(&self, name: &str) -> Result<(), Failed> {
        let Some(run) = self.ran().run(name)? else {
            return Ok(());
        };
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
            // A reviewer of the difference wants to see the run behind it.
            eprintln_once(&report());
        }
        compared.map_err(|panic| panic::resume_unwind(panic))
    }
}

/// Compares a text with its snapshot; insta writes a new one beside it, for `cargo insta review`.
fn compare(snapshot: &Snapshot, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&snapshot.folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    if let Some(why) = &snapshot.why {
        settings.set_description(format!("differs from the other backend: {why}"));
    }
    settings.bind(|| insta::assert_snapshot!(snapshot.name.clone(), text));
}
