//! One request over one connection, with its stamps: no pool but our own, no redirect, and no repeat but one: a request on
//! a kept connection that turns out to be closed is sent again on a new one, as browsers and HTTP libraries do.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::answer::Answer;
use super::body;
use super::counted::Counted;
use super::prepared::{Concrete, Limits, Want};
use firedrill_model::sample::{Bad, Mode, Outcome, Void};

/// What one exchange came to: the answer, or why there is none; and when.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) sent: Instant,
    pub(super) first: Option<Instant>,
    pub(super) ended: Instant,
    /// The request was repeated on a new connection.
    pub(super) reconnected: bool,
    pub(super) result: Result<Answer, Outcome>,
}

/// A way to a service: new connections each time, or kept ones. Kept ones that the other side closed while idle are
/// dropped before anything is sent on them.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) entry: SocketAddr,
    host: HeaderValue,
    mode: Mode,
    idle: Mutex<Vec<Connection>>,
}

/// A connection to it.
#[derive(Debug)]
struct Connection {
    requests: SendRequest<Full<Bytes>>,
    /// How many bytes have come over it.
    received: Arc<AtomicU64>,
}

/// What became known of an exchange on its way, also when it is given up.
#[derive(Debug, Default)]
struct Progress {
    first: Option<Instant>,
    reconnected: bool,
}

impl Way {
    pub(super) fn new(entry: SocketAddr, mode: Mode) -> Self {
        let host = HeaderValue::from_str(&entry.to_string()).unwrap_or(HeaderValue::from_static("localhost"));
        Self {
            entry,
            host,
            mode,
            idle: Mutex::default(),
        }
    }

    /// Sends a request and reads its whole answer, for at most `timeout`.
    pub(super) async fn exchange(&self, concrete: &Concrete, timeout: Duration) -> Exchange {
        // Before the connection is made, for which users wait too.
        let sent = Instant::now();
        let mut progress = Progress::default();
        let result = match tokio::time::timeout(timeout, self.attempt(concrete, &mut progress)).await {
            Ok(result) => result,
            Err(_) => Err(Outcome::Bad(Bad::Timeout)),
        };
        Exchange {
            sent,
            first: progress.first,
            ended: Instant::now(),
            reconnected: progress.reconnected,
            result,
        }
    }

    async fn attempt(&self, concrete: &Concrete, progress: &mut Progress) -> Result<Answer, Outcome> {
        if let Some(mut kept) = self.idle_connection().await {
            let received = kept.received();
            match kept.requests.send_request(self.request(concrete)).await {
                Ok(answer) => return self.answer(kept, answer, &concrete.want, progress).await,
                // The server may have closed it while the request was on its way. Without a byte of an answer nobody
                // can tell, and for an idempotent method nobody has to (RFC 9110, 9.2.2).
                Err(error)
                    if concrete.method.is_idempotent() && !error.is_user() && kept.received() == received =>
                {
                    progress.reconnected = true;
                }
                Err(error) => return Err(broken(&error)),
            }
        }
        let mut connection = self.dial(concrete.want.limits).await?;
        let sent = connection.requests.send_request(self.request(concrete)).await;
        let answer = sent.map_err(|error| broken(&error))?;
        self.answer(connection, answer, &concrete.want, progress).await
    }

    /// Reads the rest of an answer whose head has come, and keeps the connection if this way keeps any.
    async fn answer(
        &self,
        connection: Connection,
        answer: Response<Incoming>,
        want: &Want,
        progress: &mut Progress,
    ) -> Result<Answer, Outcome> {
        progress.first = Some(Instant::now());
        let (head, body) = answer.into_parts();
        let body = match body::read(body, &head.headers, want).await {
            // The head alone shows that the answer is wrong, whatever its body is.
            Err(Outcome::Void(_)) if !want.allows(head.status) => body::Read::nothing(),
            read => read?,
        };
        // A body that was left before its end is still on its way over the connection.
        if self.mode == Mode::Reused && body.whole {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
        }
        Ok(Answer::new(head.status, head.headers, body.bytes))
    }

    /// An idle connection that is still open.
    async fn idle_connection(&self) -> Option<Connection> {
        loop {
            // The last one that was used: it has been idle for the shortest time.
            let mut connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if !connection.requests.is_closed() && connection.requests.ready().await.is_ok() {
                return Some(connection);
            }
        }
    }

    async fn dial(&self, limits: Limits) -> Result<Connection, Outcome> {
        let stream = TcpStream::connect(self.entry)
            .await
            .map_err(|error| not_connected(&error))?;
        // Otherwise the kernel may hold a small request back until earlier data is acknowledged.
        stream.set_nodelay(true).map_err(|error| not_connected(&error))?;
        let received = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            stream,
            received: Arc::clone(&received),
        };
        // Lenient where browsers are: folded headers, and blanks before the colon.
        let (requests, connection) = Builder::new()
            .max_headers(limits.headers)
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .handshake(TokioIo::new(counted))
            .await
            .map_err(|error| broken(&error))?;
        // It ends with the connection; its error reaches the request.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Connection { requests, received })
    }

    fn request(&self, concrete: &Concrete) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(concrete.body.clone()));
        *request.method_mut() = concrete.method.clone();
        *request.uri_mut() = concrete.uri.clone();
        *request.headers_mut() = concrete.headers.clone();
        // A virtual host is asked for by its own name, at the entry's address.
        request
            .headers_mut()
            .entry(header::HOST)
            .or_insert_with(|| self.host.clone());
        if self.mode == Mode::New {
            // The side that closes first keeps the port for a minute: let that be the server's.
            request
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        request
    }
}

impl Connection {
    fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

/// What a failed connection attempt means: a bad answer of the service, or a failure of the prober.
pub(super) fn not_connected(error: &std::io::Error) -> Outcome {
    use std::io::ErrorKind as Kind;
    match (
        error.kind(),
        error.raw_os_error().map(rustix::io::Errno::from_raw_os_error),
    ) {
        (_, Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE)) => Outcome::Void(Void::Descriptors),
        (Kind::AddrNotAvailable, _) => Outcome::Void(Void::Ports),
        (Kind::TimedOut, _) => Outcome::Bad(Bad::Timeout),
        (Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::NotConnected, _) => {
            Outcome::Bad(Bad::Reset)
        }
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
