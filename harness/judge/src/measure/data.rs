//! What became of acknowledged writes: counted from the events of writing and of reading back.

use serde::Serialize;

use firedrill_model::history::{Event, History};
use firedrill_model::sample::{Ack, Found};

/// Counts of writes. One lost or corrupt write fails a drill, however short its downtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, schemars::JsonSchema)]
pub struct Data {
    /// Acknowledged writes.
    pub acknowledged: usize,
    /// Acknowledged, and read back as written.
    pub intact: usize,
    /// Acknowledged, and gone after recovery.
    pub lost: usize,
    /// Acknowledged, and read back with another content.
    pub corrupt: usize,
    /// Refused, and stored all the same.
    pub phantom: usize,
    /// Acknowledged, and not read back, or without a definite answer.
    pub unknown: usize,
}

pub(super) fn data(history: &History) -> Data {
    let mut data = Data::default();
    for event in &history.events {
        match event.event {
            Event::Write {
                ack: Ack::Acknowledged,
                ..
            } => data.acknowledged += 1,
            Event::ReadBack { ack, found, .. } => match (ack, found) {
                (Ack::Acknowledged, Found::Intact) => data.intact += 1,
                (Ack::Acknowledged, Found::Lost) => data.lost += 1,
                (Ack::Acknowledged, Found::Corrupt) => data.corrupt += 1,
                (Ack::Refused, Found::Intact) => data.phantom += 1,
                // A refused write may read back as another one's content: a taken name is a reason to refuse.
                (Ack::Acknowledged, Found::Unknown) | (Ack::Refused | Ack::Unknown, _) => {}
            },
            _ => {}
        }
    }
    // From the writes, not the read-backs: a drill that ended before reading back has lost nothing yet, but proves nothing.
    data.unknown = data
        .acknowledged
        .saturating_sub(data.intact + data.lost + data.corrupt);
    data
}
