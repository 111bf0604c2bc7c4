//! A fault proxy for tests: it relays TCP or HTTP/1.1 to a service and breaks the traffic on request.
//!
//! Takes: the address of a service, and [`Toxic`]s, injected and reverted while traffic flows. Gives: an address to
//! connect to instead, and how much traffic each toxic [hit](Hits). A [`Proxy`] owns its listener and its connections;
//! both end when it is dropped.
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use firedrill_proxy::{Latency, Proxy};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use tokio::net::{TcpListener, TcpStream};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The service under test; here it answers every connection with one byte.
//! let service = TcpListener::bind("127.0.0.1:0").await?;
//! let upstream = service.local_addr()?;
//! tokio::spawn(async move {
//!     while let Ok((mut connection, _)) = service.accept().await {
//!         let _ = connection.write_all(b"!").await;
//!     }
//! });
//!
//! let proxy = Proxy::start(upstream).await?;
//! let slow = proxy.inject(Latency::new(Duration::from_millis(50))).await?;
//!
//! let began = Instant::now();
//! let mut client = TcpStream::connect(proxy.address()).await?;
//! assert_eq!(client.read_u8().await?, b'!');
//! assert!(began.elapsed() >= Duration::from_millis(49));
//! assert_eq!(slow.hits().connections, 1);
//!
//! slow.revert().await?; // dropping the guard reverts as well
//! # Ok(())
//! # }
//! ```
//!
//! # How toxics combine
//!
//! A proxy stores nothing but the list of its active toxics. What happens to a connection, a chunk of bytes or a
//! request is computed from that list each time, so overlapping toxics can be reverted in any order. They apply in this
//! order:
//!
//! 1. [`Refuse`]: the listener is closed; nobody can connect.
//! 2. [`Reset`]: connections are reset, each after its own time.
//! 3. HTTP toxics, on whole requests and responses, next to the service: delays add up; then the first matching
//!    [`HttpStatus`] responds in place of the service; otherwise every [`HttpDropHeader`] and [`HttpGarble`] changes the
//!    response.
//! 4. [`Blackhole`]: nothing passes until the last one is reverted.
//! 5. [`Latency`]: delays add up and count from a chunk's arrival; [`SlowClose`] adds to the delay of the end.
//! 6. [`Slicing`]: the smallest size, and the sum of the gaps.
//! 7. [`Bandwidth`]: every limit applies, to all connections of the proxy together.
//! 8. [`DataLimit`]: the smallest number of bytes left.
//!
//! # Without toxics
//!
//! A proxy is a plain relay: `TCP_NODELAY` on both sides, a half-close passes as a half-close and a reset as a reset,
//! and a reader that stops reading stops the writer ([`MAX_BUFFERED_BYTES`] per direction). One thing differs from a
//! direct connection: when the service refuses connections, the client sees a reset, because the proxy accepts a
//! connection before it can know.
//!
//! # Randomness
//!
//! Random choices (jitter, which requests match) are drawn from the proxy's [seed](ProxyBuilder::seed). The same seed,
//! toxic id, connection number and chunk number draw the same value, whatever else happened.

mod active;
mod connection;
mod error;
mod http;
mod injection;
mod listener;
mod proxies;
mod proxy;
mod pump;
mod queue;
mod toxic;
mod toxics;

pub use active::{Hits, ToxicId};
pub use error::{Error, InvalidToxic};
pub use injection::Injection;
pub use proxies::{Proxies, Route, USER};
pub use proxy::{Protocol, Proxy, ProxyBuilder};
pub use pump::MAX_BUFFERED_BYTES;
pub use toxic::{Direction, Directions, Request, Slice, Toxic};
pub use toxics::{
    Bandwidth, Blackhole, DataLimit, Distribution, HttpDelay, HttpDropHeader, HttpGarble, HttpStatus,
    Latency, Matching, OpenConnections, Refuse, Reset, Slicing, SlowClose,
};
