//! The URL shortener of the incident, every release of it: what Firedrill rehearses first.
//!
//! `routes` faces the browser; `store` faces the disk, as carelessly as v1 does or as carefully as v3; `release` says
//! which flaw a release has and what it is kept for.

pub mod check;
pub mod link;
mod pages;
pub mod release;
pub mod routes;
pub mod signed;
pub mod store;
