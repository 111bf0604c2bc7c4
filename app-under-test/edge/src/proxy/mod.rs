//! Forwards each request to the live release and, when that fails, to the last working one.
//!
//! Takes requests of users, gives answers of one of two [`Upstream`]s, and reports what it sees to the [`Control`], which
//! alone decides. A request is held in memory until it is answered, so that it can be repeated exactly; a write carries an
//! idempotency key, so that the service executes it once although it is sent twice.

mod request;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::future::{Either, select};
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Body as HttpBody;
use tokio::time::{Instant, timeout};
use tower::ServiceExt;

use crate::body::Body;
use crate::config;
use crate::control::{Control, Routes};
use crate::event::Pair;
use crate::headers::strip_hop_by_hop;
use crate::upstream::Upstream;
use crate::watch::Failure;
use request::BufferedRequest;

/// Set on an answer of the last working release that replaces a failure of the live one.
const ANSWERED_BY_STANDBY: &str = "x-edge";

/// Counters for the admin listener.
#[derive(Debug, Default, serde::Serialize)]
pub struct Counts {
    /// Requests of users.
    pub requests: AtomicU64,
    /// Requests that were also sent to the last working release.
    pub replayed: AtomicU64,
    /// Requests that were sent again because an idle connection had been closed.
    pub reconnected: AtomicU64,
    /// Answers with a server error, of a release or of the edge.
    pub failed: AtomicU64,
}

impl Counts {
    fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A release's answer to a request.
enum Attempt {
    Answered(Response<Body>),
    /// The release failed; with its answer, if it gave one.
    Failed(Failure, Option<Response<Body>>),
}

/// Forwards requests; see the module.
pub struct Proxy<U> {
    control: Arc<Control<U>>,
    settings: config::Proxy,
    counts: Counts,
}

impl<U: Upstream> Proxy<U> {
    /// A proxy for the releases that the control chooses.
    pub fn new(control: Arc<Control<U>>, settings: config::Proxy) -> Self {
        Self {
            control,
            settings,
            counts: Counts::default(),
        }
    }

    /// The counters.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Answers a user's request.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Counts::add(&self.counts.requests);
        let request = match BufferedRequest::receive(request, &self.settings).await {
            Ok(request) => request,
            Err(refusal) => return edge_answer(refusal),
        };
        // One value for the whole request: a switch meanwhile is for the next one.
        let routes = self.control.routes();
        let mut response = match &routes.standby {
            None => self.without_standby(&routes, &request).await,
            Some(_) if !request.repeatable => self.without_standby(&routes, &request).await,
            Some(standby) => self.with_standby(&routes, &standby.service, &request).await,
        };
        if response.status().is_server_error() {
            Counts::add(&self.counts.failed);
        }
        strip_hop_by_hop(response.headers_mut());
        response
    }

    /// Sends a request to one release; on a new connection once more when the idle one had been closed, which says nothing
    /// about the release. A request that must not be sent twice gets a new connection at once.
    async fn send(&self, service: &U, request: &BufferedRequest) -> Attempt {
        let mut answer = service
            .clone()
            .oneshot(request.to_http(!request.repeatable))
            .await;
        // The release had closed an idle connection: that says nothing about it.
        if request.repeatable && answer.as_ref().is_err_and(|broken| broken.stale) {
            Counts::add(&self.counts.reconnected);
            answer = service.clone().oneshot(request.to_http(true)).await;
        }
        match answer {
            Ok(response) if response.status().is_server_error() => {
                Attempt::Failed(Failure::Status(response.status()), Some(response))
            }
            Ok(response) => Attempt::Answered(response),
            Err(broken) => Attempt::Failed(Failure::Broken(broken.cause), None),
        }
    }

    /// The same, with the time limit for every answer.
    async fn send_in_time(&self, service: &U, request: &BufferedRequest) -> Attempt {
        let limit = self.settings.give_up;
        let sent = timeout(limit, self.send(service, request)).await;
        sent.unwrap_or(Attempt::Failed(Failure::Late(limit), None))
    }

    /// Without a standby, or when the request must not be repeated, the answer of the live release is forwarded as it is.
    async fn without_standby(&self, routes: &Routes<U>, request: &BufferedRequest) -> Response<Body> {
        match self.send_in_time(&routes.live.service, request).await {
            Attempt::Answered(response) => response,
            Attempt::Failed(failure, response) => {
                self.control.failed_alone(routes, &request.name(), &failure);
                response.unwrap_or_else(|| edge_answer(status_of(&failure)))
            }
        }
    }

    /// The live release first; the standby as well when the live one fails or has not answered by the deadline.
    async fn with_standby(
        &self,
        routes: &Routes<U>,
        standby: &U,
        request: &BufferedRequest,
    ) -> Response<Body> {
        let (began, deadline) = (Instant::now(), self.settings.deadline);
        let mut live = pin!(self.send_in_time(&routes.live.service, request));
        match timeout(deadline, &mut live).await {
            Ok(Attempt::Answered(response)) => return response,
            Ok(Attempt::Failed(failure, response)) => {
                Counts::add(&self.counts.replayed);
                let other = self.send_in_time(standby, request).await;
                return self.compare(routes, request, began, (failure, response), other);
            }
            // Late, and perhaps still right: from here on the first right answer of the two wins.
            Err(_) => {}
        }
        // A timer that fires late means that this process was not running: the release may be innocent.
        let stalled = began.elapsed() > deadline + deadline / 4;
        Counts::add(&self.counts.replayed);
        let other = pin!(self.send_in_time(standby, request));
        match select(live, other).await {
            Either::Left((Attempt::Answered(response), _)) => response,
            Either::Left((Attempt::Failed(failure, response), other)) => {
                self.compare(routes, request, began, (failure, response), other.await)
            }
            // The user gets this answer, and no release is blamed.
            Either::Right((Attempt::Answered(response), _)) if stalled => from_standby(response),
            Either::Right((other @ Attempt::Answered(_), _)) => {
                self.compare(routes, request, began, (Failure::Late(deadline), None), other)
            }
            // The standby failed first: the live release may still answer.
            Either::Right((other, live)) => match live.await {
                Attempt::Answered(response) => response,
                Attempt::Failed(failure, response) => {
                    self.compare(routes, request, began, (failure, response), other)
                }
            },
        }
    }

    /// Reports the live release's failure together with the standby's answer, and chooses the answer for the user.
    fn compare(
        &self,
        routes: &Routes<U>,
        request: &BufferedRequest,
        began: Instant,
        (failure, response): (Failure, Option<Response<Body>>),
        other: Attempt,
    ) -> Response<Body> {
        match other {
            Attempt::Answered(answer) => {
                let pair = Pair {
                    at: jiff::Timestamp::now(),
                    request: request.name(),
                    new: failure.to_string(),
                    old: answer.status().as_u16(),
                };
                self.control.pair(routes, pair, &failure, began);
                from_standby(answer)
            }
            Attempt::Failed(others, answer) => {
                self.control
                    .both_failed(routes, &request.name(), &failure, &others);
                // The failure of a release says more to its user than one of the edge.
                let given = response.or(answer);
                given.unwrap_or_else(|| edge_answer(status_of(&failure)))
            }
        }
    }
}

/// An answer that the edge gives itself.
fn edge_answer(status: StatusCode) -> Response<Body> {
    let text = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "The request is too large.\n",
        StatusCode::BAD_REQUEST => "The request is invalid.\n",
        StatusCode::MISDIRECTED_REQUEST => "This host is not served here.\n",
        StatusCode::METHOD_NOT_ALLOWED => "CONNECT is not supported.\n",
        StatusCode::REQUEST_TIMEOUT => "The request took too long to arrive.\n",
        StatusCode::GATEWAY_TIMEOUT => "The service did not answer in time.\n",
        _ => "The service did not answer.\n",
    };
    let mut response = Response::new(Body::text(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn status_of(failure: &Failure) -> StatusCode {
    match failure {
        Failure::Status(status) => *status,
        Failure::Late(_) => StatusCode::GATEWAY_TIMEOUT,
        Failure::Broken(_) => StatusCode::BAD_GATEWAY,
    }
}

/// Marks an answer as one of the standby.
fn from_standby(mut response: Response<Body>) -> Response<Body> {
    let value = HeaderValue::from_static("answered by the last working release");
    response.headers_mut().insert(ANSWERED_BY_STANDBY, value);
    response
}
