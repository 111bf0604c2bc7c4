//! The proxies of a whole system, each found by its route: who connects to whom.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Error, Proxy};

/// The `from` of routes that begin at the system's users.
pub const USER: &str = "user";

/// The way from one service, or from the users, to another service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route {
    /// The service that connects, or [`USER`].
    pub from: String,
    /// The service that listens.
    pub to: String,
    /// One of its additional ports; `None` is the main port.
    pub port: Option<String>,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.from, self.to)?;
        match &self.port {
            Some(port) => write!(f, ".{port}"),
            None => Ok(()),
        }
    }
}

/// The proxies of a system.
#[derive(Debug, Default)]
pub struct Proxies {
    proxies: Mutex<BTreeMap<Route, Arc<Proxy>>>,
}

impl Proxies {
    /// Adds the proxy of a route. A proxy that was there before is replaced.
    pub fn add(&self, route: Route, proxy: Proxy) {
        self.proxies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(route, Arc::new(proxy));
    }

    /// The proxy of a route.
    ///
    /// # Errors
    /// [`Error::NoSuchProxy`].
    pub fn get(&self, route: &Route) -> Result<Arc<Proxy>, Error> {
        let proxies = self.proxies.lock().unwrap_or_else(PoisonError::into_inner);
        proxies
            .get(route)
            .cloned()
            .ok_or_else(|| Error::NoSuchProxy(route.clone()))
    }
}
