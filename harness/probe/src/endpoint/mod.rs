//! Where and how a service is asked: its address, TLS or none, HTTP/1.1 or HTTP/2.
//!
//! Takes what the system file says of a service; gives an [`Endpoint`], with its certificates read and checked.

mod trust;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::uri::{Authority, Scheme};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use firedrill_model::scenario::{ClientCertificate, Http, Service, Tls};

use crate::observer::Observer;

/// What a client says in a TLS handshake for HTTP/2 (RFC 9113, 3.2).
pub(crate) const H2: &[u8] = b"h2";
/// The same for HTTP/1.1 (RFC 7301).
const HTTP11: &[u8] = b"http/1.1";

/// A service that cannot be asked over TLS, by a mistake in the system file or on this machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// A file of certificates, or a key, cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: pem::Error,
    },
    /// A file has no certificate.
    #[error("{} has no certificate", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// This machine trusts nobody.
    #[error("this machine has no certificates of authorities; set `ca`")]
    NoAuthorities,
    /// A name that no certificate can be for.
    #[error("`{name}` is not a host name")]
    ServerName {
        /// The name.
        name: String,
    },
    /// Certificates or a key that TLS cannot use.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// Certificates that cannot be used to verify others.
    #[error("cannot set up TLS: {0}")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
}

/// Where a service is asked, and how.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Secured>,
    pub(crate) http: Http,
    /// The host that is asked for, where a request names no other.
    pub(crate) authority: Authority,
    pub(crate) observer: Option<Arc<Observer>>,
}

/// How TLS is spoken.
#[derive(Debug, Clone)]
pub(crate) struct Secured {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) name: ServerName<'static>,
}

/// Plain HTTP/1.1.
impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self {
            address,
            tls: None,
            http: Http::One,
            authority: authority(&address.ip().to_string(), address),
            observer: None,
        }
    }
}

impl Endpoint {
    /// How the service at an address is asked, at its main or a named port. `folder` is the one of the system file.
    ///
    /// # Errors
    /// [`EndpointError`]: certificates that cannot be read or used.
    pub fn new(
        address: SocketAddr,
        service: &Service,
        port: Option<&str>,
        folder: &Path,
    ) -> Result<Self, EndpointError> {
        let plain = Self::from(address);
        let http = service.http_at(port);
        let Some(tls) = service.tls_at(port) else {
            return Ok(Self { http, ..plain });
        };
        let name = tls.server_name.clone();
        let Ok(server) = ServerName::try_from(name.clone()) else {
            return Err(EndpointError::ServerName { name });
        };
        let mut config = config(tls, folder)?;
        config.alpn_protocols = match http {
            Http::Auto => vec![H2.to_vec(), HTTP11.to_vec()],
            Http::One => vec![HTTP11.to_vec()],
            Http::Two => vec![H2.to_vec()],
        };
        Ok(Self {
            tls: Some(Secured {
                config: Arc::new(config),
                name: server,
            }),
            http,
            authority: authority(&name, address),
            ..plain
        })
    }

    /// The same, with an observer that reports how its connections speak and why they fail.
    pub(crate) fn observed(self, observer: Arc<Observer>) -> Self {
        Self {
            observer: Some(observer),
            ..self
        }
    }

    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> Scheme {
        match self.tls {
            Some(_) => Scheme::HTTPS,
            None => Scheme::HTTP,
        }
    }
}

/// A host, and the port of the address at which it is reached.
fn authority(host: &str, address: SocketAddr) -> Authority {
    let port = address.port();
    let text = match host.parse() {
        Ok(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
        _ => format!("{host}:{port}"),
    };
    text.parse().unwrap_or(Authority::from_static("localhost"))
}

fn config(tls: &Tls, folder: &Path) -> Result<ClientConfig, EndpointError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = match (&tls.ca, tls.verify) {
        (_, false) => trust::anybody(&provider),
        (Some(ca), true) => trust::listed(certificates(&folder.join(ca))?, &provider)?,
        (None, true) => trust::of_this_machine(&provider)?,
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &tls.client {
        None => config.with_no_client_auth(),
        Some(client) => {
            let (shown, key) = shown(client, folder)?;
            config.with_client_auth_cert(shown, key)?
        }
    };
    // A resumed session shows no certificate: each new connection must show the one that the service has now.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The certificates of a PEM file, of which there must be one at least.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, EndpointError> {
    let unreadable = |source| EndpointError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let all = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(unreadable)?;
    if all.is_empty() {
        return Err(EndpointError::NoCertificate {
            path: path.to_owned(),
        });
    }
    Ok(all)
}

fn shown(
    client: &ClientCertificate,
    folder: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), EndpointError> {
    let path = folder.join(&client.key);
    let key = PrivateKeyDer::from_pem_file(&path);
    let key = key.map_err(|source| EndpointError::Unreadable { path, source })?;
    Ok((certificates(&folder.join(&client.certificate))?, key))
}
