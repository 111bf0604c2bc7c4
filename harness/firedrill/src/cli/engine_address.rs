//! Leads the client library to the container engine that `docker` and `podman` would use.

use std::os::unix::process::CommandExt;
use std::process::Command;

use firedrill_runner::backend;

/// Begins this program anew with `DOCKER_HOST` set, where the engine is somewhere the library does not look: in a Docker
/// context, say. The library reads that variable alone, and a running program must not change its own environment. If no
/// address is known, whatever needs the engine says why.
pub(super) fn lead_library_to_engine() {
    let (Ok(Some(address)), Ok(program)) = (backend::engine_address(), std::env::current_exe()) else {
        return;
    };
    let mut arguments = std::env::args_os();
    let mut again = Command::new(program);
    again.env("DOCKER_HOST", address);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // Only a failure returns. The engine is then reported as out of reach, with the address.
    let _ = again.args(arguments).exec();
}
