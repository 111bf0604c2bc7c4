//! `stop`: the process is asked to end, as a shutdown or an engine's stop does.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::backend::State;
use crate::fault::overlaps::Holds;
use crate::fault::process::{held_down, running, state_becomes, up_again};
use crate::fault::{Context, Describe, Error, Fault, Injected};
use firedrill_model::scenario::Requirement;
use firedrill_model::units::Span;

/// Asks a service to end (SIGTERM) and kills it when it has not after `grace`. Reverting starts it again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct Stop {
    /// The service.
    service: String,
    /// How long it may take to end by itself (5 s).
    #[serde(default = "grace", deserialize_with = "a_minute_at_most")]
    #[schemars(with = "Span")]
    grace: Span,
}

/// How long a service may take to end by itself.
pub(in crate::fault) fn grace() -> Span {
    Span::from_secs(5)
}

pub(in crate::fault) fn a_minute_at_most<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Span, D::Error> {
    let grace = Span::deserialize(deserializer)?;
    if grace > Span::from_secs(60) {
        return Err(serde::de::Error::custom("at most 1m of grace"));
    }
    Ok(grace)
}

impl Describe for Stop {
    const NAME: &'static str = "stop";
    const SUMMARY: &'static str = "ask a service to end with SIGTERM, kill it when it does not";
    const CONFIRMED: &'static str = "the process has ended";
    const FAMILY: &'static str = "process";
    const EXAMPLE: &'static str = r#"at = "1s", for = "500ms", stop = { service = "app", grace = "5s" }"#;
    const LASTS: bool = true;
    const REQUIRES: &'static [Requirement] = &[Requirement::Running];
}

#[async_trait]
impl Fault for Stop {
    fn describe(&self) -> String {
        format!("stop {} with SIGTERM, SIGKILL after {}", self.service, self.grace)
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        if Holds::of(context, "down", &self.service).held().is_empty() {
            running(context, &self.service).await?;
        }
        held_down(context, &self.service)?;
        context.backend.stop(&self.service, self.grace.0).await?;
        let state = state_becomes(context, &self.service, "the process to end", State::is_over).await?;
        Ok(Injected::confirmed(format!("{} is {state}", self.service)))
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        up_again(context, &self.service).await
    }
}
