//! Faults of a service's process, and what they share: a look at what the process is doing, and who keeps it down.

pub(in crate::fault) mod crash_loop;
pub(in crate::fault) mod kill;
pub(in crate::fault) mod pause;
pub(in crate::fault) mod restart;
pub(in crate::fault) mod stop;

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::backend::{self, Cause, State};
use crate::endpoint;
use crate::fault::error::NotInEffect;
use crate::fault::overlaps::{self, Claim};
use crate::fault::{Context, Error};
use firedrill_model::format;
use firedrill_wait::{Poll, WaitError};

/// How long a change of a process's state may take to be seen.
const SEEN_WITHIN: Duration = Duration::from_secs(10);

/// How long a port may take to close after the last process of its service has ended.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

/// A port that has not accepted a connection from this machine after so long accepts none.
const SILENT_AFTER: Duration = Duration::from_millis(500);

/// A step's claim on a service: it is to stay down.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Down;

impl Claim for Down {
    const KIND: &'static str = "down";
}

/// Waits until a service's state is as wanted, and returns it.
pub(in crate::fault) async fn state_becomes(
    context: &Context<'_>,
    service: &str,
    expected: &'static str,
    wanted: impl Fn(&State) -> bool,
) -> Result<State, Error> {
    let look = async || match context.backend.state(service).await {
        Ok(state) if wanted(&state) => Poll::Done(state),
        Ok(state) => Poll::NotYet(state.to_string()),
        // A backend that cannot be asked gives no answer later either.
        Err(error) => Poll::Never(error),
    };
    let state = firedrill_wait::until(expected, SEEN_WITHIN, look).await;
    state.map_err(|error| match error {
        WaitError::Never(cause) => not_seen(service, cause),
        WaitError::TimedOut { within, last, .. } => Error::NotInEffect(NotInEffect::StateNotReached {
            service: service.to_owned(),
            expected,
            within,
            seen: last,
        }),
    })
}

/// The backend does not say what a service is doing.
fn not_seen(service: &str, cause: Cause) -> Error {
    Error::Backend(backend::Error::Operation {
        operation: "look at",
        service: service.to_owned(),
        cause,
    })
}

/// The state of a service that runs, frozen or not. One that has ended cannot be broken.
pub(in crate::fault) async fn running(context: &Context<'_>, service: &str) -> Result<State, Error> {
    let state = context.backend.state(service).await?;
    if state.is_over() {
        let service = service.to_owned();
        return Err(NotInEffect::AlreadyEnded { service, state }.into());
    }
    Ok(state)
}

/// Waits until nobody answers on a service's port: that is where users are. A restart policy may have brought a process after
/// `before` by then.
pub(in crate::fault) async fn port_closes(
    context: &Context<'_>,
    service: &str,
    before: &State,
) -> Result<(), Error> {
    let spec = context.backend.spec(service)?;
    // Nobody connects to a service without a port.
    let main = spec.port.map(|_| None);
    for port in main.into_iter().chain(spec.ports.keys().map(Some)) {
        let address = context.backend.address(service, port.map(String::as_str))?;
        closes(context, (service, address), before).await?;
    }
    Ok(())
}

async fn closes(
    context: &Context<'_>,
    (service, address): (&str, SocketAddr),
    before: &State,
) -> Result<(), Error> {
    let look = async || {
        let connected = tokio::time::timeout(SILENT_AFTER, TcpStream::connect(address)).await;
        // Whether refused or not answered at all: nobody is there.
        if !matches!(connected, Ok(Ok(_))) {
            return Poll::Done(());
        }
        match context.backend.state(service).await {
            Ok(now @ State::Running(_)) if now != *before => Poll::Done(()),
            Ok(now) => Poll::NotYet(now.to_string()),
            Err(error) => Poll::Never(error),
        }
    };
    match firedrill_wait::until("a closed port", CLOSED_WITHIN, look).await {
        Ok(()) => Ok(()),
        Err(WaitError::Never(cause)) => Err(not_seen(service, cause)),
        Err(WaitError::TimedOut { .. }) => Err(port_held(context, service).await?),
    }
}

/// The port of a service accepts connections although its processes do not run.
async fn port_held(context: &Context<'_>, service: &str) -> Result<Error, Error> {
    let holders = context.backend.strangers(service).await?;
    let service = service.to_owned();
    Ok(NotInEffect::PortHeld { service, holders }.into())
}

/// Whether only the service itself holds its port; an error that names the others if not.
pub(in crate::fault) async fn holds_its_port(context: &Context<'_>, service: &str) -> Result<(), Error> {
    let holders = context.backend.strangers(service).await?;
    if holders.is_empty() {
        return Ok(());
    }
    let service = service.to_owned();
    Err(NotInEffect::PortHeld { service, holders }.into())
}

/// Whether a step keeps a service down.
pub(in crate::fault) fn is_kept_down(context: &Context<'_>, service: &str) -> Result<bool, Error> {
    Ok(!context.overlaps.look::<Down>(service)?.is_empty())
}

/// This step keeps a service down from now on.
pub(in crate::fault) async fn keep_down(context: &Context<'_>, service: &str) -> Result<(), Error> {
    let mut claims = context.overlaps.lock(service).await?;
    claims.add(context.step, Down)
}

/// This step no longer keeps a service down: it is started, unless it runs or another step keeps it down.
pub(in crate::fault) async fn up_again(context: &Context<'_>, service: &str) -> Result<String, Error> {
    let mut claims = context.overlaps.lock::<Down>(service).await?;
    claims.remove(context.step)?;
    if !claims.all().is_empty() {
        let others = overlaps::steps(claims.all());
        return Ok(format!("{service} stays down: {others} keeps it down"));
    }
    // A start may take long. Others may take the service down meanwhile, as they may while it runs.
    drop(claims);
    if !context.backend.state(service).await?.is_over() {
        return Ok(format!("{service} is already running"));
    }
    let ready = start_ready(context, service).await?;
    Ok(format!("started {service}, ready in {}", format::latency(ready)))
}

/// Starts a service and waits until it is ready, as its system file says.
pub(in crate::fault) async fn start_ready(context: &Context<'_>, service: &str) -> Result<Duration, Error> {
    context.backend.start(service).await?;
    let known = context.plan.system.services.get(service);
    let known = known.ok_or_else(|| backend::Error::NoSuchService(service.to_owned()))?;
    let endpoint = endpoint::for_readiness(context.plan, context.backend, service)?;
    Ok(backend::ready(context.backend, service, &known.ready, endpoint.as_ref()).await?)
}
