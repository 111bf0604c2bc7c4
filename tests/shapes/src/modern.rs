//! The same pages over TLS, over HTTP/2, or both.
//!
//! The certificate with its key is in the variable `SHAPES_TLS_` and the release, as PEM: each release shows its own. With
//! `SHAPES_CLIENT_CA`, clients must show a certificate of that authority.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::serve::{Request, Service};
use crate::{Args, Shape};

/// Connections are told to end so soon: in the middle of requests, and between them.
const SHORT_LIFE: Duration = Duration::from_millis(40);

/// Serves the connections of a listener.
pub(crate) fn accept(args: &Args, service: Arc<Service>, listener: TcpListener) -> io::Result<()> {
    let acceptor = match args.shape {
        Shape::Http2 => None,
        _ => Some(acceptor(&args.release)?),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    listener.set_nonblocking(true)?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let (service, acceptor) = (Arc::clone(&service), acceptor.clone());
            // A client that goes away ends its own task only.
            tokio::spawn(async move { converse(service, acceptor, stream).await });
        }
    })
}

fn acceptor(release: &str) -> io::Result<TlsAcceptor> {
    let pem = std::env::var(format!("SHAPES_TLS_{release}")).map_err(io::Error::other)?;
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let config = match std::env::var("SHAPES_CLIENT_CA") {
        Err(_) => config.with_no_client_auth(),
        Ok(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates(&authority)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build();
            config.with_client_cert_verifier(verifier.map_err(io::Error::other)?)
        }
    };
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(io::Error::other)?;
    let config = config.with_single_cert(certificates(&pem)?, key);
    let mut config = config.map_err(io::Error::other)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config).into())
}

fn certificates(pem: &str) -> io::Result<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_slice_iter(pem.as_bytes());
    all.collect::<Result<_, _>>().map_err(io::Error::other)
}

async fn converse(
    service: Arc<Service>,
    acceptor: Option<TlsAcceptor>,
    stream: TcpStream,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let Some(acceptor) = acceptor else {
        return Ok(over_http2(service, stream).await?);
    };
    let stream = acceptor.accept(stream).await?;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        return Ok(over_http2(service, stream).await?);
    }
    let answer = service_fn(move |request| answer(Arc::clone(&service), request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    Ok(connection.await?)
}

async fn over_http2<S>(service: Arc<Service>, stream: S) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let short = service.args.shape == Shape::Goaway;
    let answer = service_fn(move |request| answer(Arc::clone(&service), request));
    let connection = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    if short {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = tokio::time::sleep(SHORT_LIFE) => connection.as_mut().graceful_shutdown(),
        }
    }
    connection.await
}

async fn answer(
    service: Arc<Service>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes());
    let request = Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        host: head.uri.host().unwrap_or_default().to_owned(),
        cookie: head
            .headers
            .get("cookie")
            .and_then(|line| line.to_str().ok())
            .unwrap_or_default()
            .to_owned(),
        body: String::from_utf8_lossy(&body.unwrap_or_default()).into_owned(),
    };
    let number = service.answers.fetch_add(1, Ordering::Relaxed);
    let answer = service.answer(&request, number);
    let status = answer.status.split(' ').next().unwrap_or_default();
    let mut response = hyper::Response::builder()
        .status(status)
        .header("x-release", &service.args.release);
    if let Some(location) = answer.location {
        response = response.header("location", location);
    }
    for cookie in answer.cookies {
        response = response.header("set-cookie", cookie);
    }
    let response = response.body(Full::from(answer.body));
    // Made of a fixed list of statuses and of a release that is a word.
    Ok(response.unwrap_or_default())
}
