//! How the server comes to run: the processes between the one that was started and the one that serves.

use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::{io, thread};

use rustix::process::WaitOptions;

use crate::serve::{listen, serve};
use crate::{Args, Role, Shape};

/// The user `nobody`, in every Linux distribution.
const NOBODY: u32 = 65534;

/// The process that was started.
pub(crate) fn first(args: &Args) -> io::Result<()> {
    match args.shape {
        Shape::Supervised => loop {
            start(args, Role::Server)?.wait()?;
        },
        Shape::OwnSession => start(args, Role::Between)?.wait().map(drop),
        Shape::Reparented | Shape::Hidden => {
            start(args, Role::Between)?.wait()?;
            loop {
                thread::park();
            }
        }
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
        Shape::Daemon | Shape::Reparented => start(args, Role::Server).map(drop),
        Shape::Hidden => {
            let mut server = this(args, Role::Server)?;
            server.env_clear().arg0("sleep").spawn().map(drop)
        }
        _ => serve(args),
    }
}

/// Outlives its parents, in a session of its own.
pub(crate) fn linger() -> io::Result<()> {
    rustix::process::setsid()?;
    loop {
        thread::park();
    }
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
        let Some((ended, _)) = rustix::process::wait(WaitOptions::empty())? else {
            continue;
        };
        let id = ended.as_raw_nonzero().get().unsigned_abs();
        if let Some(place) = workers.iter_mut().find(|worker| worker.id() == id) {
            *place = worker()?;
        }
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
