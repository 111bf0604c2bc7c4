//! How a service is asked: with TLS or without, over HTTP/1.1 or HTTP/2.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Service, is_true, yes};

/// A service that speaks TLS: everything that asks it connects with TLS and verifies its certificate (journeys, seeding,
/// reading back, readiness by `path`, deploy requests), and `{service.NAME}` begins with `https://`. `{}` is enough for a
/// certificate of `localhost` from an authority that this machine trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// A PEM file, relative to the system file, with the certificates to trust: of the authority that signed the service's,
    /// or the service's own when it signed itself. Without it, the authorities that this machine trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The host name or IP address that the certificate must be valid for (localhost). It is also the host that is asked for,
    /// unless a request has a header `Host`.
    pub server_name: String,
    /// The certificate that clients show, for a service that requires one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientCertificate>,
    /// `false`: any certificate is accepted, and every report of the drill says so (true).
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub verify: bool,
    /// Named ports that speak TLS as well as the main one (none).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            ca: None,
            server_name: "localhost".into(),
            client: None,
            verify: true,
            ports: Vec::new(),
        }
    }
}

impl Tls {
    /// Whether TLS is spoken at a named port, or at the main one.
    pub fn speaks_at(&self, port: Option<&str>) -> bool {
        port.is_none_or(|port| self.ports.iter().any(|known| known == port))
    }
}

/// What a client shows to a service that requires a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificate {
    /// A PEM file with the certificate and those between it and its authority, relative to the system file.
    pub certificate: PathBuf,
    /// A PEM file with its private key, relative to the system file.
    pub key: PathBuf,
}

/// The version of HTTP in which a service is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Http {
    /// HTTP/2 where the service speaks TLS and chooses it (ALPN), else HTTP/1.1.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// HTTP/1.1.
    #[serde(rename = "1.1")]
    One,
    /// HTTP/2: without TLS from the first byte on (prior knowledge).
    #[serde(rename = "2")]
    Two,
}

impl Http {
    pub(super) fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

impl Service {
    /// How TLS is spoken at a named port, or at the main one.
    pub fn tls_at(&self, port: Option<&str>) -> Option<&Tls> {
        self.tls.as_ref().filter(|tls| tls.speaks_at(port))
    }

    /// The version of HTTP at a named port, or at the main one. `http` is about the ports of the users' kind: a further port
    /// that does not speak the main one's TLS is asked over HTTP/1.1.
    pub fn http_at(&self, port: Option<&str>) -> Http {
        match port {
            Some(_) if self.tls_at(port).is_none() => Http::Auto,
            _ => self.http,
        }
    }

    /// Whether what passes a port is plain HTTP/1.1, which a proxy can read. If not, what it is.
    pub fn unreadable_at(&self, port: Option<&str>) -> Option<&'static str> {
        match (self.tls_at(port), self.http_at(port)) {
            (Some(_), _) => Some("TLS"),
            (None, Http::Two) => Some("HTTP/2"),
            (None, Http::Auto | Http::One) => None,
        }
    }
}
