//! Whose certificate is trusted: that of a listed authority, of one that this machine trusts, or anybody's.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::EndpointError;

type Verifier = Arc<dyn ServerCertVerifier>;

/// The authorities of the system's own store, or of the file that `SSL_CERT_FILE` names.
pub(super) fn of_this_machine(provider: &Arc<CryptoProvider>) -> Result<Verifier, EndpointError> {
    let mut roots = RootCertStore::empty();
    // Stores have entries that are no certificates: what can be used of them is enough.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(EndpointError::NoAuthorities);
    }
    Ok(WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build()?)
}

/// The listed authorities; and a listed certificate itself, for a service that signed its own.
pub(super) fn listed(
    listed: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Verifier, EndpointError> {
    let mut roots = RootCertStore::empty();
    for certificate in &listed {
        roots.add(certificate.clone())?;
    }
    let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    Ok(Arc::new(Verifying {
        trust: Trust::Listed(authorities.build()?, listed),
        provider: Arc::clone(provider),
    }))
}

/// Anybody: the service only has to have the key of the certificate that it shows.
pub(super) fn anybody(provider: &Arc<CryptoProvider>) -> Verifier {
    Arc::new(Verifying {
        trust: Trust::Anybody,
        provider: Arc::clone(provider),
    })
}

/// A certificate that signed itself has an error without words of its own; what it lacks is an issuer that is known.
fn plain(error: Error) -> Error {
    match error {
        Error::InvalidCertificate(CertificateError::Other(_)) => CertificateError::UnknownIssuer.into(),
        error => error,
    }
}

/// Whether the only thing wrong with a certificate is its issuer. Listing a certificate does not make it valid after its expiry.
fn is_about_issuer(error: &Error) -> bool {
    let about = [CertificateError::UnknownIssuer, CertificateError::BadSignature];
    match error {
        // An authority in the place of a service has no error of its own.
        Error::InvalidCertificate(CertificateError::Other(_)) => true,
        Error::InvalidCertificate(error) => about.contains(error),
        _ => false,
    }
}

/// Who is trusted.
#[derive(Debug)]
enum Trust {
    /// Listed authorities, and listed certificates themselves.
    Listed(Arc<WebPkiServerVerifier>, Vec<CertificateDer<'static>>),
    /// Anybody.
    Anybody,
}

/// Whoever is trusted must have the key of the certificate that they show.
#[derive(Debug)]
struct Verifying {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifying {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Trust::Listed(authorities, listed) = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        match authorities.verify_server_cert(shown, between, name, ocsp, now) {
            // As an authority, a certificate that signed itself is refused in this place; as a listed one, it is the service's.
            Err(error) if listed.contains(shown) && is_about_issuer(&error) => {
                verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified.map_err(plain),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
