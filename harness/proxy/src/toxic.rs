//! The trait behind every toxic: the questions that a proxy asks about a connection, a chunk of bytes or a request.
//!
//! A toxic has parameters and no state: it answers a few of these questions differently from the defaults, and the
//! proxy combines the answers of all active toxics (the [crate's documentation](crate) states the order). A new toxic is
//! one small file in `toxics/`.

use std::fmt;
use std::time::Duration;

use http::{HeaderName, Method, StatusCode};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{InvalidToxic, Matching};

/// One direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// From the client to the service.
    Requests,
    /// From the service to the client.
    Answers,
}

/// The directions that a toxic affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Directions {
    /// From the client to the service.
    Requests,
    /// From the service to the client.
    Answers,
    /// Both, independently of each other.
    Both,
}

impl Directions {
    /// Whether a direction is one of these.
    pub fn contains(self, direction: Direction) -> bool {
        match self {
            Self::Requests => direction == Direction::Requests,
            Self::Answers => direction == Direction::Answers,
            Self::Both => true,
        }
    }
}

impl fmt::Display for Directions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requests => "requests",
            Self::Answers => "answers",
            Self::Both => "requests and answers",
        })
    }
}

/// How a chunk of bytes is cut into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Bytes per piece, at least 1.
    pub size: usize,
    /// The pause between two pieces.
    pub gap: Duration,
}

/// What a proxy knows of a request when it asks which toxics affect it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Request<'r> {
    /// The method.
    pub method: &'r Method,
    /// The path without the query.
    pub path: &'r str,
}

/// Something that goes wrong on a proxy.
///
/// A random answer is drawn from the given generator and from nothing else, so that the same toxic, connection and
/// chunk always draw the same.
pub trait Toxic: Send + Sync + fmt::Debug {
    /// The effect in a few words, for reports: `50ms ± 10ms on answers`.
    fn describe(&self) -> String;

    /// Checks the parameters. A proxy refuses a toxic that is not valid.
    ///
    /// # Errors
    /// Parameters with which the toxic could have no effect, or none that is meant.
    fn validate(&self) -> Result<(), InvalidToxic> {
        Ok(())
    }

    /// The directions that it affects.
    fn directions(&self) -> Directions {
        Directions::Both
    }

    /// Whether it affects a chunk of so many bytes. Counted as a hit.
    fn affects_chunk(&self, _bytes: usize) -> bool {
        false
    }

    /// Whether nothing passes.
    fn blocks(&self) -> bool {
        false
    }

    /// The delay of a chunk, from its arrival.
    fn delay(&self, _random: &mut ChaCha8Rng) -> Duration {
        Duration::ZERO
    }

    /// The delay of the end of the stream, in addition to that of a chunk.
    fn end_delay(&self) -> Duration {
        Duration::ZERO
    }

    /// How a chunk is cut into pieces. `None`: it is not.
    fn slice(&self, _random: &mut ChaCha8Rng) -> Option<Slice> {
        None
    }

    /// The bandwidth in bytes per second and direction, for all connections of the proxy together. `None`: no limit.
    fn rate(&self) -> Option<u64> {
        None
    }

    /// The number of bytes after which a connection is closed. Counting starts when both the connection and the toxic
    /// are there. `None`: no limit.
    fn byte_limit(&self) -> Option<u64> {
        None
    }

    /// The time after which a connection is reset. It starts when both the connection and the toxic are there. `None`:
    /// this connection is not reset.
    fn reset_after(&self, _random: &mut ChaCha8Rng) -> Option<Duration> {
        None
    }

    /// Whether the listener is closed.
    fn refuses(&self) -> bool {
        false
    }

    /// The requests that it affects. `Some` makes it an HTTP toxic, which needs a proxy that understands
    /// [HTTP](crate::Protocol::Http); all the methods below are asked for matching requests only.
    fn matching(&self) -> Option<Matching<'_>> {
        None
    }

    /// The delay of a request before the service sees it.
    fn request_delay(&self) -> Duration {
        Duration::ZERO
    }

    /// The status of a response that is sent in place of the service's. `None`: the service responds.
    fn status(&self) -> Option<StatusCode> {
        None
    }

    /// The header to remove from the response.
    fn dropped_header(&self) -> Option<&HeaderName> {
        None
    }

    /// Whether the response's body is garbled.
    fn garbles_body(&self) -> bool {
        false
    }
}
