//! One proxy: its settings, its start, and the list of its toxics.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::active::{ActiveToxic, ToxicList};
use crate::connection::Upstream;
use crate::listener::{self, Acceptor, State};
use crate::{Error, Hits, Injection, Toxic, ToxicId};

/// What a proxy understands of the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Protocol {
    /// Bytes only. HTTP toxics have no effect.
    Tcp,
    /// HTTP/1.1 as well: requests are parsed and forwarded one by one, so HTTP toxics can act on them. Only for proxies
    /// that need it: a malformed request is answered by the proxy instead of the service, and upgrades do not pass.
    Http,
}

/// Settings of a proxy that is about to start.
#[derive(Debug, Clone)]
#[must_use = "a proxy listens once `start` is awaited"]
pub struct ProxyBuilder {
    listen: SocketAddr,
    upstream: Upstream,
    seed: u64,
}

impl ProxyBuilder {
    /// Listens at this address [default: a free port of 127.0.0.1].
    pub fn listen(self, listen: SocketAddr) -> Self {
        Self { listen, ..self }
    }

    /// Understands this protocol [default: TCP].
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.upstream.protocol = protocol;
        self
    }

    /// Draws every random choice from this seed [default: 0].
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Starts the proxy on the current tokio runtime.
    ///
    /// # Errors
    /// [`Error::Listen`].
    pub async fn start(self) -> Result<Proxy, Error> {
        self.listen_and_accept()
    }

    /// Not `async`, so that the proxy's tasks are compiled, and optimised, with this crate and not with each caller.
    fn listen_and_accept(self) -> Result<Proxy, Error> {
        let failed = |source| Error::Listen {
            address: self.listen,
            source: Arc::new(source),
        };
        let listener = listener::bind(self.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (toxics, list) = watch::channel(ToxicList::default());
        let (state, listening) = watch::channel(State::Open);
        let connections = TaskTracker::new();
        let acceptor = Acceptor {
            address,
            upstream: self.upstream,
            list,
            state,
            connections: connections.clone(),
        };
        tokio::spawn(acceptor.run(listener));
        Ok(Proxy {
            address,
            seed: self.seed,
            toxics,
            listening,
            connections,
            known: Mutex::default(),
            next_id: AtomicU64::new(ToxicId::FIRST_AUTOMATIC),
        })
    }
}

/// A running proxy. It stops, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    seed: u64,
    /// The active toxics. The proxy's tasks end when this sender is dropped.
    toxics: watch::Sender<ToxicList>,
    listening: watch::Receiver<State>,
    connections: TaskTracker,
    /// Every toxic that was ever injected: hits can be asked for after the revert.
    known: Mutex<Vec<Arc<ActiveToxic>>>,
    next_id: AtomicU64,
}

impl Proxy {
    /// Starts a TCP proxy in front of `upstream`, at a free port of 127.0.0.1.
    ///
    /// # Errors
    /// [`Error::Listen`].
    pub async fn start(upstream: SocketAddr) -> Result<Self, Error> {
        Self::builder(upstream).start().await
    }

    /// A proxy in front of `upstream`, to be configured and started.
    pub fn builder(upstream: SocketAddr) -> ProxyBuilder {
        ProxyBuilder {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            upstream: Upstream {
                address: upstream,
                protocol: Protocol::Tcp,
            },
            seed: 0,
        }
    }

    /// The address at which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Injects a toxic and returns, once it is in effect, the guard that reverts it.
    ///
    /// # Errors
    /// [`Error::InvalidToxic`], or [`Error::Stopped`].
    pub async fn inject(&self, toxic: impl Toxic + 'static) -> Result<Injection<'_>, Error> {
        let id = ToxicId(self.next_id.fetch_add(1, Ordering::Relaxed));
        // The guard comes first: a caller that is cancelled while waiting leaves no toxic behind.
        let injection = Injection::new(self, id);
        self.inject_with_id(id, Box::new(toxic)).await?;
        Ok(injection)
    }

    /// Injects a toxic under an id that the caller chooses below 2⁶³, and returns once it is in effect. No guard: it
    /// stays until [`revert`](Self::revert). An id that is active already stays as it is.
    ///
    /// # Errors
    /// [`Error::InvalidToxic`], or [`Error::Stopped`].
    pub async fn inject_with_id(&self, id: ToxicId, toxic: Box<dyn Toxic>) -> Result<(), Error> {
        toxic.validate()?;
        let active = Arc::new(ActiveToxic::new(id, self.seed, toxic));
        let is_new = self.toxics.send_if_modified(|list| {
            let is_new = list.iter().all(|other| other.id != id);
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
        self.listener_settled().await
    }

    /// Reverts a toxic and returns once that is in effect. Does nothing when the toxic is not active.
    ///
    /// # Errors
    /// [`Error::Listen`] when the listener cannot be opened again after a [`Refuse`](crate::Refuse), or
    /// [`Error::Stopped`].
    pub async fn revert(&self, id: ToxicId) -> Result<(), Error> {
        self.remove(id);
        self.listener_settled().await
    }

    /// Takes a toxic off the list. Traffic follows at once; only the listener needs time.
    pub(crate) fn remove(&self, id: ToxicId) {
        self.toxics.send_if_modified(|list| {
            let is_there = list.iter().any(|active| active.id == id);
            if is_there {
                *list = list.iter().filter(|active| active.id != id).cloned().collect();
            }
            is_there
        });
    }

    /// What a toxic has hit so far, whether it is active or reverted. No hits for an unknown id.
    pub fn hits(&self, id: ToxicId) -> Hits {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // More than one when an id was used again after its revert.
        let of_this = known.iter().filter(|active| active.id == id);
        of_this
            .map(|active| active.hits())
            .fold(Hits::default(), Hits::plus)
    }

    /// The number of open connections.
    pub fn open_connections(&self) -> usize {
        self.connections.len()
    }

    /// Waits until the listener is open or closed, as the list of toxics requires. Nothing else has to be waited for:
    /// connections read the list before every chunk.
    async fn listener_settled(&self) -> Result<(), Error> {
        let refuses = self.toxics.borrow().iter().any(|active| active.toxic.refuses());
        let mut listening = self.listening.clone();
        let as_required = |state: &State| match state {
            State::Open => !refuses,
            State::Closed => refuses,
            // Waiting longer would not help, and the caller must learn of it.
            State::Failed(_) => true,
        };
        let state = listening.wait_for(as_required).await;
        match state.as_deref() {
            Ok(State::Failed(source)) => Err(Error::Listen {
                address: self.address,
                source: Arc::clone(source),
            }),
            Ok(State::Open | State::Closed) => Ok(()),
            Err(_) => Err(Error::Stopped(self.address)),
        }
    }
}
