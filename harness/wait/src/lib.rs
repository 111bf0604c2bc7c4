//! Waits for a condition, never for time. Takes a look at the condition as a closure; gives what it found, or why it
//! never will. The only crate of the harness that sleeps.
//!
//! ```
//! use std::time::Duration;
//! use firedrill_wait::{Poll, until};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let mut answers = vec![Some(200), None, None];
//! let status = until("an answer", Duration::from_secs(1), || {
//!     std::future::ready(match answers.pop().flatten() {
//!         Some(status) => Poll::<u16, std::io::Error>::Done(status),
//!         None => Poll::NotYet("connection refused".into()),
//!     })
//! });
//! assert_eq!(status.await.unwrap(), 200);
//! # }
//! ```

use std::time::Duration;

use tokio::time::Instant;

/// Why a condition can never become true: an error with its own causes, or a text.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The result of one look at the condition.
#[derive(Debug)]
pub enum Poll<T, E> {
    /// It is true. A caller that tells errors apart by their type puts a `Result` here.
    Done(T),
    /// Not yet. The text says what was seen instead, for the error when time runs out.
    NotYet(String),
    /// It will never be true.
    Never(E),
}

/// Why a wait ended without its condition.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// Time ran out; `last` is what the last look saw.
    #[error("{what}: not within {} ms; last seen: {last}", within.as_millis())]
    TimedOut {
        /// What was waited for.
        what: String,
        /// For how long.
        within: Duration,
        /// What the last look saw.
        last: String,
    },
    /// The condition can never become true.
    #[error(transparent)]
    Never(Cause),
}

/// The pause between two looks: short at first, so that a quick change is seen quickly, then up to 50 ms.
fn pause(look: u32) -> Duration {
    Duration::from_millis(1 << look.min(5)).min(Duration::from_millis(50))
}

/// Looks until `look` says done or never, for at most `within`.
///
/// # Errors
/// [`WaitError::TimedOut`] with what was last seen, or [`WaitError::Never`] with the cause.
pub async fn until<T, E, Looking>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> Looking,
) -> Result<T, WaitError>
where
    E: Into<Cause>,
    Looking: Future<Output = Poll<T, E>>,
{
    // One deadline around everything: a look that hangs must not outlast the wait.
    let deadline = Instant::now() + within;
    let mut last = String::from("nothing yet");
    for round in 0u32.. {
        match tokio::time::timeout_at(deadline, look()).await {
            Ok(Poll::Done(value)) => return Ok(value),
            Ok(Poll::Never(cause)) => return Err(WaitError::Never(cause.into())),
            Ok(Poll::NotYet(seen)) => last = seen,
            Err(_) => break,
        }
        if Instant::now() >= deadline {
            break;
        }
        tokio::time::sleep_until((Instant::now() + pause(round)).min(deadline)).await;
    }
    Err(WaitError::TimedOut {
        what: what.to_owned(),
        within,
        last,
    })
}

/// Sleeps until an instant of a schedule. Only for what is due at a time: a step, a probe, the end of a fault.
pub async fn until_due(at: std::time::Instant) {
    tokio::time::sleep_until(at.into()).await;
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::error::Error;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_condition_that_comes_true_ends_the_wait() {
        let mut looks = 0;
        let seen = until::<_, Infallible, _>("the third look", Duration::from_secs(1), || {
            looks += 1;
            std::future::ready(if looks == 3 {
                Poll::Done(looks)
            } else {
                Poll::NotYet(format!("look {looks}"))
            })
        })
        .await;
        assert_eq!(seen.unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_runs_out_says_what_it_last_saw() {
        let error = until::<(), &str, _>("a thaw", Duration::from_secs(1), async || {
            Poll::NotYet("ice".into())
        })
        .await
        .unwrap_err();
        assert_eq!(error.to_string(), "a thaw: not within 1000 ms; last seen: ice");
    }

    #[tokio::test(start_paused = true)]
    async fn a_condition_that_can_never_be_true_ends_the_wait_at_once() {
        let before = Instant::now();
        let error = until::<(), _, _>("a flight", Duration::from_secs(9), async || Poll::Never("pigs"))
            .await
            .unwrap_err();
        assert_eq!(
            (error.to_string(), before.elapsed()),
            ("pigs".into(), Duration::ZERO)
        );
    }

    /// An error with a cause of its own.
    #[derive(Debug, thiserror::Error)]
    #[error("no flight")]
    struct NoFlight(#[source] std::io::Error);

    #[tokio::test]
    async fn a_condition_that_can_never_be_true_keeps_the_cause_of_its_cause() {
        let look = async || Poll::<(), _>::Never(NoFlight(std::io::ErrorKind::NotFound.into()));
        let error = until("a flight", Duration::from_secs(9), look).await.unwrap_err();
        assert_eq!(error.to_string(), "no flight");
        assert!(error.source().is_some_and(|cause| cause.is::<std::io::Error>()));
    }
}
