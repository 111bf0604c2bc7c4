//! A machine that others hold: what comes late there says nothing, and what is slow by itself passes nowhere.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use acceptance::{home, run, shortener};

/// Threads that use every processor twice over, until dropped.
struct Busy(Arc<AtomicBool>, Vec<JoinHandle<()>>);

impl Busy {
    fn new() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let processors = std::thread::available_parallelism().unwrap().get();
        let spin = |stop: Arc<AtomicBool>| {
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let threads = (0..processors * 2).map(|_| spin(Arc::clone(&stop))).collect();
        Self(stop, threads)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        for thread in self.1.drain(..) {
            thread.join().unwrap();
        }
    }
}

/// The report of a drill in which nothing is broken, of a release as it is from its start.
fn report(release: &str, more: &str) -> serde_json::Value {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let system = [
        "summary = \"the shortener by itself\"\n",
        &shortener("app", release, ""),
        &home("20/s", ""),
    ]
    .concat();
    std::fs::write(folder.path().join("system.toml"), system).unwrap();
    let scenario = format!(
        "summary = \"nothing is broken\"\nsystem = \"system.toml\"\nseeded = false\ntiming = {{ quiet = \"2s\" }}\n\
         expect = {{ journeys = {{ home = \"never down\" }} }}\n{more}"
    );
    std::fs::write(folder.path().join("one.toml"), scenario).unwrap();
    let file = folder.path().join("one.toml");
    let ended = run(
        folder.path(),
        &["run", file.to_str().unwrap(), "--backend", "process", "--json"],
    );
    let last = ended.out.lines().last().unwrap_or_default();
    let line: serde_json::Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{}", ended.err));
    line["report"].clone()
}

/// Slow from the start: without a steady state, so that there is something to judge.
const SLOW: &str =
    "[control]\nbreaches = [\"journey.home\"]\nsteady = false\nbecause = \"it answers 400 ms late\"\n";

/// One test, so that nothing else of this program runs while the machine has to be calm.
#[test]
fn what_is_slow_passes_on_no_machine_and_what_is_good_breaches_on_none() {
    let slow = report("slow", SLOW);
    assert_eq!(slow["verdict"], "breached", "{slow}");
    let busy = Busy::new();
    let slow = report("slow", SLOW);
    let good = report("v3", "");
    drop(busy);
    assert_ne!(slow["verdict"], "met", "{slow}");
    assert_ne!(good["verdict"], "breached", "{good}");
}
