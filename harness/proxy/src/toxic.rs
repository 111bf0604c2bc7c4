//! What a toxic is: answers to the questions that a link asks.
//!
//! Faces the link, which asks each active toxic about a connection, a chunk or a request, and puts the answers together
//! in the order that the module's documentation states. A toxic keeps no state and does nothing by itself: a new one is
//! a small file in `toxics/` that answers one of these questions differently from the defaults.

use std::fmt;
use std::time::Duration;

use http::{HeaderName, Method, StatusCode};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;

/// One direction of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// From who connects to the service: requests.
    Up,
    /// From the service to who connects: answers.
    Down,
}

/// The directions in which a toxic is in effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ways {
    /// What is sent to the service.
    Requests,
    /// What comes back.
    Answers,
    /// Both, each by itself.
    Both,
}

impl Ways {
    /// Whether a direction is one of these.
    pub fn cover(self, way: Way) -> bool {
        match self {
            Self::Requests => way == Way::Up,
            Self::Answers => way == Way::Down,
            Self::Both => true,
        }
    }
}

impl fmt::Display for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requests => "requests",
            Self::Answers => "answers",
            Self::Both => "requests and answers",
        })
    }
}

/// Into pieces of what size a chunk is cut, and how long the next one waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Bytes a piece, at least 1.
    pub size: usize,
    /// Between two pieces.
    pub gap: Duration,
}

/// What is known of a request when toxics are asked about it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// Its method.
    pub method: &'r Method,
    /// Its path, without the query.
    pub path: &'r str,
}

/// Something that is wrong with a link. Random answers are drawn from the generator they are given and from nothing
/// else: the same toxic, connection and chunk always draw the same.
pub trait Toxic: Send + Sync + fmt::Debug {
    /// What it does, for a reader: "50ms ± 10ms on answers".
    fn describe(&self) -> String;

    /// What is wrong with its parameters, if anything.
    fn flaw(&self) -> Option<String> {
        None
    }

    /// The directions in which it is in effect.
    fn ways(&self) -> Ways {
        Ways::Both
    }

    /// Whether a chunk of so many bytes feels it: for the count of hits.
    fn touches(&self, _bytes: usize) -> bool {
        false
    }

    /// Whether nothing passes.
    fn stalls(&self) -> bool {
        false
    }

    /// How long a chunk is held, counted from its own arrival.
    fn hold(&self, _random: &mut ChaCha8Rng) -> Duration {
        Duration::ZERO
    }

    /// How much longer than a chunk the end of the stream is held.
    fn hold_end(&self) -> Duration {
        Duration::ZERO
    }

    /// Into what a chunk is cut.
    fn slice(&self, _random: &mut ChaCha8Rng) -> Option<Slice> {
        None
    }

    /// Bytes a second, in one direction, over all connections of the link together.
    fn rate(&self) -> Option<u64> {
        None
    }

    /// Bytes after which a connection is closed, counted from when the toxic and the connection were both there.
    fn limit(&self) -> Option<u64> {
        None
    }

    /// After how long a connection is reset, counted from when the toxic and the connection were both there. `None`:
    /// never.
    fn resets(&self, _random: &mut ChaCha8Rng) -> Option<Duration> {
        None
    }

    /// Whether the listener is closed.
    fn refuses(&self) -> bool {
        false
    }

    /// Whether it acts on requests, so that its link must tell them apart.
    fn needs_http(&self) -> bool {
        false
    }

    /// Whether it is an HTTP toxic that applies to a request.
    fn applies(&self, _request: Request<'_>, _random: &mut ChaCha8Rng) -> bool {
        false
    }

    /// Of a request that it applies to: how long it is held.
    fn hold_request(&self) -> Duration {
        Duration::ZERO
    }

    /// Of a request that it applies to: the status that is answered in the service's place.
    fn status(&self) -> Option<StatusCode> {
        None
    }

    /// Of a request that it applies to: the header that the answer loses.
    fn drops_header(&self) -> Option<&HeaderName> {
        None
    }

    /// Of a request that it applies to: whether the answer's body is garbled.
    fn garbles(&self) -> bool {
        false
    }
}
