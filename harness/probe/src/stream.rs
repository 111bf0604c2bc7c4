//! Which streams there are: the journeys over their connection modes, and when each of them begins.

use std::time::Duration;

use crate::Users;
use firedrill_model::sample::{Mode, StreamId};
use firedrill_model::scenario::{Journey, uses_counted_records};

/// One journey over one connection mode.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// Its number.
    pub id: StreamId,
    /// Its journey.
    pub journey: String,
    /// How it connects.
    pub mode: Mode,
    /// Probes per second.
    pub rate: f64,
    /// An answer later than this is bad.
    pub deadline: Duration,
    /// When its first probe is due, after the start: streams are staggered.
    pub(super) offset: Duration,
}

/// The streams of a system's users: a journey's rate is shared evenly by its connection modes. On an empty store,
/// journeys that use counted records are left out.
pub fn streams(users: &Users) -> Vec<Stream> {
    let streams = with_journeys(users).into_iter();
    streams.map(|(stream, _)| stream).collect()
}

/// The same, each with its journey.
pub(super) fn with_journeys(users: &Users) -> Vec<(Stream, &Journey)> {
    let journeys: Vec<&Journey> = users
        .system
        .journeys
        .iter()
        .filter(|journey| users.seeded || !uses_counted_records(&users.system, journey))
        .collect();
    let mut streams = Vec::new();
    for (journey, stagger) in journeys.iter().zip(staggers(&journeys)) {
        // The rate of a journey is that of all its streams together.
        let modes = u32::try_from(journey.modes().len()).unwrap_or(1).max(1);
        let clients = journey.clients.max(1);
        let rate = journey.rate.0 / f64::from(modes * clients);
        for (at, mode) in (0u32..).zip(journey.modes()) {
            for _ in 0..clients {
                let stream = Stream {
                    id: StreamId(u16::try_from(streams.len()).unwrap_or(u16::MAX)),
                    journey: journey.name.clone(),
                    mode: *mode,
                    rate,
                    deadline: journey.deadline.0,
                    offset: stagger + journey.rate.interval() * clients * at,
                };
                streams.push((stream, *journey));
            }
        }
    }
    streams
}

/// How much later than the first each journey begins: the shortest interval of all, divided among them. Journeys whose
/// rates are multiples of each other (they mostly are) then never meet at the same instant: they do not disturb each
/// other by our doing, and only `clients` makes users meet.
fn staggers(journeys: &[&Journey]) -> Vec<Duration> {
    let shortest = journeys.iter().map(|journey| journey.rate.interval()).min();
    let part = shortest.unwrap_or_default() / u32::try_from(journeys.len()).unwrap_or(1).max(1);
    (0u32..).zip(journeys).map(|(at, _)| part * at).collect()
}
