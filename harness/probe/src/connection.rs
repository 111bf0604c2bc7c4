//! One request over one connection, with its stamps: no pool but our own, no retry, no redirect.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::answer::Answer;
use super::prepared::Concrete;
use firedrill_model::sample::{Bad, Mode, Outcome, Void};

/// An answer's body is read up to here; a longer one is wrong content.
const LONGEST_BODY: usize = 1 << 20;

/// What one exchange came to: the answer, or why there is none; and when.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) sent: Instant,
    pub(super) first: Option<Instant>,
    pub(super) ended: Instant,
    pub(super) result: Result<Answer, Outcome>,
}

/// A way to the entry: new connections each time, or kept ones. Kept ones that the other side closed while idle are
/// dropped before anything is sent on them, as every client does; one that breaks after that is a broken answer.
#[derive(Debug)]
pub(super) struct Way {
    entry: SocketAddr,
    host: HeaderValue,
    mode: Mode,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
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
        let mut first = None;
        let result = match tokio::time::timeout(timeout, self.attempt(concrete, &mut first)).await {
            Ok(result) => result,
            Err(_) => Err(Outcome::Bad(Bad::Timeout)),
        };
        Exchange {
            sent,
            first,
            ended: Instant::now(),
            result,
        }
    }

    async fn attempt(&self, concrete: &Concrete, first: &mut Option<Instant>) -> Result<Answer, Outcome> {
        let mut connection = match self.idle_connection().await {
            Some(connection) => connection,
            None => self.dial().await?,
        };
        let answer = connection
            .send_request(self.request(concrete))
            .await
            .map_err(|error| broken(&error))?;
        *first = Some(Instant::now());
        let (head, body) = answer.into_parts();
        let body = match Limited::new(body, LONGEST_BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return Err(body_error(error.as_ref())),
        };
        // Only after the whole body: a connection with an unread rest cannot carry another request.
        if self.mode == Mode::Reused {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
        }
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    /// An idle connection that is still open.
    async fn idle_connection(&self) -> Option<SendRequest<Full<Bytes>>> {
        loop {
            // The last one that was used: it has been idle for the shortest time.
            let mut connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if !connection.is_closed() && connection.ready().await.is_ok() {
                return Some(connection);
            }
        }
    }

    async fn dial(&self) -> Result<SendRequest<Full<Bytes>>, Outcome> {
        let stream = TcpStream::connect(self.entry)
            .await
            .map_err(|error| not_connected(&error))?;
        // Otherwise the kernel may hold a small request back until earlier data is acknowledged.
        stream.set_nodelay(true).map_err(|error| not_connected(&error))?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error))?;
        // It ends with the connection; its error reaches the request.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    fn request(&self, concrete: &Concrete) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(concrete.body.clone()));
        *request.method_mut() = concrete.method.clone();
        *request.uri_mut() = concrete.uri.clone();
        *request.headers_mut() = concrete.headers.clone();
        request.headers_mut().insert(header::HOST, self.host.clone());
        if self.mode == Mode::New {
            // The side that closes first keeps the port for a minute: let that be the server's.
            request
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        request
    }
}

/// What a failed connection attempt means: a bad answer of the service, or a failure of the prober.
fn not_connected(error: &std::io::Error) -> Outcome {
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
    } else {
        Outcome::Bad(Bad::Reset)
    }
}

fn body_error(error: &(dyn std::error::Error + 'static)) -> Outcome {
    if error.is::<http_body_util::LengthLimitError>() {
        Outcome::Bad(Bad::Content)
    } else {
        Outcome::Bad(Bad::Reset)
    }
}
