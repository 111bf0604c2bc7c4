//! `pause`: the process is frozen: its sockets stay open and nothing answers, as in a long garbage collection or a
//! live migration.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::State;
use crate::fault::overlaps::{self, Claim};
use crate::fault::process::{holds_its_port, running, state_becomes};
use crate::fault::{Context, Describe, Error, Family, Fault, Injected};
use firedrill_model::scenario::Requirement;

/// Freezes a service. Reverting lets it run on from there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct Pause {
    /// The service.
    service: String,
}

/// A step's claim on a service: it is to stay frozen.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Frozen;

impl Claim for Frozen {
    const KIND: &'static str = "frozen";
}

impl Describe for Pause {
    const NAME: &'static str = "pause";
    const SUMMARY: &'static str = "freeze a service: it accepts connections and does not answer";
    const CONFIRMED: &'static str =
        "the kernel or the engine reports all its processes as frozen, and nobody else holds its port";
    const FAMILY: Family = Family::Process;
    const EXAMPLE: &'static str = r#"at = "1s", for = "500ms", pause = { service = "app" }"#;
    const LASTS: bool = true;
    const REQUIRES: &'static [Requirement] = &[Requirement::Running];
}

#[async_trait]
impl Fault for Pause {
    fn describe(&self) -> String {
        format!("freeze {}", self.service)
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        running(context, &self.service).await?;
        let mut claims = context.overlaps.lock(&self.service).await?;
        claims.add(context.step, Frozen)?;
        // An overlapping step may have frozen it already.
        if context.backend.state(&self.service).await? != State::Paused {
            context.backend.pause(&self.service).await?;
        }
        state_becomes(context, &self.service, "the process to be frozen", |state| {
            *state == State::Paused
        })
        .await?;
        holds_its_port(context, &self.service).await?;
        Ok(Injected::confirmed(format!("{} is frozen", self.service)))
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        let mut claims = context.overlaps.lock::<Frozen>(&self.service).await?;
        claims.remove(context.step)?;
        if !claims.all().is_empty() {
            let others = overlaps::steps(claims.all());
            return Ok(format!("{} stays frozen: {others} keeps it frozen", self.service));
        }
        // It may have ended meanwhile, by another step: then there is nothing to resume.
        if context.backend.state(&self.service).await? == State::Paused {
            context.backend.resume(&self.service).await?;
        }
        state_becomes(context, &self.service, "the process to run", |state| {
            *state != State::Paused
        })
        .await?;
        Ok(format!("{} runs again", self.service))
    }
}
