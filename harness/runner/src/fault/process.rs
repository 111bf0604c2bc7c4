//! What every process fault needs: a service that is named, and a look at what its process is doing.

use std::time::Duration;

use super::holds::{self, Holds};
use super::{Context, Error};
use crate::backend::{self, State};
use firedrill_wait::Poll;

/// How long a change of a process's state may take to be seen.
pub(super) const SEEN_WITHIN: Duration = Duration::from_secs(10);

/// Waits until a service's state is as wanted, and returns it.
pub(super) async fn state_becomes(
    context: &Context<'_>,
    service: &str,
    what: &str,
    wanted: impl Fn(&State) -> bool,
) -> Result<State, Error> {
    firedrill_wait::until(what, SEEN_WITHIN, async || {
        match context.target.state(service).await {
            Ok(state) if wanted(&state) => Poll::Done(state),
            Ok(state) => Poll::NotYet(format!("{service} is {state}")),
            Err(error) => Poll::Never(error),
        }
    })
    .await
    .map_err(|error| match error {
        firedrill_wait::WaitError::Never(cause) => Error::Target(cause),
        timed_out @ firedrill_wait::WaitError::TimedOut { .. } => Error::NotInEffect(timed_out.to_string()),
    })
}

/// The state of a service that runs, be it frozen: what has ended already cannot be broken.
pub(super) async fn running(context: &Context<'_>, service: &str) -> Result<State, Error> {
    let state = context.target.state(service).await?;
    if state.is_over() {
        return Err(Error::NotInEffect(format!("{service} is {state} already")));
    }
    Ok(state)
}

/// This step keeps a service down from now on.
pub(super) fn held_down(context: &Context<'_>, service: &str) -> Result<(), Error> {
    Holds::of(context, "down", service).take()
}

/// This step keeps a service down no longer: it is started, unless it runs already or another step keeps it down.
pub(super) async fn up_again(context: &Context<'_>, service: &str) -> Result<String, Error> {
    let others = Holds::of(context, "down", service).release();
    if !others.is_empty() {
        return Ok(format!("{service} is kept down by {}", holds::steps(&others)));
    }
    if !context.target.state(service).await?.is_over() {
        return Ok(format!("{service} runs already"));
    }
    let after = start_ready(context, service).await?;
    Ok(format!(
        "{service} was started again, ready after {} ms",
        after.as_millis()
    ))
}

/// Starts a service and waits until it is ready, as its system file says.
pub(super) async fn start_ready(context: &Context<'_>, service: &str) -> Result<Duration, Error> {
    context.target.start(service).await?;
    ready(context, service).await
}

/// Waits until a service is ready, as its system file says.
pub(super) async fn ready(context: &Context<'_>, service: &str) -> Result<Duration, Error> {
    let known = context.plan.system.services.get(service);
    let known = known.ok_or_else(|| backend::Error::NoSuchService(service.to_owned()))?;
    Ok(backend::ready(context.target, service, &known.ready).await?)
}
