//! Where a request goes: the live release and its standby, as one immutable value.

use std::collections::BTreeMap;

use crate::config::Placed;
use crate::state::State;

/// A release, its slot, and the client for it.
#[derive(Debug, Clone)]
pub struct Side<U> {
    /// The release.
    pub release: String,
    /// Its slot.
    pub slot: String,
    /// The client for the release in that slot.
    pub service: U,
}

/// The releases that a request may be sent to. A request keeps the routes that it began with, so a switch interrupts no
/// request in flight.
#[derive(Debug, Clone)]
pub struct Routes<U> {
    /// The number of switches before this one. Failures seen under an earlier epoch no longer count.
    pub epoch: u64,
    /// The live release.
    pub live: Side<U>,
    /// The last working release: it answers failed requests and is the target of a rollback.
    pub standby: Option<Side<U>>,
}

impl<U: Clone> Routes<U> {
    /// The routes that a state describes. With `rollback` switched off there is no standby.
    pub(super) fn new(epoch: u64, state: &State, slots: &BTreeMap<String, U>, rollback: bool) -> Self {
        let side = |placed: &Placed| Side {
            release: placed.release.clone(),
            slot: placed.slot.clone(),
            // The slot exists: this was checked when the state was read and when the release was registered.
            service: slots[&placed.slot].clone(),
        };
        Self {
            epoch,
            live: side(&state.live),
            standby: state.standby.as_ref().filter(|_| rollback).map(side),
        }
    }
}
