//! `pause`: the process is frozen: its sockets stay open and nothing answers, as in a long garbage collection or a
//! live migration.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::backend::State;
use crate::fault::overlaps::{self as holds, Holds};
use crate::fault::process::{running, state_becomes};
use crate::fault::{Context, Describe, Error, Fault, Injected};
use firedrill_model::scenario::Requirement;

/// Freezes a service. Reverting lets it go on where it stood.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct Pause {
    /// The service.
    service: String,
}

impl Describe for Pause {
    const NAME: &'static str = "pause";
    const SUMMARY: &'static str = "freeze a service: connections are taken and nothing answers";
    const CONFIRMED: &'static str = "the process stands still, as the kernel or the engine says";
    const FAMILY: &'static str = "process";
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
        Holds::of(context, "frozen", &self.service).take()?;
        if context.backend.state(&self.service).await? != State::Paused {
            context.backend.pause(&self.service).await?;
        }
        state_becomes(context, &self.service, "the process to be frozen", |state| {
            *state == State::Paused
        })
        .await?;
        Ok(Injected::confirmed(format!("{} is frozen", self.service)))
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        let others = Holds::of(context, "frozen", &self.service).release();
        if !others.is_empty() {
            return Ok(format!(
                "{} stays frozen by {}",
                self.service,
                holds::steps(&others)
            ));
        }
        if context.backend.state(&self.service).await? == State::Paused {
            context.backend.resume(&self.service).await?;
        }
        state_becomes(context, &self.service, "the process to go on", |state| {
            *state != State::Paused
        })
        .await?;
        Ok(format!("{} goes on", self.service))
    }
}
