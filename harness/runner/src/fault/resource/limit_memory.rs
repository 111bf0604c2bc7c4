//! `limit-memory`: a service gets less memory than it wants, as with a limit set too low or a leak.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{CONFIRMED, lower, raise};
use crate::backend::Capability;
use crate::fault::{Context, Describe, Error, Family, Fault, Injected};
use firedrill_model::scenario::{Requirement, ResourceLimits};
use firedrill_model::units::Size;

/// Lowers a service's memory limit while it runs. In a container the kernel kills what wants more; a local process
/// gets no more, which ends most programs as well. A leak reaches it soon: deploy a release that has one. Reverting
/// restores the system file's limit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct LimitMemory {
    /// The service.
    service: String,
    /// The most memory it may have; engines refuse less than 6MiB.
    #[serde(deserialize_with = "enough")]
    #[schemars(with = "Size")]
    memory: Size,
}

/// Engines refuse less.
fn enough<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
    let size = Size::deserialize(deserializer)?;
    if size < Size(6 << 20) {
        return Err(serde::de::Error::custom(
            "`memory` is at least 6MiB: engines refuse less",
        ));
    }
    Ok(size)
}

impl Describe for LimitMemory {
    const NAME: &'static str = "limit-memory";
    const SUMMARY: &'static str = "lower a service's memory limit: the kernel kills it when it needs more";
    const CONFIRMED: &'static str = CONFIRMED;
    const FAMILY: Family = Family::Resource;
    const EXAMPLE: &'static str =
        r#"at = "1s", for = "2s", limit-memory = { service = "app", memory = "64MiB" }"#;
    const LASTS: bool = true;
    const REQUIRES: &'static [Requirement] = &[Requirement::Running, Requirement::LowerLimit];
}

#[async_trait]
impl Fault for LimitMemory {
    fn describe(&self) -> String {
        format!("limit the memory of {} to {}", self.service, self.memory)
    }

    fn needs(&self) -> Vec<Capability> {
        vec![Capability::MemoryLimit]
    }

    fn starves(&self) -> bool {
        true
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        let wanted = ResourceLimits {
            memory: Some(self.memory),
            ..Default::default()
        };
        let evidence = |now: &ResourceLimits| {
            now.memory
                .map(|memory| format!("{}: memory limit {memory}", self.service))
        };
        lower(context, &self.service, wanted, evidence).await
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        raise(context, &self.service).await
    }
}
