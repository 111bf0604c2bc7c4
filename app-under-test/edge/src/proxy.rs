//! The way of one request: to the live release, and when that fails it, to the last working one.
//!
//! Faces users on one side and two [`Upstream`]s on the other. Every request is held until its answer is there, so that
//! it can be asked again word for word; a write carries an idempotency key, so that asked twice it happens once. What
//! is seen goes to the [`Control`], which alone decides.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Body as HttpBody;
use tokio::time::{Instant, timeout};
use tower::ServiceExt;

use crate::body::Body;
use crate::config;
use crate::control::{Control, Routes};
use crate::event::Pair;
use crate::headers::{ensure_key, strip_hop_by_hop};
use crate::upstream::{Fresh, Upstream};
use crate::watch::Failure;

/// Says on an answer that it took the last working release to give it.
const HELPED: &str = "x-edge";

/// A client has so long to send a body.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// What has gone through.
#[derive(Debug, Default, serde::Serialize)]
pub struct Counts {
    /// Requests.
    pub requests: AtomicU64,
    /// Asked of the other release too.
    pub replayed: AtomicU64,
    /// Asked again of the same release, because a connection had been closed while idle.
    pub reconnected: AtomicU64,
    /// Answered with a server error, the releases' own or the edge's.
    pub failed: AtomicU64,
}

impl Counts {
    fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A request as a whole: it can be asked any number of times.
#[derive(Debug, Clone)]
pub(crate) struct Whole {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Whole {
    fn request(&self, fresh: bool) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if fresh {
            let mut marks = Extensions::new();
            marks.insert(Fresh);
            *request.extensions_mut() = marks;
        }
        request
    }

    /// Method and path: queries may hold secrets.
    fn name(&self) -> String {
        format!("{} {}", self.method, self.uri.path())
    }
}

/// A release's try at a request.
enum Try {
    Good(Response<Body>),
    /// With the answer, when it gave one.
    Bad(Failure, Option<Response<Body>>),
}

/// See the module.
pub struct Proxy<U> {
    control: Arc<Control<U>>,
    settings: config::Proxy,
    counts: Counts,
}

impl<U: Upstream> Proxy<U> {
    /// A proxy to what the control says is live.
    pub fn new(control: Arc<Control<U>>, settings: config::Proxy) -> Self {
        Self {
            control,
            settings,
            counts: Counts::default(),
        }
    }

    /// What has gone through so far.
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
        let whole = match self.whole(request).await {
            Ok(whole) => whole,
            Err(refusal) => return own(refusal),
        };
        let routes = self.control.routes();
        let mut response = match &routes.standby {
            None => self.alone(&routes, &whole).await,
            Some(standby) => self.guarded(&routes, &standby.service, &whole).await,
        };
        if response.status().is_server_error() {
            Counts::add(&self.counts.failed);
        }
        strip_hop_by_hop(response.headers_mut());
        response
    }

    async fn whole<B>(&self, request: Request<B>) -> Result<Whole, StatusCode>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        if parts.method == Method::CONNECT {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        let body = if body.is_end_stream() {
            Bytes::new()
        } else {
            let limited = Limited::new(body, self.settings.longest_request).collect();
            timeout(BODY_WITHIN, limited)
                .await
                .map_err(|_| StatusCode::REQUEST_TIMEOUT)?
                .map_err(|error| {
                    if error.is::<LengthLimitError>() {
                        StatusCode::PAYLOAD_TOO_LARGE
                    } else {
                        StatusCode::BAD_REQUEST
                    }
                })?
                .to_bytes()
        };
        let mut headers = parts.headers;
        strip_hop_by_hop(&mut headers);
        ensure_key(&parts.method, &mut headers);
        if parts.version < Version::HTTP_11 && !headers.contains_key(header::HOST) {
            headers.insert(header::HOST, HeaderValue::from_static("edge"));
        }
        let path = parts
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .parse();
        Ok(Whole {
            method: parts.method,
            uri: path.map_err(|_| StatusCode::BAD_REQUEST)?,
            headers,
            body,
        })
    }

    /// Asks one release, once; and once more when all that is known is that an idle connection had been closed.
    async fn ask(&self, service: &U, whole: &Whole) -> Try {
        let mut answer = service.clone().oneshot(whole.request(false)).await;
        if answer.as_ref().is_err_and(|broken| broken.stale) {
            Counts::add(&self.counts.reconnected);
            answer = service.clone().oneshot(whole.request(true)).await;
        }
        match answer {
            Ok(response) if response.status().is_server_error() => {
                Try::Bad(Failure::Status(response.status()), Some(response))
            }
            Ok(response) => Try::Good(response),
            Err(broken) => Try::Bad(Failure::Broken(broken.cause), None),
        }
    }

    /// As [`Self::ask`], with an end to patience.
    async fn ask_within(&self, within: Duration, service: &U, whole: &Whole) -> Try {
        let asked = timeout(within, self.ask(service, whole)).await;
        asked.unwrap_or(Try::Bad(Failure::Late(within), None))
    }

    /// There is nobody to compare with: the answer is passed on as it is.
    async fn alone(&self, routes: &Routes<U>, whole: &Whole) -> Response<Body> {
        match self
            .ask_within(self.settings.give_up, &routes.live.service, whole)
            .await
        {
            Try::Good(response) => response,
            Try::Bad(failure, response) => {
                self.control.failed_alone(routes, &whole.name(), &failure);
                response.unwrap_or_else(|| own(status_of(&failure)))
            }
        }
    }

    /// The live release first; the standby when it fails, or has not answered by the deadline.
    async fn guarded(&self, routes: &Routes<U>, standby: &U, whole: &Whole) -> Response<Body> {
        let (began, deadline) = (Instant::now(), self.settings.deadline);
        let mut live = pin!(self.ask_within(self.settings.give_up, &routes.live.service, whole));
        match timeout(deadline, &mut live).await {
            Ok(Try::Good(response)) => response,
            Ok(Try::Bad(failure, response)) => {
                self.compare(routes, standby, whole, began, failure, response)
                    .await
            }
            Err(_) => {
                // A timer that fires late says that this process was held up: then nothing is known of the release.
                let held_up = began.elapsed() > deadline + deadline / 4;
                Counts::add(&self.counts.replayed);
                let other = pin!(self.ask_within(self.settings.give_up, standby, whole));
                match select(live, other).await {
                    Either::Left((Try::Good(response), _)) => response,
                    Either::Left((Try::Bad(failure, response), other)) => {
                        self.judge(routes, whole, began, failure, response, other.await)
                    }
                    Either::Right((Try::Good(response), _)) if held_up => helped(response),
                    Either::Right((other @ Try::Good(_), _)) => {
                        self.judge(routes, whole, began, Failure::Late(deadline), None, other)
                    }
                    Either::Right((other, live)) => match live.await {
                        Try::Good(response) => response,
                        Try::Bad(failure, response) => {
                            self.judge(routes, whole, began, failure, response, other)
                        }
                    },
                }
            }
        }
    }

    async fn compare(
        &self,
        routes: &Routes<U>,
        standby: &U,
        whole: &Whole,
        began: Instant,
        failure: Failure,
        response: Option<Response<Body>>,
    ) -> Response<Body> {
        Counts::add(&self.counts.replayed);
        let other = self.ask_within(self.settings.give_up, standby, whole).await;
        self.judge(routes, whole, began, failure, response, other)
    }

    /// What the control is told, and which of the two answers the user gets.
    fn judge(
        &self,
        routes: &Routes<U>,
        whole: &Whole,
        began: Instant,
        failure: Failure,
        response: Option<Response<Body>>,
        other: Try,
    ) -> Response<Body> {
        match other {
            Try::Good(answer) => {
                let pair = Pair {
                    at: jiff::Timestamp::now(),
                    request: whole.name(),
                    new: failure.to_string(),
                    old: answer.status().as_u16(),
                };
                self.control.pair(routes, pair, &failure, began);
                helped(answer)
            }
            Try::Bad(others, answer) => {
                self.control.both_failed(routes, &whole.name(), &failure, &others);
                let given = response.or(answer);
                given.unwrap_or_else(|| own(status_of(&failure)))
            }
        }
    }
}

/// An answer of the edge's own.
fn own(status: StatusCode) -> Response<Body> {
    let text = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "That is too long.\n",
        StatusCode::BAD_REQUEST => "That is no request.\n",
        StatusCode::METHOD_NOT_ALLOWED => "This is no tunnel.\n",
        StatusCode::REQUEST_TIMEOUT => "That took too long to come.\n",
        StatusCode::GATEWAY_TIMEOUT => "No answer in time.\n",
        _ => "No answer.\n",
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

fn helped(mut response: Response<Body>) -> Response<Body> {
    let how = HeaderValue::from_static("answered by the last working release");
    response.headers_mut().insert(HELPED, how);
    response
}
