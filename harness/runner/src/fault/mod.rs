//! What breaks: one small file a fault, in a folder for each family.
//!
//! [`contract`] says what a fault promises, [`catalogue`] lists them all. A fault takes a checked [`Plan`](
//! crate::Plan) and a [`Backend`](crate::backend::Backend) through its [`Context`], and gives
//! evidence; the drill owns it from injection to revert.
//!
//! To add one: a new file with a struct of parameters that implements [`Fault`] and [`Describe`], and one line in
//! [`CATALOGUE`].

mod alerts;
mod catalogue;
mod contract;
mod network;
mod overlaps;
mod process;
mod release;
mod resource;
mod store;

pub use alerts::receiver;
pub use catalogue::{CATALOGUE, Describe, Entry, catalogue};
pub use contract::{Context, Deployed, Error, Fault, Injected, Struck};
