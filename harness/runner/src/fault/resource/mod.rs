//! What the faults of resources share: a limit is narrowed while the service runs, read back, and lifted again.

pub(in crate::fault) mod limit_memory;
pub(in crate::fault) mod limit_pids;
pub(in crate::fault) mod starve_cpu;

use crate::fault::process::running;
use crate::fault::{Context, Error, Injected};
use firedrill_model::scenario::ResourceLimits;

/// How a limit is confirmed.
pub(in crate::fault) const CONFIRMED: &str =
    "the limit in force was read back; whether the service meets it is told by what becomes of it alone";

/// Narrows, and confirms with `seen` that it is in force.
pub(in crate::fault) async fn narrow(
    context: &Context<'_>,
    service: &str,
    limits: ResourceLimits,
    seen: impl Fn(&ResourceLimits) -> Option<String>,
) -> Result<Injected, Error> {
    running(context, service).await?;
    let now = context.backend.limit(service, context.step, Some(limits)).await?;
    match seen(&now) {
        Some(evidence) => Ok(Injected::confirmed(format!(
            "{evidence} (whether it wants more is not seen)"
        ))),
        None => Err(Error::NotInEffect(format!(
            "the limit of {service} is not in force"
        ))),
    }
}

/// Lifts what this step has narrowed.
pub(in crate::fault) async fn lift(context: &Context<'_>, service: &str) -> Result<String, Error> {
    context.backend.limit(service, context.step, None).await?;
    Ok(format!("{service} has its own limits again"))
}
