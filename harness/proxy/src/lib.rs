//! The network between two parts of a system, as something that can be broken: a TCP proxy within the harness.
//!
//! Faces whoever connects on one side (users, or a service that is told this address instead of the other's) and the
//! real listener on the other. Faults put [`Toxic`]s on a [`Link`] and take them off again, each by its [`ToxicId`]. No
//! state is switched: what happens to a connection, a chunk or a request follows, each time, from the list of the
//! toxics that are on the link now, so that overlapping ones can be taken off in any order.
//!
//! They compose in this order:
//! 1. *refuse*: the listener is closed, so nothing comes in;
//! 2. *reset*: connections are torn down, each after its own time;
//! 3. HTTP toxics, on whole requests and answers, nearest to the service: delays add up; then the first status that
//!    applies answers in the service's place; else every header and body toxic changes the answer;
//! 4. *blackhole*: nothing passes until none is left;
//! 5. *latency*: delays add up and are counted from the chunk's own arrival; *slow close* adds to the end's;
//! 6. *slice*: the smallest size and the sum of the gaps;
//! 7. *bandwidth*: every limit is kept, by all connections of the link together;
//! 8. *data limit*: the smallest remainder.
//!
//! Without toxics a link is a plain relay: both sides have `TCP_NODELAY`, a half-close goes through as one, a reset as
//! a reset, and a side that does not read holds up the other ([`HELD_BYTES`] a direction at most are kept). What cannot
//! be carried through: a service that refuses connections is met as a reset, since the link has taken the connection
//! before it can know.

mod active;
mod connection;
mod door;
mod http;
mod links;
mod pump;
mod toxic;
mod toxics;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

pub use active::{Hits, ToxicId};
pub use links::{Links, Route, USER};
pub use pump::HELD_BYTES;
pub use toxic::{Request, Slice, Toxic, Way, Ways};
pub use toxics::{
    Bandwidth, Blackhole, DataLimit, Distribution, HttpDelay, HttpDropHeader, HttpGarble, HttpStatus,
    Latency, Matching, Open, Refuse, Reset, Slicing, SlowClose,
};

use active::{Active, List};
use connection::Ground;
use door::Door;

/// What a link understands of what goes through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speaks {
    /// Bytes.
    Bytes,
    /// HTTP/1.1 as well: requests are told apart and passed on one by one. Only for links that an HTTP toxic is meant
    /// for, since it is no longer quite the service that answers a broken request, and upgrades do not go through.
    Http,
}

/// A link that cannot do what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot listen.
    #[error("the link at {address} cannot listen: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// No link has been laid there.
    #[error("there is no link {0}")]
    NoSuchLink(Route),
    /// The link's own task is gone.
    #[error("the link at {0} has ended")]
    Ended(SocketAddr),
}

/// One link. It ends, with all its connections, when this is dropped.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    seed: u64,
    toxics: watch::Sender<List>,
    door: watch::Receiver<Door>,
    connections: TaskTracker,
    /// Every toxic that was ever on it, for its hits.
    known: Mutex<Vec<Arc<Active>>>,
}

impl Link {
    /// Opens a link at `listen` that leads to `upstream`. Every random choice on it derives from `seed`.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub async fn open(
        listen: SocketAddr,
        upstream: SocketAddr,
        speaks: Speaks,
        seed: u64,
    ) -> Result<Self, Error> {
        let failed = |source| Error::Listen {
            address: listen,
            source,
        };
        let listener = door::listen(listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (toxics, list) = watch::channel(List::default());
        let (state, door) = watch::channel(Door::Open);
        let (ground, connections) = (Ground { upstream, speaks }, TaskTracker::new());
        tokio::spawn(door::keep(
            listener,
            address,
            ground,
            list,
            state,
            connections.clone(),
        ));
        Ok(Self {
            connections,
            address,
            seed,
            toxics,
            door,
            known: Mutex::default(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts a toxic on it, and returns once it is in effect. Putting one on a second time under one id changes nothing.
    ///
    /// # Errors
    /// When the link has ended.
    pub async fn inject(&self, id: ToxicId, toxic: Box<dyn Toxic>) -> Result<(), Error> {
        let active = Arc::new(Active::new(id, self.seed, toxic));
        let is_new = self.toxics.send_if_modified(|list| {
            let is_new = !list.iter().any(|other| other.id == id);
            if is_new {
                *list = list.iter().cloned().chain([Arc::clone(&active)]).collect();
            }
            is_new
        });
        if is_new {
            self.known
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(active);
        }
        self.settled().await
    }

    /// Takes one toxic off, and returns once that is in effect. Idempotent.
    ///
    /// # Errors
    /// When the link cannot listen again where it did, or has ended.
    pub async fn revert(&self, id: ToxicId) -> Result<(), Error> {
        self.toxics.send_if_modified(|list| {
            let is_there = list.iter().any(|active| active.id == id);
            if is_there {
                *list = list.iter().filter(|active| active.id != id).cloned().collect();
            }
            is_there
        });
        self.settled().await
    }

    /// What a toxic has hit so far, be it on the link still or no longer; nothing when it never was.
    pub fn hits(&self, id: ToxicId) -> Hits {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .filter(|active| active.id == id)
            .map(|active| active.hits())
            .fold(Hits::default(), Hits::plus)
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Waits until the listener is as the list wants it; everything else follows the list by itself.
    async fn settled(&self) -> Result<(), Error> {
        let refuses = self.toxics.borrow().iter().any(|active| active.toxic.refuses());
        let mut door = self.door.clone();
        let as_wanted = |door: &Door| match door {
            Door::Open => !refuses,
            Door::Closed => refuses,
            Door::Broken(_) => true,
        };
        let state = door.wait_for(as_wanted).await;
        match state.as_deref() {
            Ok(Door::Broken(source)) => Err(Error::Listen {
                address: self.address,
                source: std::io::Error::new(source.kind(), source.to_string()),
            }),
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Ended(self.address)),
        }
    }
}
