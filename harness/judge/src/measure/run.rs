//! Runs of bad samples, with the bounds of each.
//!
//! For the bad samples *B* of a run and the good ones *G* around it (`docs/measuring.md`, *Outages, with bounds*):
//!
//! ```text
//! E = min ē over B                        L = max s over B
//! a = max{ s_j : j ∈ G, ē_j < L }         b = min{ ē_j : j ∈ G, s_j > E }
//! low = max(0, L − E)                     high = b − a
//! ```
//!
//! The outage began in (a, E] and ended in [L, b): every bad interval `[s, ē]` touches it, and no good one lies inside it.

use std::time::Duration;

use super::Interval;
use firedrill_model::sample::{Micros, Sample};

/// Runs with fewer good samples than this between them are one episode …
const GOOD_BETWEEN: usize = 10;
/// … and so are runs with less good time than this between them.
const GOOD_TIME_BETWEEN: Duration = Duration::from_secs(1);

/// Consecutive bad samples: the places of the first and the last among the valid ones of their stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) first: usize,
    pub(super) last: usize,
}

/// Runs, in episodes where too little is good between them.
pub(super) fn episodes(valid: &[&Sample], since: Micros) -> Vec<Vec<Run>> {
    let mut episodes: Vec<Vec<Run>> = Vec::new();
    for (at, sample) in valid
        .iter()
        .enumerate()
        .filter(|(_, sample)| sample.outcome.is_bad() && sample.sent >= since)
    {
        let new = Run { first: at, last: at };
        let episode = episodes.last_mut();
        let last = episode.and_then(|episode| Some((episode.last()?.last, episode)));
        let Some((last, episode)) = last else {
            episodes.push(vec![new]);
            continue;
        };
        let good = at - last - 1;
        // From the first good sample after the run to this one.
        let good_time = sample.sent.since(valid[(last + 1).min(at)].sent);
        match episode.last_mut() {
            Some(run) if good == 0 => run.last = at,
            _ if good < GOOD_BETWEEN || good_time < GOOD_TIME_BETWEEN => episode.push(new),
            _ => episodes.push(vec![new]),
        }
    }
    episodes
}

/// The bounds of one run, by the formulas above.
pub(super) struct RunBounds {
    /// The earliest instant by which it had begun.
    e: Micros,
    /// The latest instant at which it had not ended.
    l: Micros,
    /// It began after this.
    a: Micros,
    /// It ended before this; `None` without a good sample after it.
    pub(super) b: Option<Micros>,
    /// Nothing is known after this.
    last_known: Micros,
}

impl RunBounds {
    pub(super) fn of(run: Run, valid: &[&Sample], evident: impl Fn(&Sample) -> Micros) -> Self {
        let bads = &valid[run.first..=run.last];
        let sent = valid[run.first].sent;
        let e = bads.iter().map(|bad| evident(bad)).min().unwrap_or(sent);
        let l = bads.iter().map(|bad| bad.sent).max().unwrap_or(sent);
        let is_up = |sample: &&&Sample| sample.outcome.is_up();
        let before = valid[..run.first].iter().filter(is_up);
        let after = valid[run.last + 1..].iter().filter(is_up);
        // In order of sending, not of ē, so that the minimum is over all.
        let b = after.filter(|good| good.sent > e).map(|good| evident(good)).min();
        // Without a good sample before it, it may have begun at any time.
        let a = before.filter(|good| evident(good) < l).map(|good| good.sent);
        Self {
            e,
            l,
            a: a.last().unwrap_or_default().min(e),
            b,
            last_known: valid.last().map_or(l, |last| evident(last)),
        }
    }

    /// (E, L), when that is any time: a single bad sample proves an instant, not a length.
    pub(super) fn core(&self) -> Option<Interval> {
        let (from, until) = (self.e, self.l);
        (from < until).then_some(Interval { from, until })
    }

    /// (a, E].
    pub(super) fn onset(&self) -> Interval {
        Interval {
            from: self.a,
            until: self.e,
        }
    }

    /// [L, b), or to the last that is known where no good sample followed.
    pub(super) fn end(&self) -> Interval {
        Interval {
            from: self.l,
            until: self.b.unwrap_or(self.last_known).max(self.l),
        }
    }

    /// (a, b).
    pub(super) fn hull(&self) -> Interval {
        Interval {
            from: self.a,
            until: self.end().until.max(self.e),
        }
    }
}
