//! `limit-pids`: a service can start no more threads or processes, as when something else has used them up.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{CONFIRMED, lower, raise};
use crate::backend::Capability;
use crate::fault::{Context, Describe, Error, Family, Fault, Injected};
use firedrill_model::format;
use firedrill_model::scenario::{Requirement, ResourceLimits};

/// Lowers the number of threads and processes that a service may have while it runs; those it has stay. Reverting
/// restores the system file's.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct LimitPids {
    /// The service.
    service: String,
    /// How many it may have in all.
    pids: std::num::NonZeroU32,
}

/// Threads and processes count alike.
fn threads(limit: u32) -> String {
    format!("{} and processes in all", format::count(limit, "thread"))
}

impl Describe for LimitPids {
    const NAME: &'static str = "limit-pids";
    const SUMMARY: &'static str = "limit a service's threads and processes";
    const CONFIRMED: &'static str = CONFIRMED;
    const FAMILY: Family = Family::Resource;
    const EXAMPLE: &'static str = r#"at = "1s", for = "2s", limit-pids = { service = "app", pids = 1 }"#;
    const LASTS: bool = true;
    const REQUIRES: &'static [Requirement] = &[Requirement::Running, Requirement::LowerLimit];
}

#[async_trait]
impl Fault for LimitPids {
    fn describe(&self) -> String {
        format!("limit {} to {}", self.service, threads(self.pids.get()))
    }

    fn needs(&self) -> Vec<Capability> {
        vec![Capability::PidsLimit]
    }

    fn starves(&self) -> bool {
        true
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        let wanted = ResourceLimits {
            pids: Some(self.pids.get()),
            ..Default::default()
        };
        let evidence = |now: &ResourceLimits| {
            now.pids
                .map(|pids| format!("{}: limit of {}", self.service, threads(pids)))
        };
        lower(context, &self.service, wanted, evidence).await
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        raise(context, &self.service).await
    }
}
