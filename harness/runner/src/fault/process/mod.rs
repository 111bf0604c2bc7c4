//! What every process fault needs: a service that is named, and a look at what its process is doing.

pub(in crate::fault) mod crash_loop;
pub(in crate::fault) mod kill;
pub(in crate::fault) mod pause;
pub(in crate::fault) mod restart;
pub(in crate::fault) mod stop;

use std::time::Duration;

use crate::backend::{self, State};
use crate::fault::overlaps::{self as holds, Holds};
use crate::fault::{Context, Error};
use firedrill_wait::Poll;

/// How long a change of a process's state may take to be seen.
pub(in crate::fault) const SEEN_WITHIN: Duration = Duration::from_secs(10);

/// Waits until a service's state is as wanted, and returns it.
pub(in crate::fault) async fn state_becomes(
    context: &Context<'_>,
    service: &str,
    what: &str,
    wanted: impl Fn(&State) -> bool,
) -> Result<State, Error> {
    firedrill_wait::until(what, SEEN_WITHIN, async || {
        match context.backend.state(service).await {
            Ok(state) if wanted(&state) => Poll::Done(state),
            Ok(state) => Poll::NotYet(format!("{service} is {state}")),
            Err(error) => Poll::Never(error),
        }
    })
    .await
    .map_err(|error| match error {
        firedrill_wait::WaitError::Never(cause) => Error::Backend(cause),
        timed_out @ firedrill_wait::WaitError::TimedOut { .. } => Error::NotInEffect(timed_out.to_string()),
    })
}

/// The state of a service that runs, be it frozen: what has ended already cannot be broken.
pub(in crate::fault) async fn running(context: &Context<'_>, service: &str) -> Result<State, Error> {
    let state = context.backend.state(service).await?;
    if state.is_over() {
        return Err(Error::NotInEffect(format!("{service} is {state} already")));
    }
    Ok(state)
}

/// This step keeps a service down from now on.
pub(in crate::fault) fn held_down(context: &Context<'_>, service: &str) -> Result<(), Error> {
    Holds::of(context, "down", service).take()
}

/// This step keeps a service down no longer: it is started, unless it runs already or another step keeps it down.
pub(in crate::fault) async fn up_again(context: &Context<'_>, service: &str) -> Result<String, Error> {
    let others = Holds::of(context, "down", service).release();
    if !others.is_empty() {
        return Ok(format!("{service} is kept down by {}", holds::steps(&others)));
    }
    if !context.backend.state(service).await?.is_over() {
        return Ok(format!("{service} runs already"));
    }
    let after = start_ready(context, service).await?;
    Ok(format!(
        "{service} was started again, ready after {} ms",
        after.as_millis()
    ))
}

/// Starts a service and waits until it is ready, as its system file says.
pub(in crate::fault) async fn start_ready(context: &Context<'_>, service: &str) -> Result<Duration, Error> {
    context.backend.start(service).await?;
    ready(context, service).await
}

/// Waits until a service is ready, as its system file says.
pub(in crate::fault) async fn ready(context: &Context<'_>, service: &str) -> Result<Duration, Error> {
    let known = context.plan.system.services.get(service);
    let known = known.ok_or_else(|| backend::Error::NoSuchService(service.to_owned()))?;
    Ok(backend::ready(context.backend, service, &known.ready).await?)
}
