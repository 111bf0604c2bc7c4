//! What Ctrl-C does, the first time and after.

use tokio_util::sync::CancellationToken;

use super::output;

/// Ctrl-C (or SIGTERM) once: drills stop, faults are reverted, services removed. Twice: nothing more is waited for
/// but the removal. Three times: out, saying how to `finish`.
pub(super) async fn listen(stop: CancellationToken, hurry: CancellationToken, finish: String) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    for times in 1.. {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        match times {
            1 => {
                output::note("stopping: faults are reverted and services removed (again: faster)");
                stop.cancel();
            }
            2 => {
                output::note("removing services (again: leave them)");
                hurry.cancel();
            }
            _ => {
                output::error(&format!("left as it is; finish with: {finish}"));
                std::process::exit(5);
            }
        }
    }
}
