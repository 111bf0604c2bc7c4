//! The same page over TLS, in HTTP/2 or HTTP/1.1 as the client likes, and what the prober needs to ask for it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use firedrill::Plan;
use firedrill::probe::Endpoint;
use firedrill::scenario::{Http, Tls};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::probing::Failure;

/// Serves at an address for good, on one thread.
///
/// # Errors
/// When it cannot listen.
pub fn serve(address: SocketAddr, ready: impl FnOnce()) -> Result<(), Failure> {
    let acceptor = acceptor()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        ready();
        loop {
            let (stream, _) = listener.accept().await?;
            let acceptor = acceptor.clone();
            // A client that goes away ends its own task only.
            tokio::spawn(async move { connection(acceptor, stream).await });
        }
    })
}

fn acceptor() -> Result<TlsAcceptor, Failure> {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config).into())
}

async fn connection(acceptor: TlsAcceptor, stream: TcpStream) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let answer = service_fn(async |_: Request<Incoming>| {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"page"))))
    });
    let stream = TokioIo::new(stream);
    if http2 {
        let http = http2::Builder::new(TokioExecutor::new());
        http.serve_connection(stream, answer).await?;
    } else {
        http1::Builder::new().serve_connection(stream, answer).await?;
    }
    Ok(())
}

/// A plan's only service, asked over TLS at an address.
///
/// # Errors
/// When TLS cannot be set up.
pub fn endpoint(plan: &Plan, address: SocketAddr, http: Http) -> Result<Endpoint, Failure> {
    let mut service = plan.system.services["app"].clone();
    service.tls = Some(Tls {
        verify: false,
        ..Tls::default()
    });
    service.http = http;
    Ok(Endpoint::new(address, &service, None, Path::new(""))?)
}
