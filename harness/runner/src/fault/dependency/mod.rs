//! Faults of what a system depends on: the receiver of its alerts.

pub(in crate::fault) mod alert_receiver;
pub mod receiver;
