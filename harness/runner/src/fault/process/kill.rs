//! `kill`: the process ends at once, as with `kill -9` or the kernel's out-of-memory killer.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::backend::State;
use crate::fault::process::{keep_down, port_closes, running, state_becomes, up_again};
use crate::fault::{Context, Describe, Error, Family, Fault, Injected};
use firedrill_model::scenario::Requirement;

/// Kills a service with SIGKILL: nothing is flushed, no client is notified. Reverting starts it again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct Kill {
    /// The service.
    service: String,
}

impl Describe for Kill {
    const NAME: &'static str = "kill";
    const SUMMARY: &'static str = "kill all processes of a service with SIGKILL";
    const CONFIRMED: &'static str = "its processes have ended, and nobody answers on its port";
    const FAMILY: Family = Family::Process;
    const EXAMPLE: &'static str = r#"at = "1s", for = "500ms", kill = { service = "app" }"#;
    const LASTS: bool = true;
    const REQUIRES: &'static [Requirement] = &[Requirement::Running];
}

#[async_trait]
impl Fault for Kill {
    fn describe(&self) -> String {
        format!("kill {} with SIGKILL", self.service)
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        let before = running(context, &self.service).await?;
        keep_down(context, &self.service).await?;
        context.backend.kill(&self.service).await?;
        // With a restart policy another process may run already: its identity differs.
        let gone = |state: &State| !matches!(state, State::Paused) && *state != before;
        let state = state_becomes(context, &self.service, "the process to end", gone).await?;
        port_closes(context, &self.service, &before).await?;
        Ok(Injected::confirmed(format!(
            "{} was {before}; now {state}",
            self.service
        )))
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        up_again(context, &self.service).await
    }
}
