//! `tear-write`: the process dies in the middle of writing its file, and comes back to what it left.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::stored::{Damage, Stored};
use crate::backend::State;
use crate::fault::overlaps::Holds;
use crate::fault::process::{held_down, running, state_becomes, up_again};
use crate::fault::{Context, Describe, Error, Fault, Injected, Struck};
use firedrill_model::scenario::Requirement;
use firedrill_model::table::Merged;
use firedrill_model::units::Share;

/// Kills a service with SIGKILL, leaves its file as a write in progress would have (its first part only, as a program
/// that rewrites its file in place leaves it), and starts the service again on that. The moment inside a real write
/// is a matter of luck; what it leaves is not, so that is what is made. Reverting puts the file back.
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
    /// How much of the file had been written (60%).
    #[serde(default = "most")]
    written: Share,
}

impl From<Merged<Stored, Tear>> for TearWrite {
    fn from(Merged(stored, own): Merged<Stored, Tear>) -> Self {
        let Tear { written } = own;
        Self { stored, written }
    }
}

fn most() -> Share {
    Share(0.6)
}

impl Describe for TearWrite {
    const NAME: &'static str = "tear-write";
    const SUMMARY: &'static str = "kill a service in mid-write: its file is torn when it comes back";
    const CONFIRMED: &'static str = "the process was gone, the torn file was read back, the service runs again; that it read the file is told by its time of access";
    const FAMILY: &'static str = "store";
    const EXAMPLE: &'static str = r#"at = "1s", tear-write = { service = "app", volume = "store", file = "urls.json", written = "60%" }"#;
    const LASTS: bool = true;
    const REQUIRES: &'static [Requirement] = &[Requirement::Running];
}

impl TearWrite {
    /// That the service was killed, and is not up again.
    fn unfinished(&self, context: &Context<'_>) -> Holds {
        Holds::of(context, "torn", &self.stored.service)
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
        self.unfinished(context).take()?;
        held_down(context, service)?;
        context.backend.kill(service).await?;
        let state = state_becomes(context, service, "the process to be gone", State::is_over).await?;
        let torn = self.tear(context).await;
        let up = up_again(context, service).await?;
        self.unfinished(context).release();
        let mut injected = torn?;
        let file = injected.evidence.take().unwrap_or_default();
        injected.evidence = Some(format!("{service} was {state}; {file}; {up}"));
        Ok(injected)
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        let restored = self.stored.restore(context);
        // Cut off in between, the service may be down still. Once it was up again, what it does is its own affair.
        if !self.unfinished(context).held().contains(&context.step) {
            return restored;
        }
        let up = up_again(context, &self.stored.service).await?;
        self.unfinished(context).release();
        Ok(format!("{}; {up}", restored?))
    }

    fn struck(&self, context: &Context<'_>) -> Option<Struck> {
        self.stored.struck(context)
    }
}
