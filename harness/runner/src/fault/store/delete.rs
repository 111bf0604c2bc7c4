//! `delete-file`: a stored file is missing, as after a cleaning job with too wide a pattern.

use schemars::JsonSchema;
use serde::Deserialize;

use super::stored::{Damage, Damages, Stored};
use crate::fault::{Describe, Family};

/// Deletes a file. Reverting restores the original.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(in crate::fault) struct Delete {
    stored: Stored,
}

impl Describe for Delete {
    const NAME: &'static str = "delete-file";
    const SUMMARY: &'static str = "delete a stored file";
    const CONFIRMED: &'static str = "the file is gone, and was not written again within 30 ms";
    const FAMILY: Family = Family::Store;
    const EXAMPLE: &'static str =
        r#"at = "1s", delete-file = { service = "app", volume = "store", file = "urls.json" }"#;
    const LASTS: bool = true;
}

impl Damages for Delete {
    fn stored(&self) -> &Stored {
        &self.stored
    }

    fn what(&self) -> String {
        "deleted".into()
    }

    fn damage(&self, _: &[u8], _: u64) -> Damage {
        Damage::Deleted
    }
}
