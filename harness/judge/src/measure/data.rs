//! What became of what was acknowledged.

use serde::Serialize;

use firedrill_model::history::{Event, History};
use firedrill_model::sample::{Ack, Found};

/// Counts of writes. One lost or corrupt link fails a drill whatever the downtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, schemars::JsonSchema)]
pub struct Data {
    /// Acknowledged writes.
    pub acknowledged: usize,
    /// Acknowledged, read back, and right.
    pub intact: usize,
    /// Acknowledged, and not there after recovery.
    pub lost: usize,
    /// There, and wrong.
    pub corrupt: usize,
    /// Refused, and there all the same.
    pub phantom: usize,
    /// Acknowledged, and no definite answer came when they were read back, or nobody read them back.
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
                // Another's link under the code of a refused write is what the refusal was for.
                (Ack::Acknowledged, Found::Unknown) | (Ack::Refused | Ack::Unknown, _) => {}
            },
            _ => {}
        }
    }
    data.unknown = data
        .acknowledged
        .saturating_sub(data.intact + data.lost + data.corrupt);
    data
}
