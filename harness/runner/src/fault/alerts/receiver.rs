//! The alert receiver as something that can break: a switch that its server looks at before every answer.
//!
//! The drill owns the server; faults of the dependency family hold the switch (through their
//! [`Context`](super::Context)) and say how it behaves. What they ask for is confirmed by asking the receiver, marked
//! with [`PROBE`] so that the question is not taken for an alert.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A request with this header is answered as every other one is, and is no alert: it is a look at the receiver.
pub const PROBE: &str = "x-firedrill-probe";

/// How the alert receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Behaviour {
    /// It takes what comes, with 200.
    #[default]
    Well,
    /// It hangs up without an answer.
    Down,
    /// It refuses what comes, with this status.
    Status(u16),
    /// It takes what comes, and says so only after this time.
    Slow(Duration),
    /// It takes what comes, and answers with bytes that mean nothing.
    Garbage,
}

impl Behaviour {
    /// The status it answers with; `None`: it does not answer.
    pub fn status(self) -> Option<u16> {
        match self {
            Self::Down => None,
            Self::Status(status) => Some(status),
            Self::Well | Self::Slow(_) | Self::Garbage => Some(200),
        }
    }
}

/// The switch of one receiver. Clones share it.
#[derive(Debug, Clone)]
pub struct Switch {
    address: SocketAddr,
    asked: Arc<Mutex<Asked>>,
}

/// What steps ask of the receiver, the last one at the end, and how many alerts each has met.
#[derive(Debug, Default)]
struct Asked {
    behaviours: Vec<(usize, Behaviour)>,
    met: BTreeMap<usize, u64>,
}

impl Asked {
    fn forget(&mut self, step: usize) {
        self.behaviours.retain(|(other, _)| *other != step);
    }
}

impl Switch {
    /// A switch for the receiver that listens there; it behaves well at first.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            asked: Arc::default(),
        }
    }

    /// Where the receiver listens, as seen from here.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A step asks that it behave like this from now on. Answers that have begun are not changed.
    pub fn set(&self, step: usize, behaviour: Behaviour) {
        let mut asked = self.asked();
        asked.forget(step);
        asked.behaviours.push((step, behaviour));
    }

    /// A step asks for nothing any longer: it behaves as the others ask, or well.
    pub fn lift(&self, step: usize) {
        self.asked().forget(step);
    }

    /// An alert came: whoever asked last has met it.
    pub fn alert_came(&self) {
        let asked = &mut *self.asked();
        if let Some((step, _)) = asked.behaviours.last() {
            *asked.met.entry(*step).or_default() += 1;
        }
    }

    /// How many alerts a step's behaviour has met.
    pub fn met(&self, step: usize) -> u64 {
        self.asked().met.get(&step).copied().unwrap_or_default()
    }

    /// How it behaves now: as whoever asked last.
    pub fn get(&self) -> Behaviour {
        self.asked()
            .behaviours
            .last()
            .map_or(Behaviour::Well, |(_, behaviour)| *behaviour)
    }
}
