//! What to do: scenario and system files, from text to a checked [`Plan`].
//!
//! Faces the files (TOML, written by people, full of mistakes) on one side and everything that runs a drill on the
//! other, which sees only a [`Plan`] in which every reference holds.

mod catalogue;
mod document;
mod file;
mod find;
mod load;
mod model;
mod problem;
mod schema;
mod structure;
mod suggest;
pub mod template;
mod tree;
mod validate;

pub use catalogue::{Catalogue, FaultError, FaultKind, LARGEST_FILLED, Parse, Requirement};
pub use find::find;
pub use load::{load, load_all, project};
pub use model::*;
pub use problem::{Code, Problem, Problems, Row};
pub use schema::{project_schema, schema, system_schema};
pub use template::{Template, record_field};
pub use validate::USER;
