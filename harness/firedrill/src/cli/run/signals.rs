//! What Ctrl-C does: the first, the second and the third time.

use tokio_util::sync::CancellationToken;

use super::super::exit::Exit;
use super::super::output;

/// Listens for Ctrl-C and SIGTERM. The first stops the drills, which revert their faults and remove their services; the
/// second removes the services at once; the third exits and prints the command that finishes the cleanup.
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
