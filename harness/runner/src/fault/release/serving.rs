//! Which release a service runs, by its own answer: a deploy is confirmed where requests arrive, not where it was started.

use std::time::Duration;

use bytes::Bytes;
use http::Request;

use super::action::LONGEST_ANSWER;
use crate::endpoint;
use crate::fault::{Context, Error};
use firedrill_probe::{NoAnswer, ask, named_release};

/// A service that was just deployed may be slow; one answer is not waited for longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Why nobody knows which release a service runs.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSeen {
    /// The system does not say how answers name their release.
    #[error("the system file has no [identity]")]
    NoIdentity,
    /// Nobody can ask it.
    #[error("it has no port")]
    NoPort,
    /// It did not answer.
    #[error("it did not answer ({0})")]
    NoAnswer(#[source] NoAnswer),
    /// Its answer names no release.
    #[error("its answer names none")]
    NotNamed,
}

/// Asks a service's readiness page, or its first page, at its own address: which release does the answer name?
pub(super) async fn release(context: &Context<'_>, service: &str) -> Result<Result<String, NotSeen>, Error> {
    let Some(identity) = &context.plan.system.identity else {
        return Ok(Err(NotSeen::NoIdentity));
    };
    let ready = context
        .plan
        .system
        .services
        .get(service)
        .map(|known| &known.ready);
    let port = ready.and_then(|ready| ready.port.as_deref());
    let path = ready.and_then(|ready| ready.path.as_deref()).unwrap_or("/");
    if port.is_none() && context.backend.spec(service)?.port.is_none() {
        return Ok(Err(NotSeen::NoPort));
    }
    let endpoint = endpoint::of(context.plan, context.backend, service, port)?;
    let ask = async || {
        let mut request = Request::get(path);
        for (name, value) in ready.iter().flat_map(|ready| &ready.header) {
            request = request.header(name, value);
        }
        let request = request.body(Bytes::new())?;
        ask(&endpoint, request, LONGEST_ANSWER, ANSWER_WITHIN).await
    };
    Ok(match ask().await {
        Err(error) => Err(NotSeen::NoAnswer(error)),
        Ok(answer) => named_release(identity, answer.headers(), answer.body()).ok_or(NotSeen::NotNamed),
    })
}
