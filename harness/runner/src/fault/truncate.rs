//! `truncate-file`: the end of a stored file is missing, as after a full disk or a copy that broke off.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Describe;
use super::file::{Damage, Damages, Stored};
use firedrill_model::units::Share;

/// Cuts a file to a share of its length. Reverting puts the original back.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Truncate {
    #[serde(flatten)]
    stored: Stored,
    /// How much of it stays (50%).
    #[serde(default = "half")]
    keep: Share,
}

impl Describe for Truncate {
    const NAME: &'static str = "truncate-file";
    const SUMMARY: &'static str = "cut a stored file short";
    const CONFIRMED: &'static str = super::file::CONFIRMED;
    const FAMILY: &'static str = "store";
    const EXAMPLE: &'static str = r#"at = "1s", truncate-file = { service = "app", volume = "store", file = "urls.json", keep = "50%" }"#;
    const LASTS: bool = true;
}

impl Damages for Truncate {
    fn stored(&self) -> &Stored {
        &self.stored
    }

    fn what(&self) -> String {
        format!("cut to {}", self.keep)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a length in memory"
    )]
    fn damage(&self, before: &[u8], _: u64) -> Damage {
        let keep = (before.len() as f64 * self.keep.0).floor() as usize;
        Damage::Content(before[..keep.min(before.len().saturating_sub(1))].to_vec())
    }
}

fn half() -> Share {
    Share(0.5)
}
