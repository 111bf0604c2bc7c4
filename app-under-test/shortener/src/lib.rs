//! The URL shortener of the incident, in all its releases, good and bad. Firedrill's own scenarios use it.
//!
//! [`routes`] answers requests of browsers. [`store`] writes links to disk, as carelessly as v1 or as carefully as v3.
//! [`release`] lists the releases and their flaws; [`check`] is the unit gate's test of a release.

pub mod check;
pub mod link;
mod pages;
pub mod release;
pub mod routes;
pub mod signed;
pub mod store;
