//! One exchange of text over TCP: connect, or take a kept connection; send; read until the answer is known to be right or
//! wrong.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use memchr::{memchr_iter, memmem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::dial::not_connected;
use super::error::Error;
use super::records::Book;
use super::visit::Visited;
use firedrill_model::sample::{Bad, Mode, Outcome};
use firedrill_model::scenario::{TcpProbe, Template};

/// A longer answer is wrong.
const LONGEST_ANSWER: usize = 1 << 20;

/// A connection that was only made must stay open for so long: a proxy accepts in the place of a service that is away, and
/// closes when it cannot reach it.
const STAYS_OPEN: Duration = Duration::from_millis(20);

/// Asks a service over TCP.
#[derive(Debug)]
pub(super) struct TcpClient {
    address: SocketAddr,
    mode: Mode,
    send: Option<Template>,
    expect: Option<Template>,
    lines: usize,
    errors: Vec<String>,
    idle: Mutex<Vec<TcpStream>>,
}

impl TcpClient {
    pub(super) fn new(address: SocketAddr, mode: Mode, probe: &TcpProbe) -> Result<Self, Error> {
        let template = |text: &String| Template::parse(text).map_err(|source| Error::template(text, source));
        Ok(Self {
            address,
            mode,
            send: probe.send.as_ref().map(template).transpose()?,
            expect: probe.expect.as_ref().map(template).transpose()?,
            lines: usize::try_from(probe.lines).unwrap_or(usize::MAX),
            errors: probe.errors.clone(),
            idle: Mutex::default(),
        })
    }

    /// Every template of it.
    pub(super) fn templates(&self) -> impl Iterator<Item = &Template> {
        self.send.iter().chain(&self.expect)
    }

    /// Asks with record number `n`, for at most `timeout`.
    pub(super) async fn visit(&self, book: &Book<'_>, n: u64, timeout: Duration) -> Result<Visited, Error> {
        let text = |template: &Template| book.render(template, n);
        let send = self.send.as_ref().map(text).transpose()?;
        let expect = self.expect.as_ref().map(text).transpose()?;
        // Before the connection is made, for which users wait too.
        let sent = Instant::now();
        let mut first = None;
        let attempt = self.attempt(send.as_deref(), expect.as_deref(), &mut first);
        let outcome = match tokio::time::timeout(timeout, attempt).await {
            Ok(Ok(())) => Outcome::Good,
            Ok(Err(outcome)) => outcome,
            Err(_) => Outcome::Bad(Bad::Timeout),
        };
        Ok(Visited {
            sent,
            first,
            outcome,
            // Its end is now.
            ..Visited::not_sent()
        })
    }

    /// Nothing is sent twice: whether a text may be repeated is not known.
    async fn attempt(
        &self,
        send: Option<&str>,
        expect: Option<&str>,
        first: &mut Option<Instant>,
    ) -> Result<(), Outcome> {
        let mut connection = match self.kept() {
            Some(kept) => kept,
            None => self.dial().await?,
        };
        if let Some(text) = send {
            connection
                .write_all(text.as_bytes())
                .await
                .map_err(|error| broken(&error))?;
        }
        match expect {
            Some(text) => self.read(&mut connection, text, first).await?,
            None if send.is_none() => stays_open(&mut connection).await?,
            None => {}
        }
        if self.mode == Mode::Reused {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
        }
        Ok(())
    }

    async fn dial(&self) -> Result<TcpStream, Outcome> {
        let stream = TcpStream::connect(self.address)
            .await
            .map_err(|error| not_connected(&error))?;
        // Otherwise the kernel may hold a small text back until earlier data is acknowledged.
        stream.set_nodelay(true).map_err(|error| not_connected(&error))?;
        Ok(stream)
    }

    /// A kept connection that is still open, with the rest of its last answer removed.
    fn kept(&self) -> Option<TcpStream> {
        loop {
            // The last one that was used: it has been idle for the shortest time.
            let connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if is_open(&connection) {
                return Some(connection);
            }
        }
    }

    async fn read(
        &self,
        connection: &mut TcpStream,
        expect: &str,
        first: &mut Option<Instant>,
    ) -> Result<(), Outcome> {
        let mut answer = Vec::new();
        loop {
            let read = connection
                .read_buf(&mut answer)
                .await
                .map_err(|error| broken(&error))?;
            if read > 0 {
                first.get_or_insert_with(Instant::now);
            }
            let judged = match has_error(&answer, &self.errors) {
                true => Judged::Wrong(Bad::Content),
                false => judge(&answer, expect.as_bytes(), self.lines, read == 0),
            };
            match judged {
                Judged::Right => return Ok(()),
                Judged::Wrong(bad) => return Err(Outcome::Bad(bad)),
                Judged::Unfinished => {}
            }
        }
    }
}

/// What is known of an answer so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judged {
    Right,
    Wrong(Bad),
    Unfinished,
}

/// An answer is right as soon as it contains the expected text. It is wrong when it has all its lines without it, when its
/// connection ended, or when it is too long. Without a single byte, the connection broke.
fn judge(answer: &[u8], expect: &[u8], lines: usize, ended: bool) -> Judged {
    if memmem::find(answer, expect).is_some() {
        return Judged::Right;
    }
    // A text over several lines cannot be there before its last line is.
    let least = memchr_iter(b'\n', expect).count();
    let whole = memchr_iter(b'\n', answer).count() >= lines.max(least);
    match ended {
        true if answer.is_empty() => Judged::Wrong(Bad::Reset),
        _ if ended || whole || answer.len() > LONGEST_ANSWER => Judged::Wrong(Bad::Content),
        _ => Judged::Unfinished,
    }
}

/// Whether a line begins as an error does.
fn has_error(answer: &[u8], errors: &[String]) -> bool {
    let mut lines = answer.split(|byte| *byte == b'\n');
    lines.any(|line| errors.iter().any(|error| line.starts_with(error.as_bytes())))
}

/// Whether an idle connection is open. What has come meanwhile belongs to the last answer.
fn is_open(connection: &TcpStream) -> bool {
    let mut rest = [0; 4096];
    loop {
        match connection.try_read(&mut rest) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

/// That nobody closes a connection at once.
async fn stays_open(connection: &mut TcpStream) -> Result<(), Outcome> {
    match tokio::time::timeout(STAYS_OPEN, connection.read(&mut [0])).await {
        // It says something, or waits to be asked.
        Ok(Ok(1..)) | Err(_) => Ok(()),
        Ok(Ok(0)) => Err(Outcome::Bad(Bad::Reset)),
        Ok(Err(error)) => Err(broken(&error)),
    }
}

/// A connection that broke before the answer was whole.
fn broken(error: &io::Error) -> Outcome {
    match error.kind() {
        io::ErrorKind::TimedOut => Outcome::Bad(Bad::Timeout),
        _ => Outcome::Bad(Bad::Reset),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    use super::*;
    use crate::Users;

    const PATIENT: Duration = Duration::from_secs(60);

    /// A service that answers each piece it reads, and closes the connection after an empty answer. It counts connections.
    async fn serve(answer: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, connections) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let mut piece = [0; 1024];
                    while let Ok(1..) = connection.read(&mut piece).await {
                        if answer.is_empty() || connection.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        (address, connections)
    }

    fn client(address: SocketAddr, mode: Mode, probe: Value) -> TcpClient {
        TcpClient::new(address, mode, &serde_json::from_value(probe).unwrap()).unwrap()
    }

    async fn ask(client: &TcpClient, timeout: Duration) -> Outcome {
        let system = json!({ "summary": "a store", "service": {} });
        let users = Users {
            system: serde_json::from_value(system).unwrap(),
            seeded: true,
        };
        let book = Book {
            users: &users,
            seed: 1,
        };
        client.visit(&book, 0, timeout).await.unwrap().outcome
    }

    fn ping() -> Value {
        json!({ "send": "PING\r\n", "expect": "+PONG" })
    }

    #[tokio::test]
    async fn a_kept_connection_asks_again_and_a_new_one_connects_again() {
        for (mode, wanted) in [(Mode::Reused, 1), (Mode::New, 3)] {
            let (address, connections) = serve("+PONG\r\n").await;
            let client = client(address, mode, ping());
            for _ in 0..3 {
                assert_eq!(ask(&client, PATIENT).await, Outcome::Good);
            }
            assert_eq!(connections.load(Ordering::Relaxed), wanted, "{mode:?}");
        }
    }

    #[tokio::test]
    async fn the_rest_of_an_answer_is_no_part_of_the_next_one() {
        // Each answer has two lines, and the second one would be a wrong answer.
        let (address, connections) = serve("+PONG\r\n-ERR\r\n").await;
        let client = client(address, Mode::Reused, ping());
        for _ in 0..5 {
            assert_eq!(ask(&client, PATIENT).await, Outcome::Good);
        }
        assert_eq!(connections.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_wrong_answer_and_a_closed_and_a_missing_one_are_told_apart() {
        let bad = Outcome::Bad;
        let (wrong, _) = serve("-ERR loading\r\n").await;
        assert_eq!(
            ask(&client(wrong, Mode::New, ping()), PATIENT).await,
            bad(Bad::Content)
        );
        let (closes, _) = serve("").await;
        assert_eq!(
            ask(&client(closes, Mode::New, ping()), PATIENT).await,
            bad(Bad::Reset)
        );
        let short = Duration::from_millis(50);
        let (half, _) = serve("+PO").await;
        assert_eq!(
            ask(&client(half, Mode::New, ping()), short).await,
            bad(Bad::Timeout)
        );
        let nobody = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        assert_eq!(
            ask(&client(nobody, Mode::New, ping()), PATIENT).await,
            bad(Bad::Refused)
        );
        assert_eq!(
            ask(&client(nobody, Mode::New, json!({})), PATIENT).await,
            bad(Bad::Refused)
        );
        assert_eq!(
            ask(&client(wrong, Mode::New, json!({})), PATIENT).await,
            Outcome::Good
        );
    }

    #[test]
    fn an_answer_is_right_as_soon_as_it_contains_the_text() {
        assert_eq!(judge(b"+PO", b"+PONG", 1, false), Judged::Unfinished);
        assert_eq!(judge(b"+PONG", b"+PONG", 1, false), Judged::Right);
        assert_eq!(judge(b"$4\r\nnike\r\n", b"nike", 2, false), Judged::Right);
    }

    #[test]
    fn an_answer_without_the_text_is_wrong_once_all_its_lines_are_there() {
        let wrong = Judged::Wrong(Bad::Content);
        assert_eq!(judge(b"-ERR\r\n", b"+PONG", 1, false), wrong);
        assert_eq!(judge(b"$4\r\n", b"nike", 1, false), wrong);
        assert_eq!(judge(b"$4\r\n", b"nike", 2, false), Judged::Unfinished);
        assert_eq!(judge(b"$4\r\npuma\r\n", b"nike", 2, false), wrong);
        // Its second line is still to come.
        assert_eq!(judge(b"$4\r\n", b"$4\r\nnike\r\n", 1, false), Judged::Unfinished);
    }

    #[tokio::test]
    async fn an_error_is_wrong_before_all_lines_are_there() {
        let (address, _) = serve("-LOADING\r\n").await;
        let probe = json!({ "send": "GET a\r\n", "expect": "a", "lines": 3, "errors": ["-"] });
        let content = Outcome::Bad(Bad::Content);
        assert_eq!(ask(&client(address, Mode::New, probe), PATIENT).await, content);
        assert!(!has_error(b"$2\r\na-\r\n", &["-".to_owned()]));
    }

    #[test]
    fn a_connection_that_ends_without_a_byte_broke_and_one_with_half_an_answer_is_wrong() {
        assert_eq!(judge(b"", b"+PONG", 1, true), Judged::Wrong(Bad::Reset));
        assert_eq!(judge(b"+PO", b"+PONG", 1, true), Judged::Wrong(Bad::Content));
        let flood = vec![b'x'; LONGEST_ANSWER + 1];
        assert_eq!(judge(&flood, b"+PONG", 1, false), Judged::Wrong(Bad::Content));
    }
}
