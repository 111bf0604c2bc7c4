//! `crash-loop`: the process ends, is restarted, and ends again: what the back-off of restarts is for.

use std::time::Instant;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::backend::{Capability, State};
use crate::fault::error::NotInEffect;
use crate::fault::process::{running, state_becomes};
use crate::fault::{Context, Describe, Error, Family, Fault, Injected};
use firedrill_model::format;
use firedrill_model::scenario::{self, Requirement};

/// Kills a service each time its restart policy has started it again; the growing pauses of the engine show in the
/// timeline. The service needs `restart = "always"`, which restarts it after the last time too.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct CrashLoop {
    /// The service.
    service: String,
    /// How often it is killed [default: 3], at most 7 times: the engine's next pause would be longer than 10 s.
    #[serde(default = "three", deserialize_with = "few")]
    #[schemars(range(min = 1, max = 7))]
    times: std::num::NonZeroU8,
}

fn three() -> std::num::NonZeroU8 {
    std::num::NonZeroU8::MIN.saturating_add(2)
}

fn few<'de, D: Deserializer<'de>>(deserializer: D) -> Result<std::num::NonZeroU8, D::Error> {
    let times = std::num::NonZeroU8::deserialize(deserializer)?;
    if times.get() > 7 {
        return Err(serde::de::Error::custom(
            "`times` is at most 7: engines double their pause each time, and the eighth is longer than 10 s",
        ));
    }
    Ok(times)
}

impl Describe for CrashLoop {
    const NAME: &'static str = "crash-loop";
    const SUMMARY: &'static str = "kill a service again each time it was restarted";
    const CONFIRMED: &'static str = "a new process ran after each kill; the pauses are measured";
    const FAMILY: Family = Family::Process;
    const EXAMPLE: &'static str = r#"at = "1s", crash-loop = { service = "app", times = 3 }"#;
    const LASTS: bool = false;
    const REQUIRES: &'static [Requirement] = &[Requirement::Running, Requirement::BroughtBack];
}

#[async_trait]
impl Fault for CrashLoop {
    fn describe(&self) -> String {
        format!(
            "kill {} {}, each time it was restarted",
            self.service,
            format::count(self.times.get(), "time")
        )
    }

    fn lasts(&self) -> bool {
        Self::LASTS
    }

    fn needs(&self) -> Vec<Capability> {
        vec![Capability::RestartPolicy]
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        if context.backend.spec(&self.service)?.restart != scenario::Restart::Always {
            let service = self.service.clone();
            return Err(NotInEffect::NoRestartPolicy { service }.into());
        }
        running(context, &self.service).await?;
        let mut pauses = Vec::new();
        for _ in 0..self.times.get() {
            let runs = |state: &State| matches!(state, State::Running(_));
            // A kill during the pause before a restart would hit no process.
            let before = state_becomes(context, &self.service, "the process to run", runs).await?;
            context.backend.kill(&self.service).await?;
            let since = Instant::now();
            let another = |state: &State| matches!(state, State::Running(_)) && *state != before;
            state_becomes(context, &self.service, "a new process", another).await?;
            pauses.push(format::latency(since.elapsed()));
        }
        Ok(Injected::confirmed(format!(
            "killed {}; restarted after {}",
            format::count(self.times.get(), "time"),
            format::list(pauses)
        )))
    }

    async fn revert(&self, _: &Context<'_>) -> Result<String, Error> {
        Ok(format!(
            "nothing to revert: {} has its restart policy",
            self.service
        ))
    }
}
