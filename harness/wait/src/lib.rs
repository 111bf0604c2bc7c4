//! Waiting for a condition, never for time: the only place of the harness that sleeps.

use std::time::Duration;

use tokio::time::Instant;

/// What one look at the condition came to.
#[derive(Debug)]
pub enum Poll<T, E> {
    /// It holds.
    Done(T),
    /// Not yet; the text says what was seen instead, for the error when time runs out.
    NotYet(String),
    /// It will never hold: waiting longer is pointless.
    Never(E),
}

/// Why a wait ended without its condition.
#[derive(Debug, thiserror::Error)]
pub enum WaitError<E> {
    /// Time ran out; `last` is what the last look saw.
    #[error("{what} not within {within:?}: {last}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        within: Duration,
        /// What the last look saw.
        last: String,
    },
    /// The condition can never hold.
    #[error("{0}")]
    Never(E),
}

/// The pause between two looks: short at first, so that fast things are seen fast, then up to 50 ms.
fn pause(look: u32) -> Duration {
    Duration::from_millis(1 << look.min(5)).min(Duration::from_millis(50))
}

/// Looks until `look` says done or never, for at most `within`.
///
/// # Errors
/// [`WaitError::TimedOut`] with what was last seen, or [`WaitError::Never`] with the reason.
pub async fn until<T, E, Looking>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> Looking,
) -> Result<T, WaitError<E>>
where
    Looking: Future<Output = Poll<T, E>>,
{
    let deadline = Instant::now() + within;
    let mut last = String::from("not looked at yet");
    for round in 0u32.. {
        match tokio::time::timeout_at(deadline, look()).await {
            Ok(Poll::Done(value)) => return Ok(value),
            Ok(Poll::Never(error)) => return Err(WaitError::Never(error)),
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

/// Sleeps until an instant of a schedule. Only for what has a due time of its own (a step, a probe, the end of a fault).
pub async fn until_due(at: std::time::Instant) {
    tokio::time::sleep_until(at.into()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_condition_that_comes_true_ends_the_wait() {
        let mut looks = 0;
        let seen = until::<_, (), _>("the third look", Duration::from_secs(1), || {
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
        assert_eq!(error.to_string(), "a thaw not within 1s: ice");
    }

    #[tokio::test(start_paused = true)]
    async fn what_can_never_hold_is_not_waited_for() {
        let before = Instant::now();
        let error = until::<(), _, _>("a flight", Duration::from_secs(9), async || Poll::Never("pigs"))
            .await
            .unwrap_err();
        assert_eq!(
            (error.to_string(), before.elapsed()),
            ("pigs".into(), Duration::ZERO)
        );
    }
}
