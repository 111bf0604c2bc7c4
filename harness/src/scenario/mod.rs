//! What to do: scenario and system files, from text to a checked [`Plan`].
//!
//! Faces the files (TOML, written by people, full of mistakes) on one side and everything that runs a drill on the
//! other, which sees only a [`Plan`] in which every reference holds.

mod model;
pub mod template;

pub use model::*;
pub use template::{Template, record_field};
