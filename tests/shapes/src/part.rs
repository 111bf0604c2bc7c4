//! Parts of a system that are no servers: a worker without a port, and a program that asks whether a server is there.

use std::io::{self, Error};
use std::net::{TcpStream, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use crate::serve::log;

/// Nobody connects to it: its log alone says what it does.
pub(crate) fn work() -> io::Result<()> {
    log("the worker starts");
    thread::sleep(Duration::from_millis(800));
    log("the worker is ready");
    loop {
        thread::park();
    }
}

/// Connects to a host and port, whose name is looked up.
pub(crate) fn ask(to: &str) -> io::Result<()> {
    let address = to.to_socket_addrs()?.next();
    let address = address.ok_or_else(|| Error::other("the name has no address"))?;
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).map(drop)
}
