//! `starve-cpu`: a service gets a small share of a processor, as beside a greedy neighbour.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{CONFIRMED, lower, raise};
use crate::backend::Capability;
use crate::fault::{Context, Describe, Error, Family, Fault, Injected};
use firedrill_model::scenario::{Requirement, ResourceLimits};
use firedrill_model::units::Share;

/// Lowers the share of one core that a service may use while it runs. Reverting restores the system file's.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct StarveCpu {
    /// The service.
    service: String,
    /// The share of one core, at least 1% [default: 5%].
    #[serde(default = "little", deserialize_with = "enough")]
    #[schemars(with = "Share")]
    cpu: Share,
}

fn little() -> Share {
    Share(0.05)
}

/// Engines refuse less.
fn enough<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
    let share = Share::deserialize(deserializer)?;
    if share.0 < 0.01 {
        return Err(serde::de::Error::custom(
            "`cpu` is at least 1% of a core: engines refuse less",
        ));
    }
    Ok(share)
}

impl Describe for StarveCpu {
    const NAME: &'static str = "starve-cpu";
    const SUMMARY: &'static str = "leave a service a small share of a core";
    const CONFIRMED: &'static str = CONFIRMED;
    const FAMILY: Family = Family::Resource;
    const EXAMPLE: &'static str = r#"at = "1s", for = "2s", starve-cpu = { service = "app", cpu = "5%" }"#;
    const LASTS: bool = true;
    const REQUIRES: &'static [Requirement] = &[Requirement::Running, Requirement::LowerLimit];
}

#[async_trait]
impl Fault for StarveCpu {
    fn describe(&self) -> String {
        format!("limit {} to {} of a core", self.service, self.cpu)
    }

    fn needs(&self) -> Vec<Capability> {
        vec![Capability::CpuLimit]
    }

    fn starves(&self) -> bool {
        true
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        let wanted = ResourceLimits {
            cpu: Some(self.cpu),
            ..Default::default()
        };
        let evidence = |now: &ResourceLimits| {
            now.cpu
                .map(|cpu| format!("{}: limit of {cpu} of a core", self.service))
        };
        lower(context, &self.service, wanted, evidence).await
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        raise(context, &self.service).await
    }
}
