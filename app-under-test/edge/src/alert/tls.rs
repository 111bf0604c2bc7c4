//! The HTTP client for alerts, with or without TLS as the receiver's address says.
//!
//! The trusted authorities are built in, because an image made `FROM scratch` has no certificate files. A file in the
//! configuration adds more.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};

/// Does not follow redirects: a token is meant for one receiver only.
pub(super) type Client = hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of certificates cannot be read.
    #[error("alert.ca: cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: pem::Error,
    },
    /// The file contains no certificate.
    #[error("alert.ca: {} contains no certificate", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS for alerts: {0}")]
    Tls(#[from] rustls::Error),
}

/// A client that trusts the public authorities and those in a PEM file. It keeps no idle connections: alerts are rare, and
/// a connection that was closed while idle would cost an attempt.
pub(super) fn client(ca: Option<&Path>) -> Result<Client, Error> {
    let mut trusted: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    for certificate in ca.map(certificates).transpose()?.into_iter().flatten() {
        trusted.add(certificate)?;
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .build();
    Ok(hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build(connector))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => Err(Error::Empty { path: path.into() }),
        Ok(certificates) => Ok(certificates),
        Err(source) => Err(Error::Unreadable {
            path: path.into(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_reported_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(matches!(client(Some(&path)), Err(Error::Unreadable { .. })));
        std::fs::write(&path, "no certificate").unwrap();
        assert!(matches!(client(Some(&path)), Err(Error::Empty { .. })));
        assert!(client(None).is_ok());
    }
}
