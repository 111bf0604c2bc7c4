//! Faults of resources, and what they share: a limit is lowered while the service runs, read back, and raised again.

pub(in crate::fault) mod limit_memory;
pub(in crate::fault) mod limit_pids;
pub(in crate::fault) mod starve_cpu;

use crate::fault::error::NotInEffect;
use crate::fault::overlaps::{Claim, Claimed, Claims};
use crate::fault::process::running;
use crate::fault::{Context, Error, Injected};
use firedrill_model::scenario::ResourceLimits;

/// How a limit is confirmed.
const CONFIRMED: &str = "the limit was read back; whether the service reached it cannot be observed";

/// A step's claim on a service: limits that it must not exceed.
impl Claim for ResourceLimits {
    const KIND: &'static str = "limits";
}

/// Lowers limits, and confirms with `evidence` that they are in force.
async fn lower(
    context: &Context<'_>,
    service: &str,
    limits: ResourceLimits,
    evidence: impl Fn(&ResourceLimits) -> Option<String>,
) -> Result<Injected, Error> {
    running(context, service).await?;
    let mut claims = context.overlaps.lock(service).await?;
    claims.add(context.step, limits)?;
    let in_force = apply(context, service, &claims).await?;
    // What the engine reports, not what was asked: some accept a limit and do not enforce it.
    match evidence(&in_force) {
        Some(evidence) => Ok(Injected::confirmed(format!(
            "{evidence} (cannot tell whether the service reached the limit)"
        ))),
        None => Err(NotInEffect::LimitIgnored {
            service: service.to_owned(),
        }
        .into()),
    }
}

/// Raises what this step has lowered, to what the other steps and the system file allow.
async fn raise(context: &Context<'_>, service: &str) -> Result<String, Error> {
    let mut claims = context.overlaps.lock::<ResourceLimits>(service).await?;
    claims.remove(context.step)?;
    apply(context, service, &claims).await?;
    Ok(if claims.all().is_empty() {
        format!("{service} has the limits of the system file again")
    } else {
        format!("{service} has the limits that other steps set")
    })
}

/// Puts the narrowest of all claims in force, while they cannot change.
async fn apply(
    context: &Context<'_>,
    service: &str,
    claims: &Claims<ResourceLimits>,
) -> Result<ResourceLimits, Error> {
    let system = context.backend.spec(service)?.limits;
    let limits = narrowest(&system, claims.all());
    Ok(context.backend.limit(service, limits).await?)
}

/// The narrowest of what the system file allows and what steps claim.
fn narrowest(system: &ResourceLimits, claims: &[Claimed<ResourceLimits>]) -> ResourceLimits {
    // Never wider than the system file: a fault takes resources and gives none.
    let mut now = system.clone();
    for Claimed { claim, .. } in claims {
        now.memory = [now.memory, claim.memory].into_iter().flatten().min();
        now.pids = [now.pids, claim.pids].into_iter().flatten().min();
        let cpu = [now.cpu, claim.cpu].into_iter().flatten();
        now.cpu = cpu.min_by(|a, b| a.0.total_cmp(&b.0));
    }
    now
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use firedrill_model::units::Size;

    fn memory(bytes: Option<u64>) -> ResourceLimits {
        ResourceLimits {
            memory: bytes.map(Size),
            ..Default::default()
        }
    }

    proptest! {
        #[test]
        fn the_narrowest_of_the_claims_that_are_left_is_in_force(
            system: Option<u64>,
            claims in prop::collection::vec(any::<u64>(), 0..6),
        ) {
            let claimed: Vec<_> = (claims.iter().enumerate())
                .map(|(step, bytes)| Claimed { step, claim: memory(Some(*bytes)) })
                .collect();
            for left in 0..=claims.len() {
                let expected = claims[..left].iter().copied().chain(system).min();
                prop_assert_eq!(narrowest(&memory(system), &claimed[..left]), memory(expected));
            }
        }
    }
}
