//! When failed requests add up to a rollback or an alert. Pure: every instant is an argument.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::duration::words;
use crate::event::Pair;

/// How a release failed a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It answered with a server error.
    Status(http::StatusCode),
    /// It did not answer within this time.
    Late(Duration),
    /// It refused or broke the connection.
    Broken(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Late(within) => write!(f, "no answer within {}", words(*within)),
            Self::Broken(cause) => write!(f, "connection: {cause}"),
        }
    }
}

/// The recent pairs of a watched release.
#[derive(Debug)]
pub struct Pairs {
    needed: usize,
    window: Duration,
    seen: VecDeque<(Instant, Pair)>,
    last_late: Option<Instant>,
}

impl Pairs {
    /// `needed` pairs within `window` cause a rollback.
    pub fn new(needed: usize, window: Duration) -> Self {
        Self {
            needed: needed.max(1),
            window,
            seen: VecDeque::new(),
            last_late: None,
        }
    }

    /// Adds a pair whose request arrived at `began`; true when there are enough. Late answers that overlap in time count as
    /// one pair: one stall of the machine delays all of them.
    pub fn add(&mut self, pair: Pair, failure: &Failure, began: Instant, now: Instant) -> bool {
        if matches!(failure, Failure::Late(_)) {
            // Requests that waited at the same time were late for one reason, and count once.
            if self.last_late.is_some_and(|last| began < last) {
                return false;
            }
            self.last_late = Some(now);
        }
        self.seen.push_back((now, pair));
        while self
            .seen
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) > self.window)
        {
            self.seen.pop_front();
        }
        self.seen.len() >= self.needed
    }

    /// The pairs within the window.
    pub fn evidence(&self) -> Vec<Pair> {
        self.seen.iter().map(|(_, pair)| pair.clone()).collect()
    }
}

/// Limits alerts about a lasting problem: one at its beginning, and repetitions after a pause.
#[derive(Debug, Default)]
pub struct Episode {
    last_alert: Option<Instant>,
    count: u64,
}

impl Episode {
    /// Counts one more occurrence; returns the count when an alert is due. The first is due at occurrence number `from`.
    pub fn occurred(&mut self, now: Instant, from: u64, repeat: Duration) -> Option<u64> {
        self.count += 1;
        let due = self
            .last_alert
            .is_none_or(|last| now.duration_since(last) >= repeat);
        if !due || self.count < from {
            return None;
        }
        self.last_alert = Some(now);
        Some(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> Pair {
        Pair {
            at: jiff::Timestamp::UNIX_EPOCH,
            request: "POST /".into(),
            new: "500".into(),
            old: 200,
        }
    }

    fn error() -> Failure {
        Failure::Status(http::StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn late() -> Failure {
        Failure::Late(Duration::from_millis(120))
    }

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn the_third_pair_causes_a_rollback() {
        let (mut pairs, start) = (Pairs::new(3, Duration::from_secs(10)), Instant::now());
        let decided: Vec<bool> = (0..3)
            .map(|n| pairs.add(pair(), &error(), start, after(start, n)))
            .collect();
        assert_eq!(decided, [false, false, true]);
        assert_eq!(pairs.evidence().len(), 3);
    }

    #[test]
    fn pairs_far_apart_do_not_add_up() {
        let (mut pairs, start) = (Pairs::new(2, Duration::from_secs(10)), Instant::now());
        for n in 0..5 {
            let now = after(start, n * 10_001);
            assert!(!pairs.add(pair(), &error(), now, now));
        }
    }

    #[test]
    fn overlapping_late_answers_are_one_pair() {
        let (mut pairs, start) = (Pairs::new(2, Duration::from_secs(10)), Instant::now());
        for n in 0..10 {
            assert!(!pairs.add(pair(), &late(), after(start, n), after(start, 120 + n)));
        }
        assert!(pairs.add(pair(), &late(), after(start, 130), after(start, 250)));
    }

    #[test]
    fn an_alert_is_due_at_once_and_again_after_the_pause() {
        let (mut episode, start) = (Episode::default(), Instant::now());
        let due: Vec<_> = [0, 1, 2, 1002]
            .map(|ms| episode.occurred(after(start, ms), 2, Duration::from_secs(1)))
            .into();
        assert_eq!(due, [None, Some(2), None, Some(4)]);
    }
}
