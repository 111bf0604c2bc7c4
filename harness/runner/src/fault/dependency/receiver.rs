//! The alert receiver as something that can break: its server asks a [`Switch`] how to behave before every answer.
//!
//! The drill owns the server. Faults of the alert receiver set the switch, which they get through their
//! [`Context`](crate::fault::Context), and confirm the effect with a request of their own. The header [`PROBE`] keeps
//! that request from being counted as an alert.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use firedrill_model::format;
use serde::{Deserialize, Serialize};

/// A request with this header is answered like any other, and is not an alert.
pub const PROBE: &str = "x-firedrill-probe";

/// How the alert receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Behaviour {
    /// Accepts every alert with 200.
    #[default]
    Well,
    /// Closes the connection without an answer.
    Down,
    /// Refuses every alert with this status.
    Status(u16),
    /// Accepts every alert, and answers after this time.
    Slow(Duration),
    /// Accepts every alert, and answers with random bytes.
    Garbage,
}

impl Behaviour {
    /// The status it answers with; `None` without an answer.
    pub fn status(self) -> Option<u16> {
        match self {
            Self::Down => None,
            Self::Status(status) => Some(status),
            Self::Well | Self::Slow(_) | Self::Garbage => Some(200),
        }
    }
}

/// What the receiver did with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reaction {
    /// It closed the connection without an answer.
    Closed,
    /// It answered.
    Answered {
        /// The status.
        status: u16,
        /// The length of the body, in bytes.
        bytes: usize,
    },
}

impl std::fmt::Display for Reaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("closed the connection"),
            Self::Answered { status, bytes } => {
                write!(f, "answered {status} with {}", format::count(*bytes, "byte"))
            }
        }
    }
}

/// The switch of one receiver. Clones share it.
#[derive(Debug, Clone)]
pub struct Switch {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// The behaviour in effect with the step that asks for it, and how many alerts each step has hit.
#[derive(Debug, Default)]
struct State {
    in_effect: Option<(usize, Behaviour)>,
    hits: BTreeMap<usize, u64>,
}

impl Switch {
    /// A switch for the receiver that listens at an address. It behaves well at first.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            state: Arc::default(),
        }
    }

    /// Where the receiver listens, as seen from here.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Behave like this from now on, on behalf of a step; well with `None`. Answers that have begun are not changed.
    pub fn set(&self, in_effect: Option<(usize, Behaviour)>) {
        self.state().in_effect = in_effect;
    }

    /// Counts an alert as hit by the step whose behaviour is in effect.
    pub fn count_alert(&self) {
        let state = &mut *self.state();
        if let Some((step, _)) = state.in_effect {
            *state.hits.entry(step).or_default() += 1;
        }
    }

    /// How many alerts a step has hit.
    pub fn hits(&self, step: usize) -> u64 {
        self.state().hits.get(&step).copied().unwrap_or_default()
    }

    /// How it behaves now.
    pub fn behaviour(&self) -> Behaviour {
        self.state()
            .in_effect
            .map_or(Behaviour::Well, |(_, behaviour)| behaviour)
    }
}
