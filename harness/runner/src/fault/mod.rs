//! What breaks: one small file a fault, in a folder for each family.
//!
//! `contract.rs` says what a fault promises, `catalogue.rs` lists them all, `overlaps.rs` is the one registry of what
//! several steps ask of the same thing. A fault takes a backend and a checked plan through its [`Context`], and gives
//! evidence; the drill owns it from injection to revert.
//!
//! To add one: a new file with a struct of parameters that implements [`Fault`] and [`Describe`], and one line in
//! [`CATALOGUE`].

mod catalogue;
mod contract;
mod dependency;
mod error;
mod network;
mod overlaps;
mod process;
mod release;
mod resource;
mod store;

pub use catalogue::{CATALOGUE, Describe, Entry, Family, catalogue};
pub use contract::{Context, Deployed, Fault, HitCount, Injected};
pub use dependency::receiver;
pub use error::{ActionError, Error, NotInEffect};
pub use overlaps::Overlaps;
pub(crate) use release::deploy_log;
