//! One request over one connection, with its stamps: no pool but our own, no redirect, and no repeat but one: a request on
//! a kept connection that turns out to be closed is sent again on a new one, as browsers and HTTP libraries do.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::uri::Authority;
use hyper::Response;
use hyper::body::Incoming;

use super::answer::Answer;
use super::body;
use super::dial::{Connection, NoAnswer, may_be_repeated, observe};
use super::endpoint::Endpoint;
use super::prepared::{Concrete, Want};
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

/// A way to the entry: new connections each time, or kept ones. Kept ones that the other side closed while idle are
/// dropped before anything is sent on them. An HTTP/2 connection is kept while it is used: many requests share it.
#[derive(Debug)]
pub(super) struct Way {
    endpoint: Endpoint,
    mode: Mode,
    kept: Mutex<Vec<Connection>>,
}

/// What became known of an exchange on its way, also when it is given up.
#[derive(Debug, Default)]
struct Progress {
    first: Option<Instant>,
    reconnected: bool,
    /// The connection that it is on.
    on: Option<Arc<AtomicU64>>,
}

impl Way {
    pub(super) fn new(endpoint: Endpoint, mode: Mode) -> Self {
        Self {
            endpoint,
            mode,
            kept: Mutex::default(),
        }
    }

    /// The host that is asked for, where a request names no other.
    pub(super) fn authority(&self) -> &Authority {
        &self.endpoint.authority
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
        if let (Err(_), Some(on)) = (&result, &progress.on) {
            // Nobody knows whether a connection that gave no answer would ever give another one.
            self.forget(on);
        }
        Exchange {
            sent,
            first: progress.first,
            ended: Instant::now(),
            reconnected: progress.reconnected,
            result,
        }
    }

    async fn attempt(&self, concrete: &Concrete, progress: &mut Progress) -> Result<Answer, Outcome> {
        if let Some(mut kept) = self.kept_connection().await {
            let on = kept.identity();
            progress.on = Some(Arc::clone(&on));
            let received = kept.received();
            match self.send(&mut kept, concrete).await {
                Ok(answer) => return self.answer(kept, answer, &concrete.want, progress).await,
                Err(NoAnswer::Http(error))
                    if may_be_repeated(&error, &concrete.method, &kept, kept.received() == received) =>
                {
                    self.forget(&on);
                    progress.reconnected = true;
                }
                Err(error) => return Err(self.outcome(&error)),
            }
        }
        let opened = Connection::open(&self.endpoint, concrete.want.limits.headers).await;
        // Whoever opens a connection reports it.
        let mut connection = opened.map_err(|error| error.outcome())?;
        progress.on = Some(connection.identity());
        if self.mode == Mode::Reused {
            self.share(&connection);
        }
        let sent = self.send(&mut connection, concrete).await;
        let answer = sent.map_err(|error| self.outcome(&error))?;
        self.answer(connection, answer, &concrete.want, progress).await
    }

    async fn send(
        &self,
        connection: &mut Connection,
        concrete: &Concrete,
    ) -> Result<Response<Incoming>, NoAnswer> {
        let what = (&concrete.method, &concrete.uri);
        let once = self.mode == Mode::New;
        let request = connection.request(&self.endpoint, what, &concrete.headers, &concrete.body, once)?;
        Ok(connection.send(request).await?)
    }

    /// What a failed request means. Its cause is reported first.
    fn outcome(&self, error: &NoAnswer) -> Outcome {
        if let Some(observer) = &self.endpoint.observer {
            observe(observer, error);
        }
        error.outcome()
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
        // Over HTTP/1.1 the connection itself counts them.
        if head.headers.len() > want.limits.headers {
            return Err(Outcome::Void(Void::HeaderLimit));
        }
        let body = match body::read(body, &head.headers, want).await {
            // The head alone shows that the answer is wrong, whatever its body is.
            Err(Outcome::Void(_)) if !want.allows(head.status) => body::Read::nothing(),
            read => read?,
        };
        // A body that was left before its end is still on its way over the connection.
        if self.mode == Mode::Reused && body.whole && !connection.is_http2() {
            self.kept().push(connection);
        }
        Ok(Answer::new(head.status, head.headers, body.bytes))
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets other requests use an HTTP/2 connection too. Requests that began while there was none have one each, and all
    /// but the first are closed after their own: none of them waits for another one's connection.
    fn share(&self, connection: &Connection) {
        let mut kept = self.kept();
        if !kept.iter().any(Connection::is_http2) {
            kept.extend(connection.share());
        }
    }

    fn forget(&self, connection: &Arc<AtomicU64>) {
        self.kept().retain(|kept| !kept.is(connection));
    }

    /// A kept connection that is still open.
    async fn kept_connection(&self) -> Option<Connection> {
        loop {
            let mut connection = {
                let mut kept = self.kept();
                // The last one that was used: it has been idle for the shortest time.
                let last = kept.last()?;
                match last.share() {
                    Some(shared) => shared,
                    None => kept.pop()?,
                }
            };
            if connection.is_usable().await {
                return Some(connection);
            }
            self.forget(&connection.identity());
        }
    }
}
