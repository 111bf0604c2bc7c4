//! A service's process from its start to its end, and again as often as its restart policy says.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Pid;
use tokio::process::Command;

use super::Service;
use super::members::{self, Members, Ports, new_life};
use crate::backend::owner::Process;
use crate::backend::privilege;
use firedrill_model::scenario::Restart;
use firedrill_model::units::Size;

/// A service's process, as its supervisor last saw it.
#[derive(Debug, Default)]
pub(super) struct Life {
    pub(super) process: Option<Process>,
    /// All processes of the service, since the last start.
    pub(super) members: Option<Arc<Members>>,
    pub(super) exit: Option<i64>,
    pub(super) paused: bool,
    /// It was asked to end: its restart policy does not apply.
    pub(super) stopping: bool,
}

/// Young services start what belongs to them.
const FIRST_LOOK: Duration = Duration::from_millis(200);
/// Between two looks at a service's processes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) fn lock(life: &Mutex<Life>) -> MutexGuard<'_, Life> {
    life.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes permissions bind the child, also of a harness that runs as root.
pub(super) fn bind_by_permissions(command: &mut Command) {
    #[cfg(target_os = "linux")]
    #[expect(
        unsafe_code,
        reason = "between fork and exec; what is called there are plain system calls"
    )]
    unsafe {
        command.pre_exec(|| {
            if rustix::process::geteuid().is_root() {
                privilege::drop_capabilities()?;
            }
            Ok(())
        });
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}

/// Why a service's process was not started.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotStarted {
    /// It was asked to end before it began.
    #[error("stopped before it started")]
    Stopped,
    /// The system does not start it.
    #[error(transparent)]
    Spawn(#[from] io::Error),
    /// Its memory cannot be limited.
    #[error(transparent)]
    Limit(#[from] NotLimited),
}

pub(super) fn spawn(command: &mut Command, service: &Service) -> Result<tokio::process::Child, NotStarted> {
    let mut life = lock(&service.life);
    if life.stopping {
        return Err(NotStarted::Stopped);
    }
    let name = new_life(&service.spec.name);
    members::label(command, &name);
    let child = command.spawn()?;
    if let (Some(pid), Some(memory)) = (child.id(), service.limits().memory) {
        set_memory_limit(pid, Some(memory))?;
    }
    let pid = child.id().unwrap_or_default();
    let process = Process::of(pid).unwrap_or(Process { pid, started: 0 });
    let ports = service.ports.values().copied().collect();
    *life = Life {
        process: Some(process),
        members: Some(Members::new(name, process, ports, service.members_file.clone())),
        ..Life::default()
    };
    Ok(child)
}

/// Waits for the end of a process, notes how it ended, and brings it back if its policy says so: after 100 ms, then
/// twice as long each time, up to 10 s; from the start again once it has run for 10 s.
pub(super) async fn supervise(mut child: tokio::process::Child, mut command: Command, service: Service) {
    let (life, restart) = (&service.life, service.spec.restart);
    let mut back_off = Duration::from_millis(100);
    loop {
        let since = Instant::now();
        let members = lock(life).members.clone();
        let exit = watch(&mut child, members.as_ref()).await;
        // At once, as an engine ends a container with its first process: what is left would hold the port.
        end_the_rest(members.as_ref(), &service).await;
        let stopping = {
            let mut life = lock(life);
            life.exit = Some(exit);
            life.process = None;
            life.stopping
        };
        if stopping || restart == Restart::No {
            return;
        }
        if since.elapsed() > Duration::from_secs(10) {
            back_off = Duration::from_millis(100);
        }
        firedrill_wait::until_due(Instant::now() + back_off).await;
        back_off = (back_off * 2).min(Duration::from_secs(10));
        match spawn(&mut command, &service) {
            Ok(again) => child = again,
            Err(_) => return,
        }
    }
}

/// Waits for the end of the first process, and remembers the others meanwhile: once its parents have ended, nothing may show
/// any more that a process belongs to the service.
async fn watch(child: &mut tokio::process::Child, members: Option<&Arc<Members>>) -> i64 {
    let mut next = Instant::now() + FIRST_LOOK;
    loop {
        tokio::select! {
            exit = child.wait() => return exit.map_or(-1, exit_code),
            () = firedrill_wait::until_due(next) => {}
        }
        next = Instant::now() + LOOK_EVERY;
        if let Some(members) = members {
            // Without the ports: the kernel's list of connections is long while probes open a new one each time.
            members.blocking(|members| drop(members.look(Ports::Skip))).await;
        }
    }
}

/// Ends what the first process has left, and notes those that had left its group.
async fn end_the_rest(members: Option<&Arc<Members>>, service: &Service) {
    let Some(members) = members else { return };
    // Those that cannot be killed still hold the port, and the next look at it finds them.
    let ended = members.end().await.unwrap_or_default();
    let mut outlived = service.outlived.lock().unwrap_or_else(PoisonError::into_inner);
    outlived.extend(ended);
}

/// The exit code, or the signal as a negative number.
pub(super) fn exit_code(status: std::process::ExitStatus) -> i64 {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => code.into(),
        (None, signal) => -i64::from(signal.unwrap_or_default()),
    }
}

/// Why a limit of memory is not in force.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotLimited {
    /// The system refuses to set it.
    #[error(transparent)]
    Refused(#[from] io::Error),
    /// The system accepted it, and another one is in force.
    #[cfg(target_os = "linux")]
    #[error("a limit of {0} is in force instead")]
    Another(Size),
    /// The system accepted it, and none is in force.
    #[cfg(target_os = "linux")]
    #[error("no limit is in force")]
    None,
}

/// Limits what a process may allocate; an allocation beyond that fails. The kernel's word for it is the data segment.
#[cfg(target_os = "linux")]
pub(super) fn set_memory_limit(pid: u32, memory: Option<Size>) -> Result<(), NotLimited> {
    use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let maximum = getrlimit(Resource::Data).maximum;
    let current = memory.map(|size| size.0).or(maximum);
    let wanted = Rlimit { current, maximum };
    let set = || prlimit(pid, Resource::Data, wanted).map_err(io::Error::from);
    set()?;
    // Setting it once more tells what was in force.
    match set()?.current {
        in_force if in_force == current => Ok(()),
        Some(bytes) => Err(NotLimited::Another(Size(bytes))),
        None => Err(NotLimited::None),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn set_memory_limit(_: u32, _: Option<Size>) -> Result<(), NotLimited> {
    Err(io::Error::from(io::ErrorKind::Unsupported).into())
}
