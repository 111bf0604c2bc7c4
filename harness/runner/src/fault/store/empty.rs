//! `empty-file`: a stored file has no content, as after a writer that opened it and died.

use schemars::JsonSchema;
use serde::Deserialize;

use super::stored::{Damage, Damages, Stored};
use crate::fault::{Describe, Family};

/// Removes the content of a file. Reverting restores the original.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(in crate::fault) struct Empty {
    stored: Stored,
}

impl Describe for Empty {
    const NAME: &'static str = "empty-file";
    const SUMMARY: &'static str = "empty a stored file";
    const CONFIRMED: &'static str = super::stored::CONFIRMED;
    const FAMILY: Family = Family::Store;
    const EXAMPLE: &'static str =
        r#"at = "1s", empty-file = { service = "app", volume = "store", file = "urls.json" }"#;
    const LASTS: bool = true;
}

impl Damages for Empty {
    fn stored(&self) -> &Stored {
        &self.stored
    }

    fn what(&self) -> String {
        "emptied".into()
    }

    fn damage(&self, _: &[u8], _: u64) -> Damage {
        Damage::Content(Vec::new())
    }
}
