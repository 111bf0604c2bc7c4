//! The HTTP/1.1 client for the release in a slot, with reused connections.
//!
//! Sends each request once. The caller decides about repeating it: the error says whether the connection had been idle
//! before, in which case the release may simply have closed it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::Service;

use crate::body::Body;

/// Idle connections to one slot.
const MAX_IDLE: usize = 512;

/// A connection that broke before the answer was complete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Broken {
    /// Whether the connection had been idle before. It may have been closed meanwhile, which says nothing about the request.
    pub stale: bool,
    /// What happened.
    pub cause: String,
}

/// A request extension: use a new connection.
#[derive(Debug, Clone, Copy)]
pub struct Fresh;

/// What the proxy needs of the release in a slot. [`Slot`] is the real client; tests use services in the same process.
pub trait Upstream:
    Service<Request<Full<Bytes>>, Response = Response<Body>, Error = Broken, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Upstream for S where
    S: Service<Request<Full<Bytes>>, Response = Response<Body>, Error = Broken, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// The client for one slot. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Slot {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Host and port. The name is resolved for every new connection: a restarted container may have another address.
    authority: String,
    longest: usize,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Slot {
    /// The client for a URL (`http://host:port`). Answers up to `longest` bytes are received completely.
    pub fn new(url: &str, longest: usize) -> Self {
        let authority = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self {
            inner: Arc::new(Inner {
                authority,
                longest,
                idle: Mutex::default(),
            }),
        }
    }
}

impl Inner {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most recently used connection that is still open; closed ones are dropped.
    async fn idle_one(&self) -> Option<SendRequest<Full<Bytes>>> {
        loop {
            // The last one that was used: the release has hardly closed it by now.
            let mut sender = self.idle().pop()?;
            if !sender.is_closed() && sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Broken> {
        let failed = |cause: &dyn std::error::Error| Broken {
            stale: false,
            cause: with_causes(cause),
        };
        let stream = TcpStream::connect(&self.authority)
            .await
            .map_err(|error| failed(&error))?;
        // Without this, small requests wait for the acknowledgement of earlier ones (Nagle's algorithm).
        stream.set_nodelay(true).map_err(|error| failed(&error))?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&error))?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Response<Body>, Broken> {
        let fresh = request.extensions().get::<Fresh>().is_some();
        let idle = if fresh { None } else { self.idle_one().await };
        let stale = idle.is_some();
        let mut sender = match idle {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let broken = |error: hyper::Error| Broken {
            stale,
            cause: with_causes(&error),
        };
        let (parts, incoming) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let body = self.receive(incoming).await.map_err(broken)?;
        // A connection with an unread rest cannot carry another request.
        if matches!(body, Body::Whole(_)) && !sender.is_closed() {
            let mut idle = self.idle();
            if idle.len() < MAX_IDLE {
                idle.push(sender);
            }
        }
        Ok(Response::from_parts(parts, body))
    }

    async fn receive(&self, mut incoming: hyper::body::Incoming) -> Result<Body, hyper::Error> {
        use hyper::body::Body as _;
        let mut first = Bytes::new();
        let mut whole = BytesMut::new();
        while let Some(frame) = incoming.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            // A body of one frame, the usual case, is passed on without a copy.
            if first.is_empty() && whole.is_empty() {
                first = data;
            } else {
                if whole.is_empty() {
                    whole.extend_from_slice(&first);
                }
                whole.extend_from_slice(&data);
            }
            // Longer than memory should hold: the rest is passed on as it comes.
            if first.len().max(whole.len()) > self.longest && !incoming.is_end_stream() {
                let so_far = if whole.is_empty() { first } else { whole.freeze() };
                return Ok(Body::Rest(so_far, incoming));
            }
        }
        Ok(Body::Whole(if whole.is_empty() { first } else { whole.freeze() }))
    }
}

/// The text of an error with the texts of its causes.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Many errors already contain the text of their cause.
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

impl Service<Request<Full<Bytes>>> for Slot {
    type Response = Response<Body>;
    type Error = Broken;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Broken>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.ask(request).await })
    }
}
