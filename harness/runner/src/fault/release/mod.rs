//! Faults of a release.

pub(in crate::fault) mod action;
pub(in crate::fault) mod deploy;
mod log;
pub(crate) use log::deploy_log;
mod serving;
