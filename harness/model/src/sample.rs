//! What a probe saw: the types that the prober writes, the history stores and measuring reads.
//!
//! Everything here is plain data. Times are [`Micros`]: microseconds since the drill's origin on one monotonic clock
//! (see [`Clock`]); the wall clock is read once a run, only to be shown.

use std::collections::HashMap;
use std::fmt;
use std::ops::{Add, Sub};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Microseconds since the drill's origin, on the drill's monotonic clock.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Micros(pub u64);

impl Micros {
    /// The instant so many microseconds after the origin; saturates after half a million years.
    pub fn from_duration(since_origin: Duration) -> Self {
        Self(u64::try_from(since_origin.as_micros()).unwrap_or(u64::MAX))
    }

    /// The time since the origin.
    pub fn since_origin(self) -> Duration {
        Duration::from_micros(self.0)
    }

    /// The time since an earlier instant; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Micros {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(Self::from_duration(rhs).0))
    }
}

impl Sub<Duration> for Micros {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(Self::from_duration(rhs).0))
    }
}

/// The drill's clock: one monotonic origin for everything that is stamped.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock whose origin is now.
    pub fn start() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    /// Now, since the origin.
    pub fn now(&self) -> Micros {
        Micros::from_duration(self.origin.elapsed())
    }

    /// The stamp of an instant taken elsewhere on the same clock.
    pub fn stamp(&self, instant: Instant) -> Micros {
        Micros::from_duration(instant.saturating_duration_since(self.origin))
    }

    /// The instant of a stamp, to wait for.
    pub fn instant(&self, at: Micros) -> Instant {
        self.origin + at.since_origin()
    }
}

/// A stream: one journey over one connection mode. Small, dense, in the order of the `stream` events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(pub u16);

/// How a stream connects.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A new connection for every probe: detects refused connections, and reaches the process that answers now.
    New,
    /// Reuses a connection: detects errors during draining, and stays with one process.
    Reused,
}

/// A short text seen in answers (a release, a rung of the ladder), interned; 0 is "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Label(pub u16);

impl Label {
    /// No such text in the answer.
    pub const NONE: Self = Self(0);
    /// There was a text, but the drill had seen too many different ones to remember it: nobody knows which.
    pub const TOO_MANY: Self = Self(u16::MAX);
}

/// One probe: when it was due and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Whose probe it is.
    pub stream: StreamId,
    /// When the schedule wanted it: `t0 + i/rate`, whatever happened to earlier ones.
    pub due: Micros,
    /// When its first byte was handed to the connection (or the connection attempt began, on a new connection).
    pub sent: Micros,
    /// When the first byte of the answer arrived; equal to `ended` when none did.
    pub first: Micros,
    /// When its outcome was known.
    pub ended: Micros,
    /// What it came to.
    pub outcome: Outcome,
    /// The HTTP status, or the exit code of a command; 0 when no answer came.
    pub status: u16,
    /// The release that says it answered.
    pub release: Label,
    /// Which way it was answered, when that is a fallback (or whatever the system's fallback header says).
    pub rung: Label,
    /// A kept connection had been closed while it was idle, and the request was repeated on a new one.
    pub reconnected: bool,
}

/// What one probe proves about the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The right answer, content checked, within the deadline.
    Good,
    /// Good, and flagged as served by a declared fallback.
    Fallback,
    /// The user did not get what they came for.
    Bad(Bad),
    /// The prober's own fault: neither up nor down.
    Void(Void),
}

/// Why a user did not get what they came for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Bad {
    /// An answer with the wrong status.
    Status,
    /// An answer with the right status and the wrong content (a redirect elsewhere, say).
    Content,
    /// Nobody listened.
    Refused,
    /// The connection broke before the answer was whole.
    Reset,
    /// No whole answer within the client's timeout.
    Timeout,
    /// The right answer, later than the deadline.
    Late,
    /// TLS failed: a certificate that cannot be trusted, or no common way to speak.
    Tls,
}

/// Why a probe says nothing.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Void {
    /// The prober ran out of file descriptors.
    Descriptors,
    /// The prober ran out of local ports.
    Ports,
    /// Sent later than half the deadline after it was due; or sent late, and answered in time but for that.
    SentLate,
    /// More probes in flight than `rate × timeout`.
    InFlight,
    /// The prober was stopped while it was in flight.
    Cancelled,
    /// The prober could not make the request (a bug of ours or of the scenario).
    Unsendable,
    /// The prober stalled while it was under way: that it came too late may be the prober's doing.
    #[serde(rename = "prober-stalled", alias = "stood-still")]
    StoodStill,
    /// The answer's body is larger than `body_limit`.
    BodyLimit,
    /// The answer has more header lines than `header_limit`, or more than 400 KiB of them.
    HeaderLimit,
    /// The answer's body is encoded in a way that the prober cannot decode.
    Encoding,
    /// The answer was right but late, while others held the machine's processors.
    MachineBusy,
}

impl Outcome {
    /// Every outcome, in the order of its [`Outcome::code`].
    pub const ALL: [Self; 20] = [
        Self::Good,
        Self::Fallback,
        Self::Bad(Bad::Status),
        Self::Bad(Bad::Content),
        Self::Bad(Bad::Refused),
        Self::Bad(Bad::Reset),
        Self::Bad(Bad::Timeout),
        Self::Bad(Bad::Late),
        Self::Void(Void::Descriptors),
        Self::Void(Void::Ports),
        Self::Void(Void::SentLate),
        Self::Void(Void::InFlight),
        Self::Void(Void::Cancelled),
        Self::Void(Void::Unsendable),
        Self::Void(Void::StoodStill),
        Self::Void(Void::BodyLimit),
        Self::Void(Void::HeaderLimit),
        Self::Void(Void::Encoding),
        Self::Void(Void::MachineBusy),
        Self::Bad(Bad::Tls),
    ];

    /// The number that stands for it in a history's samples file. Never reused for another meaning.
    pub fn code(self) -> u8 {
        Self::ALL
            .iter()
            .position(|o| *o == self)
            .map_or(u8::MAX, |at| u8::try_from(at).unwrap_or(u8::MAX))
    }

    /// The outcome of a code; `None` for one this version does not know.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The user got what they came for (by whatever way).
    pub fn is_up(self) -> bool {
        matches!(self, Self::Good | Self::Fallback)
    }

    /// The user did not.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Bad(_))
    }

    /// It says nothing.
    pub fn is_void(self) -> bool {
        matches!(self, Self::Void(_))
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status => "wrong status",
            Self::Content => "wrong content",
            Self::Refused => "refused",
            Self::Reset => "connection broken",
            Self::Timeout => "timeout",
            Self::Late => "too late",
            Self::Tls => "TLS failed",
        })
    }
}

impl fmt::Display for Void {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Descriptors => "out of file descriptors",
            Self::Ports => "out of ports",
            Self::SentLate => "sent too late",
            Self::InFlight => "too many in flight",
            Self::Cancelled => "cancelled",
            Self::Unsendable => "could not be sent",
            Self::StoodStill => "prober stalled",
            Self::BodyLimit => "answer over `body_limit`",
            Self::HeaderLimit => "answer over `header_limit`",
            Self::Encoding => "unknown content encoding",
            Self::MachineBusy => "late while the machine was busy",
        })
    }
}

/// What became of a write when it was read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// There, and right.
    Intact,
    /// Not there.
    Lost,
    /// There, and wrong.
    Corrupt,
    /// No definite answer (the service was still down).
    Unknown,
}

/// How a write's own request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ack {
    /// The service said that it is stored.
    Acknowledged,
    /// The service said that it is not.
    Refused,
    /// It cannot be known: no answer, or a broken one.
    Unknown,
}

/// The texts behind [`Label`]s: shared by the prober, which finds them, and the recorder, which writes them down.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    by_text: HashMap<String, Label>,
    texts: Vec<String>,
}

impl Labels {
    /// As many different texts as one drill can tell apart: more are request ids, not releases. All further ones get
    /// [`Label::TOO_MANY`].
    pub const LIMIT: usize = 4096;

    /// The label of a text, new or known. Empty text is [`Label::NONE`], a new one past the limit [`Label::TOO_MANY`].
    pub fn intern(&self, text: &str) -> Label {
        if text.is_empty() {
            return Label::NONE;
        }
        // A panic elsewhere leaves the lists whole: each change is one push and one insert.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(label) = known.by_text.get(text) {
            return *label;
        }
        // A header that differs in every answer would otherwise fill the memory.
        if known.texts.len() >= Self::LIMIT {
            return Label::TOO_MANY;
        }
        let Ok(id) = u16::try_from(known.texts.len() + 1) else {
            return Label::TOO_MANY;
        };
        known.texts.push(text.to_owned());
        known.by_text.insert(text.to_owned(), Label(id));
        Label(id)
    }

    /// The texts interned after the first `seen`, in order: what the recorder has not written yet.
    pub fn after(&self, seen: usize) -> Vec<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.texts.get(seen..).unwrap_or_default().to_vec()
    }

    /// How many texts there are.
    pub fn count(&self) -> usize {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .texts
            .len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_reads_back_from_its_code() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::from_code(outcome.code()), Some(outcome));
        }
        assert_eq!(Outcome::from_code(200), None);
    }

    #[test]
    fn a_label_is_given_once_and_none_is_the_empty_text() {
        let labels = Labels::default();
        assert_eq!(labels.intern(""), Label::NONE);
        assert_eq!(labels.intern("v1"), Label(1));
        assert_eq!(labels.intern("memory"), Label(2));
        assert_eq!(labels.intern("v1"), Label(1));
        assert_eq!(labels.after(1), ["memory"]);
    }

    #[test]
    fn a_new_text_past_the_limit_is_not_taken_for_none() {
        let labels = Labels::default();
        for n in 0..Labels::LIMIT {
            assert_ne!(labels.intern(&n.to_string()), Label::TOO_MANY);
        }
        assert_eq!(labels.intern("one more"), Label::TOO_MANY);
        assert_eq!(
            labels.intern("7"),
            Label(8),
            "a known one is recognized as before"
        );
        assert_eq!(labels.count(), Labels::LIMIT);
    }
}
