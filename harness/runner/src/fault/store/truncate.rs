//! `truncate-file`: the end of a stored file is missing, as after a full disk or a copy that broke off.

use schemars::JsonSchema;
use serde::Deserialize;

use super::stored::{Damage, Damages, Stored};
use crate::fault::{Describe, Family};
use firedrill_model::table::Merged;
use firedrill_model::units::Share;

/// Cuts a file to a share of its length. Reverting restores the original.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(from = "Merged<Stored, Cut>")]
pub(in crate::fault) struct Truncate {
    stored: Stored,
    keep: Share,
}

/// How much of the file is left.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Cut {
    /// How much of it stays [default: 50%].
    #[serde(default = "half")]
    keep: Share,
}

impl From<Merged<Stored, Cut>> for Truncate {
    fn from(Merged(stored, cut): Merged<Stored, Cut>) -> Self {
        let Cut { keep } = cut;
        Self { stored, keep }
    }
}

impl Describe for Truncate {
    const NAME: &'static str = "truncate-file";
    const SUMMARY: &'static str = "cut a stored file short";
    const CONFIRMED: &'static str = super::stored::CONFIRMED;
    const FAMILY: Family = Family::Store;
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
