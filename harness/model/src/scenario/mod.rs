//! Scenario and system files, from text to a checked [`Plan`].
//!
//! Takes TOML files, written by people, with all their mistakes; gives a [`Plan`] in which every reference is valid, or
//! every problem with its place and advice. Whatever runs a drill sees only the plan.

mod catalogue;
mod document;
mod file;
mod find;
mod load;
mod model;
mod problem;
mod schema;
mod secrets;
mod structure;
mod suggest;
pub mod template;
mod tree;
mod validate;
mod workspace;

pub use catalogue::{Catalogue, FaultError, FaultKind, LARGEST_FILLED, Parse, Requirement};
pub use find::find;
pub use load::{load, load_all, project};
pub use model::*;
pub use problem::{Code, Problem, Problems, Row};
pub use schema::{project_schema, schema, system_schema};
pub use secrets::SecretError;
pub use template::{Template, record_field, uses_counted_records};
pub use validate::USER;
