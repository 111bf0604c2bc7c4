//! `tear-write`: the process dies in the middle of writing its file, and starts again on what it left.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stored::{Damage, Stored};
use crate::backend::State;
use crate::fault::overlaps::Claim;
use crate::fault::process::{keep_down, running, state_becomes, up_again};
use crate::fault::{Context, Describe, Error, Family, Fault, HitCount, Injected};
use firedrill_model::scenario::Requirement;
use firedrill_model::table::Merged;
use firedrill_model::units::Share;

/// Kills a service with SIGKILL, leaves its file as a write in progress would have (its first part only, as a program
/// that rewrites its file in place leaves it), and starts the service again on that. To hit a real write is a matter of
/// chance, so its result is made instead. Reverting restores the file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(from = "Merged<Stored, Tear>")]
pub(in crate::fault) struct TearWrite {
    stored: Stored,
    written: Share,
}

/// Where the write broke off.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Tear {
    /// How much of the file had been written [default: 60%].
    #[serde(default = "most")]
    written: Share,
}

impl From<Merged<Stored, Tear>> for TearWrite {
    fn from(Merged(stored, tear): Merged<Stored, Tear>) -> Self {
        let Tear { written } = tear;
        Self { stored, written }
    }
}

fn most() -> Share {
    Share(0.6)
}

impl Describe for TearWrite {
    const NAME: &'static str = "tear-write";
    const SUMMARY: &'static str = "kill a service in mid-write: it starts again on a torn file";
    const CONFIRMED: &'static str = "the process ended, the torn file was read back, and the service runs again; the access time shows whether it read the file";
    const FAMILY: Family = Family::Store;
    const EXAMPLE: &'static str = r#"at = "1s", tear-write = { service = "app", volume = "store", file = "urls.json", written = "60%" }"#;
    const LASTS: bool = true;
    const REQUIRES: &'static [Requirement] = &[Requirement::Running];
}

/// A step's claim on a service: it has killed the service and not started it again.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Unfinished;

impl Claim for Unfinished {
    const KIND: &'static str = "torn-writes";
}

impl TearWrite {
    async fn begin(&self, context: &Context<'_>) -> Result<(), Error> {
        let mut claims = context.overlaps.lock(&self.stored.service).await?;
        claims.add(context.step, Unfinished)
    }

    async fn finish(&self, context: &Context<'_>) -> Result<(), Error> {
        let mut claims = context.overlaps.lock::<Unfinished>(&self.stored.service).await?;
        claims.remove(context.step)
    }

    fn is_unfinished(&self, context: &Context<'_>) -> Result<bool, Error> {
        let claims = context.overlaps.look::<Unfinished>(&self.stored.service)?;
        Ok(claims.iter().any(|claimed| claimed.step == context.step))
    }

    /// Damages the file of the service that was killed.
    async fn tear(&self, context: &Context<'_>) -> Result<Injected, Error> {
        // Killed between two steps of a real write, its file may have a second name for a moment.
        self.stored.unshare(context)?;
        self.stored.damage(context, |before| self.torn(before)).await
    }

    /// The first part, at least one byte short.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a length in memory"
    )]
    fn torn(&self, before: &[u8]) -> Damage {
        let keep = (before.len() as f64 * self.written.0).floor() as usize;
        Damage::Content(before[..keep.min(before.len().saturating_sub(1))].to_vec())
    }
}

#[async_trait]
impl Fault for TearWrite {
    fn describe(&self) -> String {
        format!(
            "kill {} in the middle of writing {}",
            self.stored.service,
            self.stored.file.display()
        )
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        let service = &self.stored.service;
        running(context, service).await?;
        self.begin(context).await?;
        keep_down(context, service).await?;
        context.backend.kill(service).await?;
        let state = state_becomes(context, service, "the process to end", State::is_over).await?;
        let torn = self.tear(context).await;
        // Whether or not its file could be torn, the service is started again.
        let up = up_again(context, service).await?;
        self.finish(context).await?;
        let mut injected = torn?;
        let file = injected.evidence.take().unwrap_or_default();
        injected.evidence = Some(format!("{service}: {state}; {file}; {up}"));
        Ok(injected)
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        let restored = self.stored.restore(context).await;
        // An injection that was cut off may have left the service down. One that was not has started it: a service that
        // has ended since did so by itself, and stays down.
        if !self.is_unfinished(context)? {
            return restored;
        }
        let up = up_again(context, &self.stored.service).await?;
        self.finish(context).await?;
        Ok(format!("{}; {up}", restored?))
    }

    fn hits(&self, context: &Context<'_>) -> Option<HitCount> {
        self.stored.hits(context)
    }
}
