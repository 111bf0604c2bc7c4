//! Seeding the store before a drill, through the entry, and reading back what was acknowledged after it, where the journey
//! asks.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::connection::Way;
use super::endpoint::Endpoint;
use super::error::{Error, NotAcknowledged};
use super::observer::Observer;
use super::prepared::Prepared;
use super::reach::Reach;
use super::records::{Book, Values};
use super::visit::{Steps, Walked};
use super::{Seen, Write};
use crate::Users;
use firedrill_model::sample::{Bad, Found, Mode, Outcome};
use firedrill_model::scenario::{Journey, Template};
use firedrill_wait::Poll;

/// A request of these is given up after this.
const LIMIT: Duration = Duration::from_secs(5);
/// A record that no definite answer speaks of is asked for again for so long.
const PERSISTENCE: Duration = Duration::from_millis(1500);
/// The least time that an answer is waited for, however long nothing definite has been heard.
const ONE_ANSWER: Duration = Duration::from_millis(250);
/// Reads in flight at once.
const AT_ONCE: usize = 16;

/// Stores every counted record of the users's seed, one after the other; returns how many.
///
/// # Errors
/// [`Error::NotStored`] for the first that is not answered as it should be.
pub async fn seed(users: &Users, entry: impl Into<Endpoint>, seed: u64) -> Result<u64, Error> {
    let Some(source) = &users.system.seed else {
        return Ok(0);
    };
    let count = users
        .system
        .records
        .get(&source.records)
        .and_then(|records| records.count)
        .unwrap_or(0);
    let prepared = Prepared::new(&source.request, &source.answer)?;
    let (sink, mut seen) = mpsc::unbounded_channel();
    let entry = entry.into().observed(Arc::new(Observer::new(sink)));
    let way = Way::new(entry, Mode::Reused);
    let book = Book { users, seed };
    // The last reported cause: an outcome alone does not name it.
    let mut cause = || {
        let reported = std::iter::from_fn(|| seen.try_recv().ok());
        let causes = reported.filter_map(|seen| match seen {
            Seen::ConnectionFailed(cause) => Some(cause),
            _ => None,
        });
        causes.last()
    };
    for n in 0..u64::from(count) {
        let concrete = prepared.concrete(&Values::of(book, n))?;
        let source = match way.exchange(&concrete, LIMIT).await.result {
            Ok(answer) => match concrete.want.judge(&answer) {
                None => continue,
                Some(bad) => NotAcknowledged::Answered(bad, answer.status.as_u16()),
            },
            Err(Outcome::Bad(bad)) => match cause() {
                Some(cause) => NotAcknowledged::NotConnected(cause),
                None => NotAcknowledged::NoAnswer(bad),
            },
            Err(Outcome::Void(void)) => NotAcknowledged::Void(void),
            // An exchange that failed has one of the two above.
            Err(Outcome::Good | Outcome::Fallback) => continue,
        };
        return Err(Error::NotStored { n, source });
    }
    Ok(count.into())
}

/// Who may ask when. Reading back follows the journeys, and is no heavier: the service is used to all of them together.
struct Pace {
    interval: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    fn new(users: &Users) -> Self {
        let rate: f64 = users.system.journeys.iter().map(|journey| journey.rate.0).sum();
        Self {
            interval: Duration::from_secs_f64(1.0 / rate.max(1.0)),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Waits for the next turn.
    async fn turn(&self) {
        let due = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            // Turns that nobody took are lost: catching up would be a burst.
            let due = (*next).max(Instant::now());
            *next = due + self.interval;
            due
        };
        firedrill_wait::until_due(due.into_std()).await;
    }
}

/// What is between the reader and the store while writes are read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// Nothing: every answer is the store's.
    None,
    /// A fault that is still in effect may keep the entry from the store: an error of the server says nothing about it.
    BehindEntry,
    /// A fault is still in effect on the users' link, and may have changed any answer: only a right one says something.
    BeforeEntry,
}

/// Reads every write back, at most at the rate of all journeys together; the answers come in the writes' order. A write
/// that nobody can say where to read is left out.
pub async fn read_back(
    users: &Arc<Users>,
    seed: u64,
    reach: &Reach,
    obstacle: Obstacle,
    writes: &[Write],
) -> Vec<(Write, Found)> {
    let reader = Arc::new(Reader {
        users: Arc::clone(users),
        seed,
        journeys: journeys(users, reach),
        obstacle,
        patience: Patience::new(),
        pace: Pace::new(users),
    });
    let reads = writes.iter().cloned().map(|write| {
        let reader = Arc::clone(&reader);
        async move {
            let found = reader.read(&write).await?;
            Some((write, trusted(found, obstacle)))
        }
    });
    stream::iter(reads)
        .buffered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// For how long records are asked for again: all reads share it, since a store that gives no record a definite answer
/// for [`PERSISTENCE`] is broken as a whole. Asking again for each of a thousand records would only take a minute longer.
struct Patience {
    definite: Mutex<Instant>,
}

impl Patience {
    fn new() -> Self {
        Self {
            definite: Mutex::new(Instant::now()),
        }
    }

    /// A definite answer came.
    fn renew(&self) {
        *self.definite.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn left(&self) -> Duration {
        let definite = *self.definite.lock().unwrap_or_else(PoisonError::into_inner);
        PERSISTENCE.saturating_sub(definite.elapsed())
    }
}

/// How the writes of a journey are read back: where it asks.
struct ReadBack {
    way: Way,
    steps: Steps,
    link: Option<Template>,
    gone: u16,
}

/// By journey. One that cannot be prepared is left out, as its writes are then.
fn journeys(users: &Users, reach: &Reach) -> HashMap<String, ReadBack> {
    let read_back = |journey: &Journey| {
        let remember = journey.remember.as_ref()?;
        let address = reach.asked(&users.system, journey).ok()?;
        Some(ReadBack {
            way: Way::new(address, Mode::Reused),
            steps: Steps::new(&remember.steps(), false).ok()?,
            link: remember
                .link
                .as_deref()
                .and_then(|link| Template::parse(link).ok()),
            gone: remember.gone,
        })
    };
    let journeys = users.system.journeys.iter();
    journeys
        .filter_map(|journey| Some((journey.name.clone(), read_back(journey)?)))
        .collect()
}

/// What all reads share.
struct Reader {
    users: Arc<Users>,
    seed: u64,
    journeys: HashMap<String, ReadBack>,
    obstacle: Obstacle,
    patience: Patience,
    pace: Pace,
}

impl Reader {
    /// Asks for one write until an answer is definite; `None` when nobody can say where to read it.
    async fn read(&self, write: &Write) -> Option<Found> {
        let back = self.journeys.get(&*write.journey)?;
        let values = self.values(back, write)?;
        let (refused, again) = (AtomicBool::new(false), AtomicBool::new(false));
        // A service that answers, and answers nothing but errors, does not have it; one that does not answer says nothing.
        let given_up = || {
            if refused.load(Ordering::Relaxed) && self.obstacle == Obstacle::None {
                Found::Lost
            } else {
                Found::Unknown
            }
        };
        // Before the wait for an answer, which would run out while others have their turn.
        self.pace.turn().await;
        let look = || async {
            if again.swap(true, Ordering::Relaxed) {
                self.pace.turn().await;
            }
            let Some(last) = self.ask(back, values.clone()).await else {
                return Poll::<_, Infallible>::Done(Found::Unknown);
            };
            let is_last = last.step + 1 == back.steps.len();
            // A login that failed says nothing about the record, however it failed.
            refused.store(is_last && is_server_error(&last), Ordering::Relaxed);
            let found = if is_last {
                found(&last, back.gone)
            } else {
                Found::Unknown
            };
            match found {
                Found::Unknown if self.patience.left().is_zero() => Poll::Done(given_up()),
                Found::Unknown => Poll::NotYet(String::new()),
                definite => {
                    self.patience.renew();
                    Poll::Done(definite)
                }
            }
        };
        let within = self.patience.left().max(ONE_ANSWER);
        let found = firedrill_wait::until("a definite answer", within, look).await;
        Some(found.unwrap_or_else(|_| given_up()))
    }

    /// What the placeholders stand for; `None` when the write lacks a value that they need.
    fn values<'w>(&'w self, back: &ReadBack, write: &'w Write) -> Option<Values<'w>> {
        let (users, seed) = (&self.users, self.seed);
        let mut values = Values::of(Book { users, seed }, write.n);
        values.captures.clone_from(&write.captures);
        let default = |link: &Template| link.render(|placeholder| values.get(placeholder)).ok();
        let link = write
            .link
            .clone()
            .or_else(|| back.link.as_ref().and_then(default));
        values.link = link.map(Cow::from);
        back.steps.can_be_filled(&values).then_some(values)
    }

    /// The last answer of all that are needed to read a record.
    async fn ask(&self, back: &ReadBack, values: Values<'_>) -> Option<Walked> {
        let mut walk = back.steps.walk(&back.way, values, LIMIT);
        let mut last = None;
        while let Some(walked) = walk.next().await {
            last = Some(walked);
        }
        last
    }
}

fn is_server_error(walked: &Walked) -> bool {
    let answer = walked.exchange.result.as_ref();
    answer.is_ok_and(|answer| answer.status.is_server_error())
}

/// What remains of a finding when a fault may have changed the answer.
fn trusted(found: Found, obstacle: Obstacle) -> Found {
    match (obstacle, found) {
        (Obstacle::BeforeEntry, Found::Lost | Found::Corrupt) => Found::Unknown,
        (_, found) => found,
    }
}

/// Statuses of a client error that say nothing about the record: Unauthorized, Request Timeout, Too Early, Too Many
/// Requests (RFC 9110, 8470, 6585). The same request may succeed later, or after a login.
const LATER: [u16; 4] = [401, 408, 425, 429];

/// What the last answer says about a stored record. A server error says nothing, nor does a refusal to answer now.
fn found(last: &Walked, gone: u16) -> Found {
    let Ok(answer) = &last.exchange.result else {
        return Found::Unknown;
    };
    match last.right() {
        Ok(_) => Found::Intact,
        Err(_) if answer.status.as_u16() == gone => Found::Lost,
        Err(_) if answer.status.is_server_error() || LATER.contains(&answer.status.as_u16()) => {
            Found::Unknown
        }
        Err(Outcome::Bad(Bad::Status)) if answer.status.is_client_error() => Found::Lost,
        Err(_) => Found::Corrupt,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use firedrill_model::sample::{Ack, StreamId};
    use firedrill_model::scenario::Texts;

    /// A service that has no time for the reader has lost nothing.
    #[test]
    fn an_answer_that_asks_to_come_later_says_nothing_about_the_record() {
        let answer: firedrill_model::scenario::Answer =
            serde_json::from_value(serde_json::json!({ "status": 200 })).unwrap();
        let request = serde_json::from_value(serde_json::json!({ "path": "/" })).unwrap();
        let users = users();
        let book = Book {
            users: &users,
            seed: 1,
        };
        let want = Prepared::new(&request, &answer)
            .unwrap()
            .concrete(&Values::of(book, 0))
            .unwrap()
            .want;
        let answered = |status: u16| {
            let status = http::StatusCode::from_u16(status).unwrap();
            let answer = crate::answer::Answer::new(status, http::HeaderMap::new(), Vec::new().into());
            let (wrong, now) = (want.judge(&answer), Instant::now().into_std());
            let exchange = crate::connection::Exchange {
                sent: now,
                first: Some(now),
                ended: now,
                reconnected: false,
                result: Ok(answer),
            };
            let (step, gone) = (0, 404);
            found(
                &Walked {
                    step,
                    exchange,
                    wrong,
                },
                gone,
            )
        };
        for status in [401, 408, 425, 429, 500, 503] {
            assert_eq!(answered(status), Found::Unknown, "{status}");
        }
        assert_eq!([answered(404), answered(410)], [Found::Lost, Found::Lost]);
        assert_eq!([answered(200), answered(204)], [Found::Intact, Found::Corrupt]);
    }

    /// Answers 500 to every request, and counts how often each path was asked for.
    async fn broken_store(listener: TcpListener, asked: Arc<Mutex<HashMap<String, usize>>>) {
        while let Ok((mut connection, _)) = listener.accept().await {
            let asked = Arc::clone(&asked);
            tokio::spawn(async move {
                let mut head = [0; 1024];
                while let Ok(read @ 1..) = connection.read(&mut head).await {
                    let line = String::from_utf8_lossy(&head[..read]);
                    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
                    *asked.lock().unwrap().entry(path).or_default() += 1;
                    let answer = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
                    if connection.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    }

    fn users() -> Arc<Users> {
        let system = serde_json::from_value(serde_json::json!({
            "summary": "a store",
            "service": { "app": { "build": { "image": "app" }, "port": 80 } },
            "journey": [{
                "name": "put", "rate": "100/s",
                "request": { "method": "POST", "path": "/put" }, "answer": { "status": 200 },
                "remember": { "link": "/x", "request": { "path": "{link}" }, "answer": { "status": 200 } },
            }],
        }));
        Arc::new(Users {
            system: system.unwrap(),
            seeded: true,
        })
    }

    fn write(n: u64) -> Write {
        Write {
            stream: StreamId(0),
            journey: "put".into(),
            n,
            ack: Ack::Acknowledged,
            link: Some(format!("/{n}")),
            captures: Texts::new(),
        }
    }

    #[tokio::test]
    async fn a_store_that_only_fails_is_asked_again_for_the_first_records_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let entry = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(HashMap::new()));
        let store = tokio::spawn(broken_store(listener, Arc::clone(&asked)));
        let writes: Vec<Write> = (0..64).map(write).collect();
        let read = read_back(&users(), 7, &entry.into(), Obstacle::None, &writes).await;
        assert_eq!(read.len(), writes.len());
        assert!(read.iter().all(|(_, found)| *found == Found::Lost), "{read:?}");
        let times = |n: u64| asked.lock().unwrap()[&format!("/{n}")];
        assert!(times(0) > 1, "the first record was asked for once");
        assert_eq!(times(63), 1, "the last record, after all patience was used up");
        store.abort();
    }

    #[tokio::test]
    async fn errors_say_nothing_about_a_store_while_a_fault_may_keep_the_entry_from_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let entry = listener.local_addr().unwrap();
        let store = tokio::spawn(broken_store(listener, Arc::default()));
        for obstacle in [Obstacle::BehindEntry, Obstacle::BeforeEntry] {
            let read = read_back(&users(), 7, &entry.into(), obstacle, &[write(0)]).await;
            assert_eq!(read[0].1, Found::Unknown, "{obstacle:?}");
        }
        store.abort();
    }

    #[test]
    fn only_a_right_answer_counts_over_a_faulty_link() {
        use Found::{Corrupt, Intact, Lost, Unknown};
        let over = |obstacle| [Intact, Lost, Corrupt].map(|found| trusted(found, obstacle));
        assert_eq!(over(Obstacle::BeforeEntry), [Intact, Unknown, Unknown]);
        assert_eq!(over(Obstacle::BehindEntry), [Intact, Lost, Corrupt]);
    }
}
