//! The HTTP/1.1 part of a proxy: requests are parsed, and HTTP toxics act on them.
//!
//! Takes a client's bytes through a pipe in memory, after the toxics on bytes, and the connection to the service that
//! was dialled for this client alone. Bodies are streamed, never collected.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use crate::active::{ActiveToxic, ToxicList};
use crate::pump::Stopped;
use crate::toxic;

/// The size of the pipe between the toxics on bytes and the HTTP part.
pub(crate) const BUFFER: usize = 64 << 10;

type Body = BoxBody<Bytes, hyper::Error>;

/// Forwards the requests of one client over its connection to the service, until either side ends.
pub(crate) async fn forward(
    near: DuplexStream,
    service: TcpStream,
    connection: u64,
    list: watch::Receiver<ToxicList>,
) -> Result<(), Stopped> {
    let broken = |error: hyper::Error| Stopped::Broken(std::io::Error::other(error));
    let (sender, upstream) = hyper::client::conn::http1::Builder::new()
        .preserve_header_case(true)
        .handshake(TokioIo::new(service))
        .await
        .map_err(broken)?;
    let exchange = Arc::new(Exchange {
        service: Mutex::new(Service { sender, requests: 0 }),
        connection,
        list,
    });
    let server = hyper::server::conn::http1::Builder::new()
        .preserve_header_case(true)
        // The answer stays as the service wrote it.
        .auto_date_header(false)
        // A client may close its side after its last request and still wait for the answer.
        .half_close(true)
        .serve_connection(
            TokioIo::new(near),
            service_fn(move |request| {
                let exchange = Arc::clone(&exchange);
                async move { exchange.respond(request).await }
            }),
        );
    let mut server = std::pin::pin!(server);
    let mut upstream = std::pin::pin!(upstream);
    tokio::select! {
        served = &mut server => served.map_err(broken),
        // The service has closed its connection. An idle client's is closed too; a response under way is finished first.
        ended = &mut upstream => {
            ended.map_err(broken)?;
            server.as_mut().graceful_shutdown();
            server.await.map_err(broken)
        }
    }
}

/// The requests of one client, one after the other.
struct Exchange {
    service: Mutex<Service>,
    connection: u64,
    list: watch::Receiver<ToxicList>,
}

/// The connection to the service, and how many requests the client has made.
struct Service {
    sender: SendRequest<Incoming>,
    requests: u64,
}

impl Exchange {
    async fn respond(&self, request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
        // Locked for the whole exchange: one request at a time, as on a direct connection.
        let mut service = self.service.lock().await;
        let n = service.requests;
        service.requests += 1;
        self.delay(&request, n).await;
        // Asked after the delay: what was reverted meanwhile no longer acts.
        let matching = self.matching(&request, n);
        if let Some((active, status)) = matching
            .iter()
            .find_map(|active| Some((active, active.toxic.status()?)))
        {
            active.hit_request(self.connection);
            return Ok(empty_response(status));
        }
        let response = service.sender.send_request(request).await?;
        Ok(self.alter(response, &matching))
    }

    /// Delays a request, from its arrival, by the sum of all matching delays. Follows the list while it waits.
    async fn delay(&self, request: &Request<Incoming>, n: u64) {
        let arrived = Instant::now();
        let mut list = self.list.clone();
        let mut hit = BTreeSet::new();
        loop {
            // Before the list is read, so that no change is missed.
            list.mark_unchanged();
            let mut total = Duration::ZERO;
            for active in self.matching(request, n) {
                let delay = active.toxic.request_delay();
                total += delay;
                if !delay.is_zero() && hit.insert(active.id) {
                    active.hit_request(self.connection);
                }
            }
            // Counted from the arrival: a toxic that is injected or reverted meanwhile changes only what is left.
            if arrived + total <= Instant::now() {
                return;
            }
            tokio::select! {
                changed = list.changed() => if changed.is_err() { return },
                () = firedrill_wait::until_due((arrived + total).into_std()) => return,
            }
        }
    }

    /// The active HTTP toxics that affect request `n`.
    fn matching(&self, request: &Request<Incoming>, n: u64) -> Vec<Arc<ActiveToxic>> {
        let request = toxic::Request {
            method: request.method(),
            path: request.uri().path(),
        };
        let list = self.list.borrow().clone();
        let matching = list.iter().filter(|active| {
            let mut random = active.random(self.connection, None, n);
            let matching = active.toxic.matching();
            matching.is_some_and(|matching| matching.includes(request, &mut random))
        });
        matching.cloned().collect()
    }

    /// Applies header and body toxics to a response. A header or body that is not there is no hit.
    fn alter(&self, response: Response<Incoming>, matching: &[Arc<ActiveToxic>]) -> Response<Body> {
        let (mut head, body) = response.into_parts();
        let has_body = !hyper::body::Body::is_end_stream(&body);
        for active in matching {
            let header = active.toxic.dropped_header();
            let dropped = header.and_then(|name| head.headers.remove(name));
            let garbled = active.toxic.garbles_body() && has_body;
            if dropped.is_some() || garbled {
                active.hit_request(self.connection);
            }
        }
        // Garbling twice would restore the body.
        let garbles = matching.iter().any(|active| active.toxic.garbles_body());
        let body = if garbles { garble(body) } else { body.boxed() };
        Response::from_parts(head, body)
    }
}

fn empty_response(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Full::default().map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response
}

/// Changes every byte of a body and leaves its length. The flipped bits turn most letters into other printable
/// characters: a reader of text gets as far as it can.
fn garble(body: Incoming) -> Body {
    let change = |bytes: Bytes| bytes.iter().map(|byte| byte ^ 0x15).collect::<Bytes>();
    body.map_frame(move |frame| frame.map_data(change)).boxed()
}
