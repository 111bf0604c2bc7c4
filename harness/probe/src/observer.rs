//! Reports how connections speak and why they fail, each finding once.
//!
//! Takes every connection of the prober; gives the drill each new finding. A thousand connections that fail for one cause are
//! one finding.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use crate::Seen;

/// More causes than this are one cause with a changing text.
const MOST_CAUSES: usize = 16;

/// How a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Protocol {
    /// Whether it is HTTP/2 and not HTTP/1.1.
    pub http2: bool,
    /// The version of TLS; `None` without TLS.
    pub tls: Option<TlsVersion>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2.
    V12,
    /// TLS 1.3.
    V13,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.http2 { "HTTP/2" } else { "HTTP/1.1" })?;
        match self.tls {
            None => Ok(()),
            Some(TlsVersion::V12) => f.write_str(" over TLS 1.2"),
            Some(TlsVersion::V13) => f.write_str(" over TLS 1.3"),
        }
    }
}

/// Reports each new finding.
#[derive(Debug)]
pub(crate) struct Observer {
    sink: UnboundedSender<Seen>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    protocols: BTreeSet<Protocol>,
    causes: BTreeSet<String>,
}

impl Observer {
    pub(crate) fn new(sink: UnboundedSender<Seen>) -> Self {
        Self {
            sink,
            known: Mutex::default(),
        }
    }

    pub(crate) fn connected(&self, protocol: Protocol) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.protocols.insert(protocol) {
            let _ = self.sink.send(Seen::Connected(protocol));
        }
    }

    pub(crate) fn failed(&self, cause: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.causes.len() < MOST_CAUSES && known.causes.insert(cause.to_owned()) {
            let _ = self.sink.send(Seen::ConnectionFailed(cause.to_owned()));
        }
    }
}
