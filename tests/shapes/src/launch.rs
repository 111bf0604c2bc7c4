//! How the server comes to run: the processes between the one that was started and the one that serves.

use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{io, thread};

use crate::serve::{listen, serve};
use crate::{Args, Role, Shape};

/// The user `nobody`, in every Linux distribution.
const NOBODY: u32 = 65534;

/// The process that was started.
pub(crate) fn first(args: &Args) -> io::Result<()> {
    match args.shape {
        Shape::Supervised => loop {
            start(args, Role::Server)?.wait()?;
            thread::sleep(Duration::from_millis(100));
        },
        Shape::OwnSession => start(args, Role::Between)?.wait().map(drop),
        // Nobody waits for it: that is what makes it a daemon.
        Shape::Daemon => start(args, Role::Between).map(drop),
        Shape::Prefork => prefork(args),
        Shape::Title => Err(this(args, Role::Server)?.arg0("shapes: serving").exec()),
        Shape::NoEnvironment => Err(this(args, Role::Server)?.env_clear().exec()),
        Shape::Outlived => {
            start(args, Role::Lingering)?;
            serve(args)
        }
        Shape::Unprivileged if rustix::process::getuid().is_root() => {
            Err(this(args, Role::Server)?.uid(NOBODY).gid(NOBODY).exec())
        }
        _ => serve(args),
    }
}

/// Leaves the session of the process that was started. A daemon's server is started once more, so that it can never get a
/// terminal.
pub(crate) fn between(args: &Args) -> io::Result<()> {
    rustix::process::setsid()?;
    match args.shape {
        Shape::Daemon => start(args, Role::Server).map(drop),
        _ => serve(args),
    }
}

/// Outlives its parents, in a session of its own.
pub(crate) fn linger() -> io::Result<()> {
    rustix::process::setsid()?;
    thread::sleep(Duration::from_secs(3600));
    Ok(())
}

/// The listener that this process got as standard input.
pub(crate) fn inherited_listener() -> io::Result<TcpListener> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

fn prefork(args: &Args) -> io::Result<()> {
    let listener: OwnedFd = listen(args)?.into();
    let worker = || {
        let stdin = Stdio::from(listener.try_clone()?);
        this(args, Role::Worker)?.stdin(stdin).spawn()
    };
    let mut workers = (0..4).map(|_| worker()).collect::<io::Result<Vec<Child>>>()?;
    loop {
        // A worker that ended is replaced, as pre-forking servers do.
        for place in &mut workers {
            if place.try_wait()?.is_some() {
                *place = worker()?;
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn start(args: &Args, role: Role) -> io::Result<Child> {
    this(args, role)?.spawn()
}

/// This program once more, in another role.
fn this(args: &Args, role: Role) -> io::Result<Command> {
    use clap::ValueEnum;
    let name = |value: Option<clap::builder::PossibleValue>| value.map(|value| value.get_name().to_owned());
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(name(args.shape.to_possible_value()))
        .arg("--role")
        .args(name(role.to_possible_value()))
        .args(["--listen", &args.listen.to_string(), "--release", &args.release])
        .arg("--store")
        .arg(&args.store);
    Ok(command)
}
