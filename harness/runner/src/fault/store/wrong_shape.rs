//! `wrong-shape`: a stored file is valid and of another shape, as after a release that stores it differently.

use schemars::JsonSchema;
use serde::Deserialize;

use super::stored::{Damage, Damages, Stored};
use crate::fault::{Describe, Family};
use firedrill_model::table::Merged;

/// Replaces a file by content that parses and that the service does not expect. Reverting restores the original.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(from = "Merged<Stored, Shape>")]
pub(in crate::fault) struct WrongShape {
    stored: Stored,
    content: String,
}

/// What is put in its place.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shape {
    /// The content [default: `[]`].
    #[serde(default = "empty_list")]
    content: String,
}

impl From<Merged<Stored, Shape>> for WrongShape {
    fn from(Merged(stored, shape): Merged<Stored, Shape>) -> Self {
        let Shape { content } = shape;
        Self { stored, content }
    }
}

impl Describe for WrongShape {
    const NAME: &'static str = "wrong-shape";
    const SUMMARY: &'static str = "replace a stored file by a valid one of another shape";
    const CONFIRMED: &'static str = super::stored::CONFIRMED;
    const FAMILY: Family = Family::Store;
    const EXAMPLE: &'static str = r#"at = "1s", wrong-shape = { service = "app", volume = "store", file = "urls.json", content = "[]" }"#;
    const LASTS: bool = true;
}

impl Damages for WrongShape {
    fn stored(&self) -> &Stored {
        &self.stored
    }

    fn what(&self) -> String {
        format!("replaced by `{}`", self.content)
    }

    fn damage(&self, _: &[u8], _: u64) -> Damage {
        Damage::Content(self.content.clone().into_bytes())
    }
}

fn empty_list() -> String {
    "[]".into()
}
