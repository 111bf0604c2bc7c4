//! Ports that stay ours over restarts.
//!
//! Taken below the range from which the kernel gives ports to outgoing connections, so that while a service is down no
//! connection of the prober's own takes (or even answers on) its port.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use rand::Rng;

use super::Spec;

/// Ports given out by this process, to whatever drill.
static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// Below this the well-known services live.
const LOWEST: u16 = 15_000;

/// Where outgoing ports begin: Linux says it, elsewhere the standard's 49152.
fn first_outgoing() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        // Too few ports below it: then the usual range of outgoing connections is assumed.
        .filter(|first| *first > LOWEST + 1000)
        .unwrap_or(49_152)
}

/// A port on 127.0.0.1 that nobody listens on and that this process has not given out before.
///
/// # Errors
/// When none is found.
pub fn reserve() -> io::Result<u16> {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let given = given.get_or_insert_default();
    let mut choice = rand::rng();
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..200 {
        let port = choice.random_range(LOWEST..first_outgoing());
        if given.contains(&port) {
            continue;
        }
        // Bound only to try it: a port is free again at once when nothing has connected to it.
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => {
                given.insert(port);
                return Ok(port);
            }
            Err(error) => last = error,
        }
    }
    Err(io::Error::new(last.kind(), NoFreePort(last)))
}

/// No port could be bound; the cause is that of the last one tried.
#[derive(Debug, thiserror::Error)]
#[error("no free port on 127.0.0.1 was found: {0}")]
struct NoFreePort(#[source] io::Error);

/// A port for each of a service's own: the main one (`None`), if it has one, and those with a name.
pub(super) fn reserve_all(spec: &Spec) -> io::Result<BTreeMap<Option<String>, u16>> {
    let main = spec.port.iter().map(|_| None);
    let names = main.chain(spec.ports.keys().cloned().map(Some));
    names.map(|name| Ok((name, reserve()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_different_and_not_outgoing_ones() {
        let ports: HashSet<u16> = (0..50).map(|_| reserve().unwrap()).collect();
        assert_eq!(ports.len(), 50);
        assert!(ports.iter().all(|port| *port < first_outgoing()));
    }
}
