//! A new connection to an endpoint: TCP, then TLS where the service speaks it, then HTTP/1.1 or HTTP/2.
//!
//! Takes an endpoint; gives a [`Connection`] that is ready for a request, or why there is none.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, Uri};
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::counted::Counted;
use crate::endpoint::{Endpoint, H2, Secured};
use crate::observer::{Protocol, TlsVersion};
use firedrill_model::sample::{Bad, Outcome, Void};
use firedrill_model::scenario::Http;

/// The longest head of an answer over HTTP/2, as hyper has it for HTTP/1.1.
const LONGEST_HEAD: u32 = 400 << 10;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// A TLS handshake that failed.
    #[error("TLS failed: {0}")]
    Tls(#[source] rustls::Error),
    /// HTTP/2 was asked for, and the service speaks something else.
    #[error("TLS failed: the service did not choose HTTP/2 (ALPN)")]
    NoHttp2,
    /// The connection broke, or spoke no HTTP.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// A request that cannot be sent.
    #[error(transparent)]
    Invalid(#[from] http::Error),
    /// It took too long.
    #[error("no answer within {}", firedrill_model::format::span(*.0))]
    TimedOut(Duration),
}

/// A connection over which requests can be sent: one at a time over HTTP/1.1, many over HTTP/2.
#[derive(Debug)]
pub(crate) struct Connection {
    requests: Requests,
    /// How many bytes of HTTP have come over it. Shared by the clones of a connection, and different for each connection.
    received: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Requests {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// A new connection. Answers may have so many header lines.
    pub(crate) async fn open(endpoint: &Endpoint, headers: usize) -> Result<Self, NoAnswer> {
        let opened = Self::dial(endpoint, headers).await;
        if let Some(observer) = &endpoint.observer {
            match &opened {
                Ok((_, protocol)) => observer.connected(*protocol),
                Err(error) => observe(observer, error),
            }
        }
        opened.map(|(connection, _)| connection)
    }

    async fn dial(endpoint: &Endpoint, headers: usize) -> Result<(Self, Protocol), NoAnswer> {
        let stream = TcpStream::connect(endpoint.address).await;
        let stream = stream.map_err(NoAnswer::Connect)?;
        // Otherwise the kernel may hold a small request back until earlier data is acknowledged.
        stream.set_nodelay(true).map_err(NoAnswer::Connect)?;
        let Some(secured) = &endpoint.tls else {
            let http2 = endpoint.http == Http::Two;
            let protocol = Protocol { http2, tls: None };
            return Ok((Self::speak(stream, http2, headers).await?, protocol));
        };
        let stream = handshake(secured, stream).await?;
        let (_, session) = stream.get_ref();
        let http2 = session.alpn_protocol() == Some(H2);
        if endpoint.http == Http::Two && !http2 {
            return Err(NoAnswer::NoHttp2);
        }
        let tls = match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => TlsVersion::V12,
            _ => TlsVersion::V13,
        };
        let protocol = Protocol {
            http2,
            tls: Some(tls),
        };
        Ok((Self::speak(stream, http2, headers).await?, protocol))
    }

    /// Begins to speak HTTP.
    async fn speak<S>(stream: S, http2: bool, headers: usize) -> Result<Self, NoAnswer>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let received = Arc::new(AtomicU64::new(0));
        let stream = TokioIo::new(Counted {
            stream,
            received: Arc::clone(&received),
        });
        // Each connection's task ends with it; its error reaches the request.
        let requests = if http2 {
            let (requests, connection) = http2::Builder::new(TokioExecutor::new())
                .max_header_list_size(LONGEST_HEAD)
                .handshake(stream)
                .await?;
            tokio::spawn(async move { drop(connection.await) });
            Requests::Http2(requests)
        } else {
            // Lenient where browsers are: folded headers, and blanks before the colon.
            let (requests, connection) = http1::Builder::new()
                .max_headers(headers)
                .allow_obsolete_multiline_headers_in_responses(true)
                .allow_spaces_after_header_name_in_responses(true)
                .handshake(stream)
                .await?;
            tokio::spawn(async move { drop(connection.await) });
            Requests::Http1(requests)
        };
        Ok(Self { requests, received })
    }

    /// The same connection for another request at the same time, where HTTP allows that.
    pub(crate) fn share(&self) -> Option<Self> {
        match &self.requests {
            Requests::Http1(_) => None,
            Requests::Http2(requests) => Some(Self {
                requests: Requests::Http2(requests.clone()),
                received: Arc::clone(&self.received),
            }),
        }
    }

    /// Whether it is a clone of another one.
    pub(crate) fn is(&self, other: &Arc<AtomicU64>) -> bool {
        Arc::ptr_eq(&self.received, other)
    }

    /// What tells it from others.
    pub(crate) fn identity(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.received)
    }

    pub(crate) fn is_http2(&self) -> bool {
        matches!(self.requests, Requests::Http2(_))
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Whether it is open, and takes a request.
    pub(crate) async fn is_usable(&mut self) -> bool {
        match &mut self.requests {
            Requests::Http1(requests) => !requests.is_closed() && requests.ready().await.is_ok(),
            Requests::Http2(requests) => !requests.is_closed() && requests.ready().await.is_ok(),
        }
    }

    /// Sends a request; the head of its answer.
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        match &mut self.requests {
            Requests::Http1(requests) => requests.send_request(request).await,
            Requests::Http2(requests) => requests.send_request(request).await,
        }
    }

    /// A request as this connection's version of HTTP has it. `once`: no other one follows.
    pub(crate) fn request(
        &self,
        endpoint: &Endpoint,
        (method, uri): (&Method, &Uri),
        headers: &HeaderMap,
        body: &Bytes,
        once: bool,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = method.clone();
        *request.headers_mut() = headers.clone();
        let headers = request.headers_mut();
        if self.is_http2() {
            // The host is a part of the URI there (RFC 9113, 8.3.1).
            let host = headers.remove(header::HOST);
            let authority = match host {
                Some(host) => Authority::try_from(host.as_bytes())?,
                None => endpoint.authority.clone(),
            };
            let mut parts = uri.clone().into_parts();
            (parts.scheme, parts.authority) = (Some(endpoint.scheme()), Some(authority));
            *request.uri_mut() = Uri::from_parts(parts)?;
        } else {
            if !headers.contains_key(header::HOST) {
                // A virtual host is asked for by its own name, at the endpoint's address.
                headers.insert(header::HOST, HeaderValue::from_str(endpoint.authority.as_str())?);
            }
            if once {
                // The side that closes first keeps the port for a minute: let that be the server's.
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            *request.uri_mut() = uri.clone();
        }
        Ok(request)
    }
}

async fn handshake(secured: &Secured, stream: TcpStream) -> Result<TlsStream<TcpStream>, NoAnswer> {
    let connector = TlsConnector::from(Arc::clone(&secured.config));
    let connected = connector.connect(secured.name.clone(), stream).await;
    connected.map_err(|error| match of_tls(&error) {
        Some(tls) => NoAnswer::Tls(tls.clone()),
        // The connection broke on the way.
        None => NoAnswer::Connect(error),
    })
}

/// The error of TLS inside one of a connection, if it is one.
fn of_tls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// The first cause of an error that is of one type.
fn cause<T: std::error::Error + 'static>(error: &hyper::Error) -> Option<&T> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

impl NoAnswer {
    /// The error of TLS that it comes from. A service may refuse a client's certificate after the handshake.
    fn tls(&self) -> Option<&rustls::Error> {
        match self {
            Self::Tls(error) => Some(error),
            Self::Http(error) => of_tls(cause::<io::Error>(error)?),
            _ => None,
        }
    }

    /// What it means for a user: a bad answer of the service, or a failure of the prober.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.tls().is_some() {
            // Whatever is wrong with a certificate: users are turned away.
            return Outcome::Bad(Bad::Tls);
        }
        match self {
            Self::Tls(_) | Self::NoHttp2 => Outcome::Bad(Bad::Tls),
            Self::Connect(error) => not_connected(error),
            Self::Http(error) => broken(error),
            // The request itself is invalid: nothing of it reached the service.
            Self::Invalid(_) => Outcome::Void(Void::Unsendable),
            Self::TimedOut(_) => Outcome::Bad(Bad::Timeout),
        }
    }
}

/// Tells why TLS failed. A refused connection is an outcome that says all there is.
pub(crate) fn observe(observer: &crate::observer::Observer, error: &NoAnswer) {
    match error {
        NoAnswer::NoHttp2 => observer.failed(&error.to_string()),
        error => {
            if let Some(cause) = error.tls() {
                observer.failed(&NoAnswer::Tls(cause.clone()).to_string());
            }
        }
    }
}

/// What a failed connection attempt means: a bad answer of the service, or a failure of the prober.
pub(super) fn not_connected(error: &io::Error) -> Outcome {
    use std::io::ErrorKind as Kind;
    match (
        error.kind(),
        error.raw_os_error().map(rustix::io::Errno::from_raw_os_error),
    ) {
        (_, Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE)) => Outcome::Void(Void::Descriptors),
        (Kind::AddrNotAvailable, _) => Outcome::Void(Void::Ports),
        (Kind::TimedOut, _) => Outcome::Bad(Bad::Timeout),
        (
            Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::BrokenPipe
            | Kind::NotConnected
            // Closed in the middle of a handshake.
            | Kind::UnexpectedEof,
            _,
        ) => Outcome::Bad(Bad::Reset),
        // Whatever else the cause: users cannot connect.
        _ => Outcome::Bad(Bad::Refused),
    }
}

/// A connection that broke, or spoke no HTTP, before the answer was whole. A request that could not be made at all is
/// our own fault.
fn broken(error: &hyper::Error) -> Outcome {
    if error.is_user() {
        // The request itself is invalid: nothing of it reached the service.
        Outcome::Void(Void::Unsendable)
    } else if error.is_parse_too_large() {
        Outcome::Void(Void::HeaderLimit)
    } else {
        Outcome::Bad(Bad::Reset)
    }
}

/// Whether a request that failed on a kept connection may be sent again. `silent`: no byte has come since it was sent.
pub(crate) fn may_be_repeated(
    error: &hyper::Error,
    method: &Method,
    connection: &Connection,
    silent: bool,
) -> bool {
    if error.is_user() {
        return false;
    }
    let idempotent = method.is_idempotent();
    if !connection.is_http2() {
        // The server may have closed it while the request was on its way. Without a byte of an answer nobody can tell, and
        // for an idempotent method nobody has to (RFC 9110, 9.2.2).
        return idempotent && silent;
    }
    match cause::<h2::Error>(error) {
        // The server says that it did not process the request: closing (GOAWAY), or busy (RFC 9113, 8.7).
        Some(error) if error.is_remote() && error.is_go_away() => true,
        Some(error) if error.is_remote() && error.is_reset() => {
            error.reason() == Some(h2::Reason::REFUSED_STREAM)
        }
        Some(error) => idempotent && error.is_io(),
        // The connection was closing before the request left.
        None if error.is_canceled() => true,
        // The connection broke before the head of the answer. Bytes on it may belong to other answers.
        None => idempotent,
    }
}
