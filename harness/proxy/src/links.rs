//! All links of one drill, by where they lead from and to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Error, Link};

/// What stands for the users where a route begins.
pub const USER: &str = "user";

/// Where a link leads from and to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route {
    /// The service that connects, or [`USER`].
    pub from: String,
    /// The service that listens.
    pub to: String,
    /// One of its further ports; `None` is the main one.
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

/// The links of one drill.
#[derive(Debug, Default)]
pub struct Links {
    links: Mutex<BTreeMap<Route, Arc<Link>>>,
}

impl Links {
    /// Makes a link known.
    pub fn add(&self, route: Route, link: Link) {
        self.links
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(route, Arc::new(link));
    }

    /// The link of a route.
    ///
    /// # Errors
    /// When none was laid there.
    pub fn get(&self, route: &Route) -> Result<Arc<Link>, Error> {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links
            .get(route)
            .cloned()
            .ok_or_else(|| Error::NoSuchLink(route.clone()))
    }
}
