//! How users reach the services: where each listens for them, and what the commands of journeys need.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::command::Commands;
use super::endpoint::Endpoint;
use super::error::Error;
use super::observer::Observer;
use firedrill_model::scenario::template::{ServiceAddress, Template};
use firedrill_model::scenario::{Journey, System};

/// Where users reach the services of a system, and how their commands run. An address is the same over every restart of its
/// service.
#[derive(Debug, Clone)]
pub struct Reach {
    /// The main port of the entry.
    pub entry: Endpoint,
    /// Each service that a journey names, with the named port; the main one without it.
    pub services: BTreeMap<(String, Option<String>), Endpoint>,
    /// How commands run.
    pub commands: Commands,
}

/// A system whose journeys ask its entry over HTTP and TCP.
impl<E: Into<Endpoint>> From<E> for Reach {
    fn from(entry: E) -> Self {
        Self {
            entry: entry.into(),
            services: BTreeMap::new(),
            commands: Commands::default(),
        }
    }
}

impl Reach {
    /// The same, with an observer that reports how its connections speak and why they fail.
    pub(super) fn observed(self, observer: &Arc<Observer>) -> Self {
        let observed = |endpoint: Endpoint| endpoint.observed(Arc::clone(observer));
        let services = self.services.into_iter();
        Self {
            entry: observed(self.entry),
            services: services
                .map(|(key, endpoint)| (key, observed(endpoint)))
                .collect(),
            ..self
        }
    }

    /// Where and how a journey asks.
    ///
    /// # Errors
    /// [`Error::NoAddress`] for a service that is not among these.
    pub fn asked(&self, system: &System, journey: &Journey) -> Result<Endpoint, Error> {
        if journey.service.is_none() && journey.port.is_none() {
            return Ok(self.entry.clone());
        }
        let service = journey.service.as_deref().unwrap_or_else(|| system.entry_name());
        self.of(service, journey.port.as_deref())
    }

    fn of(&self, service: &str, port: Option<&str>) -> Result<Endpoint, Error> {
        let key = (service.to_owned(), port.map(str::to_owned));
        let known = self.services.get(&key).cloned();
        known.ok_or_else(|| Error::NoAddress {
            service: service.to_owned(),
        })
    }

    /// A text with the addresses of services in the place of their placeholders; other placeholders stay.
    pub(super) fn with_addresses(&self, text: &str) -> Result<Template, Error> {
        let template = Template::parse(text).map_err(|source| Error::template(text, source))?;
        let mut parts = BTreeMap::new();
        for placeholder in template.placeholders() {
            let Some(name) = placeholder.strip_prefix("service.") else {
                continue;
            };
            let ServiceAddress { service, port, part } = ServiceAddress::parse(name);
            let endpoint = self.of(service, port)?;
            let url = format!("{}://{}", endpoint.scheme(), endpoint.address);
            let value = part.of(&url).unwrap_or_default().to_owned();
            parts.insert(placeholder.to_owned(), value);
        }
        let filled = template.filled(|name| parts.get(name).map(String::as_str));
        Template::parse(&filled).map_err(|source| Error::template(text, source))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn a_service_s_address_is_filled_and_records_stay() {
        let entry: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let admin = (
            ("db".to_owned(), Some("admin".to_owned())),
            "127.0.0.1:5433".parse::<SocketAddr>().unwrap().into(),
        );
        let main = "127.0.0.1:5432".parse::<SocketAddr>().unwrap().into();
        let main = (("db".to_owned(), None), main);
        let reach = Reach {
            services: BTreeMap::from([admin, main]),
            ..Reach::from(entry)
        };
        let text = "{service.db.host}:{service.db.port} {service.db.admin.address} {{{link.code}";
        let template = reach.with_addresses(text).unwrap();
        let filled = template.render(|name| (name == "link.code").then(|| "nike".into()));
        assert_eq!(filled.unwrap(), "127.0.0.1:5432 127.0.0.1:5433 {nike");
        let unknown = reach.with_addresses("{service.cache.port}");
        assert!(matches!(unknown, Err(Error::NoAddress { service }) if service == "cache"));
    }
}
