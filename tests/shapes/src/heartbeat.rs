//! When the service lived: each serving process writes the time to its log every 5 ms. A gap is a time in which it was
//! dead or frozen: the truth that a verdict is held against.

use std::io::{self, Write};
use std::thread;
use std::time::{Duration, SystemTime};

/// Begins to write `alive` and the microseconds of the wall clock, which containers share with their host.
pub(crate) fn start() {
    thread::spawn(|| {
        loop {
            let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
            // The log is the only place to report an error, and the test sees the gap in it.
            if writeln!(io::stdout(), "alive {}", since.as_micros()).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    });
}
