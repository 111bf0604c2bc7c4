//! What stops a run: Ctrl-C, SIGTERM, SIGQUIT, and SIGHUP when the terminal is closed.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::super::exit::Exit;
use super::super::output;

/// The signals that stop a run. From its creation on, none of them ends the process by itself.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    quit: Signal,
    /// None when the caller ignores it, as `nohup` does: then a closed terminal stops nothing.
    hang_up: Option<Signal>,
}

/// A signal that was received.
enum Received {
    /// Ctrl-C, SIGTERM or SIGQUIT.
    Stop,
    /// SIGHUP.
    HangUp,
}

impl Signals {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub(super) fn open() -> std::io::Result<Self> {
        let hang_up = match is_ignored(SignalKind::hangup()) {
            true => None,
            false => Some(signal(SignalKind::hangup())?),
        };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            hang_up,
        })
    }

    async fn next(&mut self) -> Received {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Received::Stop,
            _ = self.terminate.recv() => Received::Stop,
            _ = self.quit.recv() => Received::Stop,
            () = hang_up => Received::HangUp,
        }
    }

    /// Acts on the signals. The first stops the drills, which revert their faults and remove their services; the second
    /// removes the services at once; the third exits and prints the command that finishes the cleanup.
    pub(super) async fn listen(mut self, stop: CancellationToken, hurry: CancellationToken, finish: String) {
        let mut times = 0;
        loop {
            let received = self.next().await;
            // Kernel and shell each send one when a terminal is closed, and nobody is there to be impatient.
            if matches!(received, Received::HangUp) && times > 0 {
                continue;
            }
            times += 1;
            match times {
                1 => {
                    output::note(
                        "stopping: reverting faults and removing services (press Ctrl-C again to skip the reverts)",
                    );
                    stop.cancel();
                }
                2 => {
                    output::note("removing services (press Ctrl-C again to leave them running)");
                    hurry.cancel();
                }
                _ => {
                    output::note(&format!(
                        "error: services are still running; remove them with: {finish}"
                    ));
                    // Returning would wait for the drills, which the user no longer wants to.
                    std::process::exit(Exit::Unclean.code().into());
                }
            }
        }
    }
}

/// Whether this process was started with a signal ignored. Systems other than Linux do not show it.
fn is_ignored(signal: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores(&status, signal.as_raw_value())
}

/// Whether a `/proc/PID/status` says that a signal is ignored: `SigIgn` is a mask in which signal 1 is the lowest bit.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_signal_is_one_bit_of_the_mask() {
        let status = "Name:\tfiredrill\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\n";
        let ignored: Vec<i32> = (1..=31).filter(|signal| ignores(status, *signal)).collect();
        assert_eq!(ignored, [1, 13]);
        assert!(!ignores("", 1));
    }
}
