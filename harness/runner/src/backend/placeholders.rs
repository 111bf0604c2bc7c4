//! What the holes of a service's templates come to. Backends differ in where things are, not in what may be said.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Error, Spec};
use firedrill_model::scenario::template;

/// What the harness itself listens on, as the services see it.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<Urls>);

#[derive(Debug, Default)]
struct Urls {
    alerts: Option<String>,
    links: BTreeMap<(String, String, Option<String>), String>,
}

impl Told {
    fn urls(&self) -> MutexGuard<'_, Urls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_alerts(&self, url: &str) {
        self.urls().alerts = Some(url.to_owned());
    }

    pub(super) fn set_link(&self, from: &str, to: &str, port: Option<&str>, url: &str) {
        let route = (from.to_owned(), to.to_owned(), port.map(str::to_owned));
        self.urls().links.insert(route, url.to_owned());
    }
}

/// Where the things are that templates speak of, as one service sees them.
pub(super) trait Places {
    /// The address to listen on at its main or a named port.
    fn listen(&self, spec: &Spec, port: Option<&str>) -> Option<String>;
    /// The path of one of its volumes.
    fn volume(&self, spec: &Spec, volume: &str) -> Option<String>;
    /// The path of a binary that lies beside its own.
    fn binary(&self, spec: &Spec, name: &str) -> Option<String>;
    /// The base URL of a service, at its main or a named port.
    fn service(&self, name: &str, port: Option<&str>) -> Option<String>;
    /// What the harness itself listens on.
    fn told(&self) -> &Told;

    /// A hole that means the same for every service.
    fn shared(&self, hole: &str) -> Option<String> {
        let mut parts = hole.split('.');
        match (parts.next()?, parts.next(), parts.next(), parts.next()) {
            ("service", Some(name), port, None) => self.service(name, port),
            ("alerts", None, None, None) => Some(self.told().urls().alerts.clone().unwrap_or_default()),
            _ => None,
        }
    }

    /// The URL of the link that leads from a service to another one, `NAME` or `NAME.PORT`.
    fn link(&self, spec: &Spec, other: &str) -> Option<String> {
        let (to, port) = match other.split_once('.') {
            None => (other, None),
            Some((to, port)) => (to, Some(port.to_owned())),
        };
        let route = (spec.name.clone(), to.to_owned(), port);
        self.told().urls().links.get(&route).cloned()
    }

    /// Any hole of a service's own templates.
    fn hole(&self, spec: &Spec, hole: &str) -> Option<String> {
        match hole.split_once('.').unwrap_or((hole, "")) {
            ("release", "") => Some(spec.release.clone()),
            ("listen", "") => self.listen(spec, None),
            ("listen", port) => self.listen(spec, Some(port)),
            ("volume", name) => self.volume(spec, name),
            ("bin", name) => self.binary(spec, name),
            ("service", other) => self.link(spec, other).or_else(|| self.shared(hole)),
            _ => self.shared(hole),
        }
    }
}

/// A service's arguments and environment with every hole filled.
pub(super) fn fill(
    places: &dyn Places,
    spec: &Spec,
) -> Result<(Vec<String>, BTreeMap<String, String>), Error> {
    let text = |text: &String| {
        template::fill(text, |hole| places.hole(spec, hole).map(Cow::from)).map_err(|error| {
            Error::Operation {
                operation: "configure",
                service: spec.name.clone(),
                cause: format!("`{text}`: {error}"),
            }
        })
    };
    let args = spec.args.iter().map(text).collect::<Result<_, _>>()?;
    let env = spec
        .env
        .iter()
        .map(|(name, value)| Ok((name.clone(), text(value)?)))
        .collect::<Result<_, Error>>()?;
    Ok((args, env))
}
