//! Telling people: alerts to webhook receivers.
//!
//! Faces the control on one side (events, through [`Alerts`], which is an [`event::Listener`](crate::event::Listener)
//! and never blocks) and receivers on the other.

use serde::Deserialize;

use crate::event::{Listener, Record};

/// The `[alert]` table of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {}

/// Sends alerts in the background.
#[derive(Debug)]
pub struct Alerts {}

impl Alerts {
    /// Starts the sender; call it inside a tokio runtime.
    pub fn start(_settings: Settings) -> Self {
        Self {}
    }
}

impl Listener for Alerts {
    fn hear(&self, _record: &Record) {}
}
