//! The values of the placeholders in a service's arguments and environment. Backends differ in the values alone.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Error, Source, Spec};
use firedrill_model::scenario::template::{self, ServiceAddress};

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
        match name.split_once('.') {
            Some(("service", address)) => {
                let address = ServiceAddress::parse(address);
                let url = self.service(address.service, address.port)?;
                address.part.of(&url).map(str::to_owned)
            }
            None if name == "alerts" => Some(self.urls().lock().alerts.clone().unwrap_or_default()),
            _ => None,
        }
    }

    /// The address of the proxy on the link from a service to another one, if there is a proxy.
    fn link(&self, spec: &Spec, other: &str) -> Option<String> {
        let address = ServiceAddress::parse(other);
        let route = (
            spec.name.clone(),
            address.service.to_owned(),
            address.port.map(str::to_owned),
        );
        let urls = self.urls().lock();
        address.part.of(urls.links.get(&route)?).map(str::to_owned)
    }

    /// Any placeholder of a service's own texts.
    fn placeholder(&self, spec: &Spec, name: &str) -> Option<String> {
        match name.split_once('.').unwrap_or((name, "")) {
            ("release", "") => Some(spec.release.clone()),
            ("folder", "") => match &spec.source {
                Source::Command { folder, .. } => Some(folder.display().to_string()),
                _ => None,
            },
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

/// Texts of a service with all placeholders filled.
pub(super) fn fill_texts(values: &dyn Values, spec: &Spec, texts: &[String]) -> Result<Vec<String>, Error> {
    texts.iter().map(|text| fill_text(values, spec, text)).collect()
}

fn fill_text(values: &dyn Values, spec: &Spec, text: &str) -> Result<String, Error> {
    template::render(text, |name| values.placeholder(spec, name).map(Cow::from)).map_err(|error| {
        Error::Operation {
            operation: "configure",
            service: spec.name.clone(),
            cause: format!("`{text}`: {error}").into(),
        }
    })
}

/// A service's environment with all placeholders filled.
pub(super) fn fill_env(values: &dyn Values, spec: &Spec) -> Result<BTreeMap<String, String>, Error> {
    let variables = spec.env.iter();
    variables
        .map(|(name, value)| Ok((name.clone(), fill_text(values, spec, value)?)))
        .collect()
}
