//! Limits of a running container, in the engine's words.

use testcontainers::bollard::models::{ContainerUpdateBody, HostConfig};

use firedrill_model::scenario::ResourceLimits;
use firedrill_model::units::Share;

/// A share of the processors in billionths of one, as the engine counts.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a share of at most 1, in billionths"
)]
pub(super) fn billionths(share: Share) -> i64 {
    (share.0 * 1e9).round() as i64
}

/// Limits as the engine takes them for a running container. It has no word for "no limit": the whole machine is that.
pub(super) fn update(limits: &ResourceLimits, cores: i64, memory: i64) -> ContainerUpdateBody {
    let memory = limits
        .memory
        .and_then(|size| i64::try_from(size.0).ok())
        .unwrap_or(memory);
    let cpus = limits.cpu.map(billionths);
    ContainerUpdateBody {
        memory: Some(memory),
        memory_swap: Some(memory),
        nano_cpus: Some(cpus.unwrap_or(cores * 1_000_000_000)),
        pids_limit: Some(limits.pids.map_or(-1, i64::from)),
        ..Default::default()
    }
}

/// What of the wanted limits the engine says is in force.
pub(super) fn in_force(wanted: &ResourceLimits, host: &HostConfig) -> ResourceLimits {
    ResourceLimits {
        memory: wanted.memory.filter(|size| {
            host.memory
                .is_some_and(|memory| u64::try_from(memory) == Ok(size.0))
        }),
        cpu: wanted
            .cpu
            .filter(|share| host.nano_cpus == Some(billionths(*share))),
        pids: wanted
            .pids
            .filter(|pids| host.pids_limit == Some(i64::from(*pids))),
        volume: wanted.volume.clone(),
    }
}
