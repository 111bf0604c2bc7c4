//! What can go wrong with a proxy, and with the parameters of a toxic.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use firedrill_model::units::Size;

use crate::Route;

/// Why a proxy could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The proxy cannot listen at its address.
    #[error("proxy cannot listen at {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said. Shared: everybody who waits for the listener learns of it.
        source: Arc<io::Error>,
    },
    /// The toxic's parameters make no sense.
    #[error(transparent)]
    InvalidToxic(#[from] InvalidToxic),
    /// There is no proxy on this route.
    #[error("no proxy on the route {0}")]
    NoSuchProxy(Route),
    /// The proxy's listener task has ended, which happens only when its runtime shuts down.
    #[error("proxy at {0} has stopped: its async runtime is shutting down")]
    Stopped(SocketAddr),
}

/// Parameters with which a toxic could have no effect, or none that is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidToxic {
    /// A delay of zero.
    #[error("the delay is zero")]
    ZeroDelay,
    /// A share of 0 %.
    #[error("the share is 0%: nothing would be affected")]
    ZeroShare,
    /// Pieces of 0 bytes.
    #[error("`size` is zero; the smallest piece is 1B")]
    ZeroSize,
    /// Pieces that may vary down to 0 bytes.
    #[error("`vary` must be below `size`")]
    VaryTooLarge,
    /// A bandwidth of zero.
    #[error("the bandwidth is zero; use `blackhole` to let nothing pass")]
    ZeroBandwidth,
    /// A bandwidth that limits nothing.
    #[error("the bandwidth is above {0} per second, which would limit nothing")]
    BandwidthTooHigh(Size),
    /// Not the status of a final response.
    #[error("{0} is not a response status; use 200 to 599")]
    Status(u16),
    /// Not a known method's spelling.
    #[error("`{0}` is not an HTTP method; methods are in capitals, such as GET")]
    Method(String),
}
