//! A call to the engine: how long it may take, what its failure is called, and when something is removed.

use std::time::Duration;

use testcontainers::bollard::errors::Error as EngineError;

use crate::backend::{Cause, Error, operation};
use firedrill_model::format;
use firedrill_wait::{Poll, WaitError};

/// The time limit of a call to the engine; builds and pulls have none.
pub(super) const CALL_WITHIN: Duration = Duration::from_secs(30);

/// A call to the engine, with the time it may take and a name for its failure.
pub(super) async fn call<T, E: Into<Cause>>(
    what: &'static str,
    service: &str,
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, Error> {
    match tokio::time::timeout(CALL_WITHIN, future).await {
        Ok(result) => result.map_err(|cause| operation(what, service, cause)),
        Err(_) => Err(operation(
            what,
            service,
            format!("the engine did not answer within {}", format::span(CALL_WITHIN)),
        )),
    }
}

/// Somebody else may use or remove the same thing: another `clean`, or the engine on behalf of a killed run.
const FREE_WITHIN: Duration = Duration::from_secs(10);
/// How Docker and Podman refuse to remove a thing that is in use, or is being removed by somebody else: a container or a
/// volume with 409 (conflict), a network with 403 (forbidden).
const BUSY: [u16; 2] = [403, 409];
/// Their status for a thing that does not exist.
const GONE: u16 = 404;

/// Removes a thing once it is free. One that no longer exists counts as removed.
pub(in crate::backend) async fn removed<Removing>(remove: impl Fn() -> Removing) -> Result<(), WaitError>
where
    Removing: Future<Output = Result<(), EngineError>>,
{
    firedrill_wait::until("free to remove", FREE_WITHIN, || async {
        match remove().await {
            Ok(()) => Poll::Done(()),
            Err(EngineError::DockerResponseServerError {
                status_code: GONE, ..
            }) => Poll::Done(()),
            Err(EngineError::DockerResponseServerError { status_code, message })
                if BUSY.contains(&status_code) =>
            {
                Poll::NotYet(message)
            }
            Err(error) => Poll::Never(error),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn answer(status_code: u16, message: &str) -> EngineError {
        EngineError::DockerResponseServerError {
            status_code,
            message: message.into(),
        }
    }

    /// What removing comes to when the engine answers so, one after the other; and what it was not asked any more.
    async fn after(answers: Vec<EngineError>) -> (Result<(), WaitError>, usize) {
        let answers = RefCell::new(answers.into_iter());
        let removed = removed(|| std::future::ready(answers.borrow_mut().next().map_or(Ok(()), Err))).await;
        (removed, answers.into_inner().len())
    }

    #[tokio::test(start_paused = true)]
    async fn what_somebody_else_is_at_is_waited_for() {
        let busy = || {
            vec![
                answer(409, "removal of container 1 is already in progress"),
                answer(
                    403,
                    "error while removing network: network n has active endpoints",
                ),
                answer(409, "remove v: volume is in use - [1]"),
            ]
        };
        let (free, _) = after(busy()).await;
        assert!(free.is_ok(), "{free:?}");
        let mut gone = busy();
        gone.push(answer(404, "no such container"));
        let (gone, _) = after(gone).await;
        assert!(gone.is_ok(), "{gone:?}");
        let (busy, unasked) = after((0..10_000).flat_map(|_| busy()).collect()).await;
        assert!(matches!(busy, Err(WaitError::TimedOut { .. })), "{busy:?}");
        assert!(unasked > 0, "somebody stays at it: that has an end");
    }

    #[tokio::test(start_paused = true)]
    async fn another_error_is_told_at_once() {
        let (refused, unasked) = after(vec![answer(500, "the disk is gone"), answer(500, "still")]).await;
        let Err(WaitError::Never(cause)) = refused else {
            panic!("{refused:?}");
        };
        let said = cause.downcast_ref::<EngineError>().map(ToString::to_string);
        assert!(said.is_some_and(|said| said.contains("the disk is gone")));
        assert_eq!(unasked, 1);
    }
}
