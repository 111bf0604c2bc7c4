//! `stop`: the process is asked to end, as by a shutdown or an engine's stop.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::backend::State;
use crate::fault::process::{is_kept_down, keep_down, port_closes, running, state_becomes, up_again};
use crate::fault::{Context, Describe, Error, Family, Fault, Injected};
use firedrill_model::scenario::Requirement;
use firedrill_model::units::Span;

/// Asks a service to end (SIGTERM), and kills it if it has not ended after `grace`. Reverting starts it again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct Stop {
    /// The service.
    service: String,
    /// How long it may take to end by itself [default: 5s].
    #[serde(default = "grace", deserialize_with = "at_most_a_minute")]
    #[schemars(with = "Span")]
    grace: Span,
}

/// How long a service may take to end by itself.
pub(in crate::fault) fn grace() -> Span {
    Span::from_secs(5)
}

pub(in crate::fault) fn at_most_a_minute<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Span, D::Error> {
    let grace = Span::deserialize(deserializer)?;
    if grace > Span::from_secs(60) {
        return Err(serde::de::Error::custom("`grace` is at most 1m"));
    }
    Ok(grace)
}

impl Describe for Stop {
    const NAME: &'static str = "stop";
    const SUMMARY: &'static str = "ask a service to end with SIGTERM; kill it if it does not";
    const CONFIRMED: &'static str = "its processes have ended, and nobody answers on its port";
    const FAMILY: Family = Family::Process;
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
        // Another step may have ended it: then both keep it down.
        let before = context.backend.state(&self.service).await?;
        if !is_kept_down(context, &self.service)? {
            running(context, &self.service).await?;
        }
        keep_down(context, &self.service).await?;
        context.backend.stop(&self.service, self.grace.0).await?;
        let state = state_becomes(context, &self.service, "the process to end", State::is_over).await?;
        port_closes(context, &self.service, &before).await?;
        Ok(Injected::confirmed(format!("{}: {state}", self.service)))
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        up_again(context, &self.service).await
    }
}
