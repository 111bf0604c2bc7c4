//! What a contract bills of incidents: by the second, or by the chunks of the calendar that they take down.
//!
//! Takes dated incidents as full outages and gives billed time to each. The contracts are those of `docs/measuring.md`; a
//! drill's outages are billed by `firedrill-judge`, which has every sample of them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::ledger::Ledger;
use firedrill_model::scenario::Contract;

/// The time between two instants; zero when the second is not later.
pub(super) fn between(from: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// What is billed of each dated incident between two instants. A second under two incidents is billed once, to the
/// earlier one; incidents that overlap or touch are one outage, which is rounded as a whole.
pub(super) fn dated(contract: Contract, ledger: &Ledger, from: Timestamp, until: Timestamp) -> Vec<Duration> {
    let mut billed = vec![Duration::ZERO; ledger.incidents.len()];
    let parts = parts(ledger, from, until);
    match chunk(contract) {
        Some(chunk) => chunks(&parts, chunk, &mut billed),
        None => {
            for outage in parts.chunk_by(|part, next| part.until == next.from) {
                let lengths = outage
                    .iter()
                    .map(|part| (part.incident, between(part.from, part.until)));
                bill_as_one(contract, lengths, &mut billed);
            }
        }
    }
    billed
}

/// What is billed of each undated incident: as much as in the worst place of the calendar.
pub(super) fn undated(contract: Contract, ledger: &Ledger) -> Vec<Duration> {
    let mut billed = vec![Duration::ZERO; ledger.incidents.len()];
    let incidents = ledger.incidents.iter().enumerate();
    let undated = incidents.filter(|(_, (_, incident))| incident.start.is_none());
    let lengths = undated.map(|(at, (_, incident))| (at, incident.downtime.0));
    match chunk(contract) {
        Some(chunk) => {
            for (incident, length) in lengths {
                billed[incident] += most(chunk, length);
            }
        }
        // They may have followed one another without a break.
        None => bill_as_one(contract, lengths, &mut billed),
    }
    billed
}

/// Bills the parts of one unbroken outage, in their order. Each incident is billed what its part adds to the outage so
/// far, so that the sum is what the whole outage is billed, whatever lines it is written in.
fn bill_as_one(contract: Contract, parts: impl Iterator<Item = (usize, Duration)>, billed: &mut [Duration]) {
    let mut down = Duration::ZERO;
    for (incident, length) in parts {
        let before = rounded(contract, down);
        down += length;
        billed[incident] += rounded(contract, down).saturating_sub(before);
    }
}

/// The part of an incident that is inside the window and under no earlier incident.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// The incident's place in the ledger's list.
    incident: usize,
    from: Timestamp,
    until: Timestamp,
}

/// The parts of dated incidents between two instants, by start.
fn parts(ledger: &Ledger, from: Timestamp, until: Timestamp) -> Vec<Part> {
    let mut dated: Vec<Part> = ledger
        .incidents
        .iter()
        .enumerate()
        .filter_map(|(at, (_, incident))| {
            let (start, end) = (incident.start?, incident.end()?);
            Some(Part {
                incident: at,
                from: start.max(from),
                until: end.min(until),
            })
        })
        .filter(|part| part.from < part.until)
        .collect();
    dated.sort_by_key(|part| (part.from, part.incident));
    // In the order of their starts, each part begins where all before it have ended.
    let mut covered = Timestamp::MIN;
    for part in &mut dated {
        part.from = part.from.max(covered);
        covered = covered.max(part.until);
    }
    dated.retain(|part| part.from < part.until);
    dated
}

/// How a contract cuts the calendar: each chunk is billed in whole when it is down for longer than a limit.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    /// Its length.
    millis: i64,
    /// It counts as down when its downtime is above this, in milliseconds: θ of `minute(θ)` times the length.
    limit: i64,
}

/// The chunks of a contract that bills by the calendar.
fn chunk(contract: Contract) -> Option<Chunk> {
    let minute = |limit| {
        let millis = 60_000;
        Some(Chunk { millis, limit })
    };
    match contract {
        Contract::Minute1 => minute(600),
        Contract::Minute5 => minute(3000),
        Contract::Minute10 => minute(6000),
        Contract::FiveMinuteMean => Some(Chunk {
            millis: 300_000,
            limit: 0,
        }),
        Contract::Strict | Contract::Request | Contract::FullMinutes => None,
    }
}

/// What an unbroken full outage of this length is billed by a contract that does not look at the calendar.
fn rounded(contract: Contract, time: Duration) -> Duration {
    match contract {
        Contract::FullMinutes => Duration::from_secs(time.as_secs() / 60 * 60),
        // A full outage fails every request: `request` bills as much as `strict`.
        _ => time,
    }
}

/// The most that an outage of this length is billed, wherever it begins.
///
/// In the worst place each of its two ends takes just over the limit of one chunk, and the chunks between are down in
/// whole: `1 + ⌈(time − 2 · limit) / chunk⌉` chunks.
fn most(chunk: Chunk, time: Duration) -> Duration {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let between = millis.saturating_sub(2 * chunk.limit);
    let down = match (between > 0, millis > chunk.limit) {
        (true, _) => {
            1 + u64::try_from(between)
                .unwrap_or(0)
                .div_ceil(chunk.millis.unsigned_abs())
        }
        (false, true) => 1,
        (false, false) => 0,
    };
    Duration::from_millis(down.saturating_mul(chunk.millis.unsigned_abs()))
}

/// Bills each chunk of the calendar that was down for longer than its limit to the first incident in it.
fn chunks(parts: &[Part], chunk: Chunk, billed: &mut [Duration]) {
    // By the number of the chunk since 1970: the first incident in it, and its downtime by all of them.
    let mut down: BTreeMap<i64, (usize, i64)> = BTreeMap::new();
    for part in parts {
        let (from, until) = (part.from.as_millisecond(), part.until.as_millisecond());
        // Euclidean, so that chunks before 1970 are cut in the same way.
        for at in from.div_euclid(chunk.millis)..=until.div_euclid(chunk.millis) {
            let from = from.max(at * chunk.millis);
            let until = until.min((at + 1) * chunk.millis);
            down.entry(at).or_insert((part.incident, 0)).1 += (until - from).max(0);
        }
    }
    for (incident, time) in down.into_values() {
        if time > chunk.limit {
            billed[incident] += Duration::from_millis(chunk.millis.unsigned_abs());
        }
    }
}
