//! `restart`: the process ends and a new one takes its place, as after an upgrade of the host.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::backend::State;
use crate::fault::error::NotInEffect;
use crate::fault::process::{running, start_ready};
use crate::fault::{Context, Describe, Error, Family, Fault, Injected};
use firedrill_model::format;
use firedrill_model::scenario::Requirement;
use firedrill_model::units::Span;

/// Stops a service (SIGTERM, SIGKILL after `grace`) and starts it again at once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct Restart {
    /// The service.
    service: String,
    /// How long it may take to end by itself [default: 5s].
    #[serde(
        default = "super::stop::grace",
        deserialize_with = "super::stop::at_most_a_minute"
    )]
    #[schemars(with = "Span")]
    grace: Span,
}

impl Describe for Restart {
    const NAME: &'static str = "restart";
    const SUMMARY: &'static str = "stop a service and start it again at once";
    const CONFIRMED: &'static str = "another process runs and is ready";
    const FAMILY: Family = Family::Process;
    const EXAMPLE: &'static str = r#"at = "1s", restart = { service = "app" }"#;
    const LASTS: bool = false;
    const REQUIRES: &'static [Requirement] = &[Requirement::Running];
}

#[async_trait]
impl Fault for Restart {
    fn describe(&self) -> String {
        format!("restart {}", self.service)
    }

    fn lasts(&self) -> bool {
        Self::LASTS
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        // Only the identity shows that the process after the restart is another one.
        let before = running(context, &self.service).await?;
        context.backend.stop(&self.service, self.grace.0).await?;
        let ready = start_ready(context, &self.service).await?;
        let after = context.backend.state(&self.service).await?;
        match &after {
            State::Running(_) if after != before => Ok(Injected::confirmed(format!(
                "{}: new process ready in {}",
                self.service,
                format::latency(ready)
            ))),
            _ => Err(NotInEffect::SameProcess {
                service: self.service.clone(),
                seen: after,
            }
            .into()),
        }
    }

    async fn revert(&self, _: &Context<'_>) -> Result<String, Error> {
        Ok(format!("nothing to revert: {} was restarted", self.service))
    }
}
