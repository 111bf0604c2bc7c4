//! `garbage-file`: a stored file has random content, as after a bad block.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;

use super::stored::{Damage, Damages, Stored};
use crate::fault::{Describe, Family};

/// Overwrites a file with random bytes of the same length. Reverting restores the original.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(in crate::fault) struct Garbage {
    stored: Stored,
}

impl Describe for Garbage {
    const NAME: &'static str = "garbage-file";
    const SUMMARY: &'static str = "overwrite a stored file with random bytes";
    const CONFIRMED: &'static str = super::stored::CONFIRMED;
    const FAMILY: Family = Family::Store;
    const EXAMPLE: &'static str =
        r#"at = "1s", garbage-file = { service = "app", volume = "store", file = "urls.json" }"#;
    const LASTS: bool = true;
}

impl Damages for Garbage {
    fn stored(&self) -> &Stored {
        &self.stored
    }

    fn what(&self) -> String {
        "overwritten with random bytes".into()
    }

    fn damage(&self, before: &[u8], seed: u64) -> Damage {
        // Not empty for an empty file: nothing would change.
        let mut bytes = vec![0; before.len().max(16)];
        ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
        Damage::Content(bytes)
    }
}
