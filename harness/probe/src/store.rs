//! Seeding the store before a drill and reading back what was acknowledged after it, both through the entry.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::stream::{self, StreamExt};

use super::connection::Way;
use super::prepared::{Prepared, Want};
use super::records::Book;
use super::{Error, Write};
use crate::Users;
use firedrill_model::sample::{Bad, Found, Mode, Outcome};
use firedrill_model::scenario::Remember;
use firedrill_wait::Poll;

/// A request of these is given up after this.
const LIMIT: Duration = Duration::from_secs(5);
/// A record that no definite answer speaks of is asked for again for so long.
const PERSISTENCE: Duration = Duration::from_millis(1500);
/// Reads in flight at once.
const AT_ONCE: usize = 16;

/// Stores every counted record of the users's seed, one after the other; returns how many.
///
/// # Errors
/// [`Error::NotStored`] for the first that is not answered as it should be.
pub async fn seed(users: &Users, entry: SocketAddr, seed: u64) -> Result<u64, Error> {
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
    let way = Way::new(entry, Mode::Reused);
    let book = Book { users, seed };
    for n in 0..u64::from(count) {
        let concrete = prepared.concrete(&book, n, None)?;
        let why = match way.exchange(&concrete, LIMIT).await.result {
            Ok(answer) => match concrete.want.judge(&answer) {
                None => continue,
                Some(bad) => format!("{bad} ({})", answer.status.as_u16()),
            },
            Err(Outcome::Bad(bad)) => bad.to_string(),
            Err(Outcome::Void(void)) => void.to_string(),
            // An exchange that failed has one of the two above.
            Err(Outcome::Good | Outcome::Fallback) => continue,
        };
        return Err(Error::NotStored { n, why });
    }
    Ok(count.into())
}

/// Reads every write back; the answers come in the writes' order. A write that nobody can say where to read is left
/// out.
pub async fn read_back(
    users: &Arc<Users>,
    seed: u64,
    entry: SocketAddr,
    writes: &[Write],
) -> Vec<(Write, Found)> {
    let way = Arc::new(Way::new(entry, Mode::Reused));
    let reads = writes.iter().cloned().map(|write| {
        let (users, way) = (Arc::clone(users), Arc::clone(&way));
        async move { read_one(&users, seed, &way, &write).await }
    });
    stream::iter(reads)
        .buffered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await
}

async fn read_one(users: &Users, seed: u64, way: &Way, write: &Write) -> Option<(Write, Found)> {
    let journey = users
        .system
        .journeys
        .iter()
        .find(|journey| *journey.name == *write.journey)?;
    let remember = journey.remember.as_ref()?;
    let book = Book { users, seed };
    let link = write
        .link
        .clone()
        .or_else(|| default_link(remember, &book, write.n))?;
    let prepared = Prepared::new(&remember.request, &remember.answer).ok()?;
    let concrete = prepared.concrete(&book, write.n, Some(&link)).ok()?;
    let refused = AtomicBool::new(false);
    let look = || async {
        let result = way.exchange(&concrete, LIMIT).await.result;
        let error = result
            .as_ref()
            .is_ok_and(|answer| answer.status.is_server_error());
        refused.store(error, Ordering::Relaxed);
        match found(&concrete.want, remember.gone, result) {
            Found::Unknown => Poll::<Found, Found>::NotYet(String::new()),
            definite => Poll::Done(definite),
        }
    };
    // A service that answers, and answers nothing but errors, does not have it; one that does not answer says nothing.
    let given_up = |_| {
        if refused.load(Ordering::Relaxed) {
            Found::Lost
        } else {
            Found::Unknown
        }
    };
    let found = firedrill_wait::until("a definite answer", PERSISTENCE, look)
        .await
        .unwrap_or_else(given_up);
    Some((write.clone(), found))
}

fn default_link(remember: &Remember, book: &Book<'_>, n: u64) -> Option<String> {
    let link = firedrill_model::scenario::Template::parse(remember.link.as_deref()?).ok()?;
    link.render(|placeholder| book.field(placeholder, n)).ok()
}

/// What one answer says about a stored record. A server error says nothing.
fn found(want: &Want, gone: u16, result: Result<super::answer::Answer, Outcome>) -> Found {
    match result {
        Err(_) => Found::Unknown,
        Ok(answer) => match want.judge(&answer) {
            None => Found::Intact,
            Some(_) if answer.status.as_u16() == gone => Found::Lost,
            Some(_) if answer.status.is_server_error() => Found::Unknown,
            Some(Bad::Status) if answer.status.is_client_error() => Found::Lost,
            Some(_) => Found::Corrupt,
        },
    }
}
