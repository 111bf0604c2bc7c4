//! How users reach the services: where each listens for them, and what the commands of journeys need.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::command::Commands;
use super::error::Error;
use firedrill_model::scenario::template::{ServiceAddress, Template};
use firedrill_model::scenario::{Journey, System};

/// Where users reach the services of a system, and how their commands run. An address is the same over every restart of its
/// service.
#[derive(Debug, Clone)]
pub struct Reach {
    /// The main port of the entry.
    pub entry: SocketAddr,
    /// Each service that a journey names, with the named port; the main one without it.
    pub services: BTreeMap<(String, Option<String>), SocketAddr>,
    /// How commands run.
    pub commands: Commands,
}

/// A system whose journeys ask its entry over HTTP and TCP.
impl From<SocketAddr> for Reach {
    fn from(entry: SocketAddr) -> Self {
        Self {
            entry,
            services: BTreeMap::new(),
            commands: Commands::default(),
        }
    }
}

impl Reach {
    /// The address that a journey asks.
    ///
    /// # Errors
    /// [`Error::NoAddress`] for a service that is not among these.
    pub fn asked(&self, system: &System, journey: &Journey) -> Result<SocketAddr, Error> {
        if journey.service.is_none() && journey.port.is_none() {
            return Ok(self.entry);
        }
        let service = journey.service.as_deref().unwrap_or_else(|| system.entry_name());
        self.of(service, journey.port.as_deref())
    }

    fn of(&self, service: &str, port: Option<&str>) -> Result<SocketAddr, Error> {
        let key = (service.to_owned(), port.map(str::to_owned));
        let known = self.services.get(&key).copied();
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
            let url = format!("http://{}", self.of(service, port)?);
            let value = part.of(&url).unwrap_or_default().to_owned();
            parts.insert(placeholder.to_owned(), value);
        }
        let filled = template.filled(|name| parts.get(name).map(String::as_str));
        Template::parse(&filled).map_err(|source| Error::template(text, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_s_address_is_filled_and_records_stay() {
        let entry: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let admin = (
            ("db".to_owned(), Some("admin".to_owned())),
            "127.0.0.1:5433".parse().unwrap(),
        );
        let main = (("db".to_owned(), None), "127.0.0.1:5432".parse().unwrap());
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
