//! A call to the engine: how long it may take, and what its failure is called.

use std::time::Duration;

use testcontainers::bollard::errors::Error as EngineError;

use crate::target::{Error, operation};

/// No call to the engine takes longer, but builds and pulls.
pub(super) const CALL_WITHIN: Duration = Duration::from_secs(30);

/// A call to the engine, with the time it may take and a name for its failure.
pub(super) async fn call<T, E: ToString>(
    what: &'static str,
    service: &str,
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, Error> {
    match tokio::time::timeout(CALL_WITHIN, future).await {
        Ok(result) => result.map_err(|cause| operation(what, service, cause.to_string())),
        Err(_) => Err(operation(
            what,
            service,
            format!("the engine did not answer within {CALL_WITHIN:?}"),
        )),
    }
}

/// Gone is gone, whoever removed it.
pub(super) async fn gone(removal: impl Future<Output = Result<(), EngineError>>) -> Result<(), EngineError> {
    match removal.await {
        Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
        removed => removed,
    }
}
