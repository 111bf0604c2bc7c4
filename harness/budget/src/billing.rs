//! What a contract bills of incidents: by the second, or by the pieces of the calendar that they touch.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::ledger::Ledger;
use firedrill_model::scenario::Contract;

/// Between two instants; nothing when the second is not later.
pub(super) fn between(from: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// What is billed of each dated entry between two instants. A second under two incidents is billed once, of the earlier
/// one.
pub(super) fn dated(contract: Contract, ledger: &Ledger, from: Timestamp, until: Timestamp) -> Vec<Duration> {
    let mut billed = vec![Duration::ZERO; ledger.entries.len()];
    let parts = parts(ledger, from, until);
    match chunk(contract) {
        Some(chunk) => chunks(&parts, chunk, &mut billed),
        None => {
            for part in parts {
                billed[part.entry] += whole(contract, between(part.from, part.until));
            }
        }
    }
    billed
}

/// A part of an incident: inside the window, and not told of twice.
#[derive(Debug, Clone, Copy)]
struct Part {
    entry: usize,
    from: Timestamp,
    until: Timestamp,
}

/// The parts of dated entries between two instants, without what an earlier one covers.
fn parts(ledger: &Ledger, from: Timestamp, until: Timestamp) -> Vec<Part> {
    let mut dated: Vec<Part> = ledger
        .entries
        .iter()
        .enumerate()
        .filter_map(|(at, (_, entry))| {
            let (start, end) = (entry.start?, entry.end()?);
            Some(Part {
                entry: at,
                from: start.max(from),
                until: end.min(until),
            })
        })
        .filter(|part| part.from < part.until)
        .collect();
    dated.sort_by_key(|part| (part.from, part.entry));
    let mut covered = Timestamp::MIN;
    for part in &mut dated {
        part.from = part.from.max(covered);
        covered = covered.max(part.until);
    }
    dated.retain(|part| part.from < part.until);
    dated
}

/// A piece of the calendar that is billed in whole when it is down for more than so much of it.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    millis: i64,
    /// It is down when its downtime is above this.
    limit: i64,
}

/// The calendar's pieces, for the contracts that bill by them.
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

/// What a full outage of so long is billed. Where its place on the clock would matter and is not known, the most.
pub(super) fn whole(contract: Contract, time: Duration) -> Duration {
    if let Some(chunk) = chunk(contract) {
        return most(chunk, time);
    }
    match contract {
        Contract::FullMinutes => Duration::from_secs(time.as_secs() / 60 * 60),
        _ => time,
    }
}

/// The most that an outage of so long is billed, wherever it begins: its two ends reach just over the limit into a chunk
/// each, and the chunks between them are down in whole.
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

/// Bills each chunk of the calendar that was down for more than its limit, to the incident that began it.
fn chunks(parts: &[Part], chunk: Chunk, billed: &mut [Duration]) {
    let mut down: BTreeMap<i64, (usize, i64)> = BTreeMap::new();
    for part in parts {
        let (from, until) = (part.from.as_millisecond(), part.until.as_millisecond());
        for at in from.div_euclid(chunk.millis)..=until.div_euclid(chunk.millis) {
            let from = from.max(at * chunk.millis);
            let until = until.min((at + 1) * chunk.millis);
            down.entry(at).or_insert((part.entry, 0)).1 += (until - from).max(0);
        }
    }
    for (entry, time) in down.into_values() {
        if time > chunk.limit {
            billed[entry] += Duration::from_millis(chunk.millis.unsigned_abs());
        }
    }
}
