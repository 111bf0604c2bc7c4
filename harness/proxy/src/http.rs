//! The service's end of a link that understands HTTP/1.1: requests are told apart, and HTTP toxics act on them.
//!
//! Faces the byte toxics through a pipe in memory, and the service over the connection that was dialled for this client
//! and for nobody else. Bodies are streamed, never gathered.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use super::active::{Active, List};
use super::pump::Stopped;
use super::toxic;

/// The pipe between the byte toxics and this.
pub(super) const BUFFER: usize = 64 << 10;

type Body = BoxBody<Bytes, hyper::Error>;

/// Passes the requests of one client on to its connection to the service, until either ends.
pub(super) async fn forward(
    near: DuplexStream,
    service: TcpStream,
    connection: u64,
    list: watch::Receiver<List>,
) -> Result<(), Stopped> {
    let broken = |error: hyper::Error| Stopped::Broken(std::io::Error::other(error));
    let (sender, upstream) = hyper::client::conn::http1::Builder::new()
        .preserve_header_case(true)
        .handshake(TokioIo::new(service))
        .await
        .map_err(broken)?;
    let exchange = Arc::new(Exchange {
        sender: Mutex::new((sender, 0)),
        connection,
        list,
    });
    let server = hyper::server::conn::http1::Builder::new()
        .preserve_header_case(true)
        .auto_date_header(false)
        .half_close(true)
        .serve_connection(
            TokioIo::new(near),
            service_fn(move |request| {
                let exchange = Arc::clone(&exchange);
                async move { exchange.answer(request).await }
            }),
        );
    let mut server = std::pin::pin!(server);
    let mut upstream = std::pin::pin!(upstream);
    tokio::select! {
        served = &mut server => served.map_err(broken),
        // The service has closed: an idle client is told so, an answer that is still under way is finished first.
        ended = &mut upstream => {
            ended.map_err(broken)?;
            server.as_mut().graceful_shutdown();
            server.await.map_err(broken)
        }
    }
}

/// One client's requests, one after the other.
struct Exchange {
    sender: Mutex<(SendRequest<Incoming>, u64)>,
    connection: u64,
    list: watch::Receiver<List>,
}

impl Exchange {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
        let mut sender = self.sender.lock().await;
        let n = sender.1;
        sender.1 += 1;
        self.hold(&request, n).await;
        let struck = self.struck(&request, n);
        if let Some((active, status)) = struck
            .iter()
            .find_map(|active| Some((active, active.toxic.status()?)))
        {
            active.hit_request(self.connection);
            let mut answer = Response::new(Full::default().map_err(|never| match never {}).boxed());
            *answer.status_mut() = status;
            return Ok(answer);
        }
        let answer = sender.0.send_request(request).await?;
        Ok(self.spoil(answer, &struck))
    }

    /// Holds a request for as long as the list says, counted from its arrival.
    async fn hold(&self, request: &Request<Incoming>, n: u64) {
        let arrived = Instant::now();
        let mut list = self.list.clone();
        let mut hit = Vec::new();
        loop {
            list.mark_unchanged();
            let mut hold = Duration::ZERO;
            for active in self.struck(request, n) {
                let of_this = active.toxic.hold_request();
                hold += of_this;
                if !of_this.is_zero() && !hit.contains(&active.id) {
                    active.hit_request(self.connection);
                    hit.push(active.id);
                }
            }
            if arrived + hold <= Instant::now() {
                return;
            }
            tokio::select! {
                changed = list.changed() => if changed.is_err() { return },
                () = firedrill_wait::until_due((arrived + hold).into_std()) => return,
            }
        }
    }

    /// The HTTP toxics that apply to a request.
    fn struck(&self, request: &Request<Incoming>, n: u64) -> Vec<Arc<Active>> {
        let seen = toxic::Request {
            method: request.method(),
            path: request.uri().path(),
        };
        let list = self.list.borrow().clone();
        list.iter()
            .filter(|active| {
                active
                    .toxic
                    .applies(seen, &mut active.random(self.connection, None, n))
            })
            .cloned()
            .collect()
    }

    /// Changes an answer. What was not there to be changed is no hit.
    fn spoil(&self, answer: Response<Incoming>, struck: &[Arc<Active>]) -> Response<Body> {
        let (mut head, body) = answer.into_parts();
        for active in struck {
            let dropped = active
                .toxic
                .drops_header()
                .and_then(|name| head.headers.remove(name));
            let garbled = active.toxic.garbles() && !hyper::body::Body::is_end_stream(&body);
            if dropped.is_some() || garbled {
                active.hit_request(self.connection);
            }
        }
        let garbles = struck.iter().any(|active| active.toxic.garbles());
        let body = if garbles { garbled(body) } else { body.boxed() };
        Response::from_parts(head, body)
    }
}

/// A body of the same length in which no byte is what it was. Letters stay text, so that what reads it gets as far as
/// it can.
fn garbled(body: Incoming) -> Body {
    let spoil = |bytes: Bytes| bytes.iter().map(|byte| byte ^ 0x15).collect::<Bytes>();
    body.map_frame(move |frame| frame.map_data(spoil)).boxed()
}
