//! Tests that cannot run everywhere: they need a container engine, or a right that this machine does not give.
//!
//! Takes async test functions and what they lack here; gives trials for libtest-mimic. A test that lacks something is
//! reported as ignored, with `cargo test` and with nextest, and never as passed. nextest decides that when it lists the
//! tests: what is known to be missing must be known by then.

use std::cell::Cell;
use std::future::Future;
use std::sync::{Arc, OnceLock};

use firedrill::backend::{self, Backend, Capability, Kind};
use libtest_mimic::{Arguments, Completion, Trial};
use tokio::runtime::{Builder, Runtime};

thread_local! {
    /// Why the test that runs on this thread ended early.
    static SKIPPED: Cell<Option<String>> = const { Cell::new(None) };
}

/// Reports the running test as ignored when it returns. For what only the test itself can find out.
pub fn skip(why: &str) {
    SKIPPED.set(Some(why.to_owned()));
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// The first of these needs that a backend does not meet here, in words; a missing container engine before all others.
pub fn missing(kind: Kind, needs: impl IntoIterator<Item = Capability>) -> Option<String> {
    static BACKENDS: [OnceLock<Arc<dyn Backend>>; 2] = [OnceLock::new(), OnceLock::new()];
    if kind == Kind::Docker
        && let Some(why) = crate::no_engine()
    {
        return Some(why);
    }
    // Only asked what it can do: nothing is created.
    let backend = BACKENDS[kind as usize].get_or_init(|| {
        let folder = std::env::temp_dir();
        let opened = backend::open(kind, "capabilities", &folder);
        runtime().block_on(opened).unwrap()
    });
    needs
        .into_iter()
        .find_map(|need| backend.can(need).err())
        .map(|why| why.to_string())
}

/// One test. It is ignored when something is `missing`.
pub fn trial<Running: Future<Output = ()>>(
    name: impl Into<String>,
    missing: Option<String>,
    test: impl FnOnce() -> Running + Send + 'static,
) -> Trial {
    let run = move || {
        // The test stays on this thread, so that `skip` finds its own test's note.
        runtime().block_on(test());
        Ok(match SKIPPED.take() {
            None => Completion::Completed,
            Some(reason) => Completion::Ignored { reason: Some(reason) },
        })
    };
    Trial::ignorable_test(name, run).with_ignored_flag(missing.is_some())
}

/// Runs the trials as the command line asks, and ends the process.
pub fn run(trials: Vec<Trial>) -> ! {
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}
