//! The values of the placeholders in a service's arguments and environment. Backends differ in the values alone.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Error, Spec};
use firedrill_model::scenario::template;

/// What the harness itself listens on, as the services see it.
#[derive(Debug, Default)]
pub(super) struct HarnessUrls(Mutex<Urls>);

#[derive(Debug, Default)]
struct Urls {
    alerts: Option<String>,
    links: BTreeMap<(String, String, Option<String>), String>,
}

impl HarnessUrls {
    fn lock(&self) -> MutexGuard<'_, Urls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_alerts(&self, url: &str) {
        self.lock().alerts = Some(url.to_owned());
    }

    pub(super) fn set_link(&self, from: &str, to: &str, port: Option<&str>, url: &str) {
        let route = (from.to_owned(), to.to_owned(), port.map(str::to_owned));
        self.lock().links.insert(route, url.to_owned());
    }
}

/// The values of placeholders, as one service sees them.
pub(super) trait Values {
    /// The address to listen on at its main or a named port.
    fn listen(&self, spec: &Spec, port: Option<&str>) -> Option<String>;
    /// The path of one of its volumes.
    fn volume(&self, spec: &Spec, volume: &str) -> Option<String>;
    /// The path of a binary that lies beside its own.
    fn binary(&self, spec: &Spec, name: &str) -> Option<String>;
    /// The base URL of a service, at its main or a named port.
    fn service(&self, name: &str, port: Option<&str>) -> Option<String>;
    /// What the harness itself listens on.
    fn urls(&self) -> &HarnessUrls;

    /// A placeholder with the same value for every service.
    fn shared(&self, name: &str) -> Option<String> {
        let mut parts = name.split('.');
        match (parts.next()?, parts.next(), parts.next(), parts.next()) {
            ("service", Some(name), port, None) => self.service(name, port),
            ("alerts", None, None, None) => Some(self.urls().lock().alerts.clone().unwrap_or_default()),
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
        self.urls().lock().links.get(&route).cloned()
    }

    /// Any placeholder of a service's own texts.
    fn placeholder(&self, spec: &Spec, name: &str) -> Option<String> {
        match name.split_once('.').unwrap_or((name, "")) {
            ("release", "") => Some(spec.release.clone()),
            ("listen", "") => self.listen(spec, None),
            ("listen", port) => self.listen(spec, Some(port)),
            ("volume", name) => self.volume(spec, name),
            ("bin", name) => self.binary(spec, name),
            // A proxy on the link first: the service then connects through it.
            ("service", other) => self.link(spec, other).or_else(|| self.shared(name)),
            _ => self.shared(name),
        }
    }
}

/// A service's arguments and environment with all placeholders filled.
pub(super) fn fill(
    values: &dyn Values,
    spec: &Spec,
) -> Result<(Vec<String>, BTreeMap<String, String>), Error> {
    let text = |text: &String| {
        template::render(text, |name| values.placeholder(spec, name).map(Cow::from)).map_err(|error| {
            Error::Operation {
                operation: "configure",
                service: spec.name.clone(),
                cause: format!("`{text}`: {error}").into(),
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
