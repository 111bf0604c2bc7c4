//! The body of an answer: read within its limit, and unpacked.

use std::io::{self, Read as _};

use bytes::{Bytes, BytesMut};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use memchr::memmem::Finder;

use super::answer::joined;
use super::prepared::Want;
use firedrill_model::sample::{Bad, Outcome, Void};

/// A body that was read, and whether it came to its end.
pub(super) struct Read {
    pub(super) bytes: Bytes,
    pub(super) whole: bool,
}

impl Read {
    /// A body that does not matter.
    pub(super) fn nothing() -> Self {
        Self {
            bytes: Bytes::new(),
            whole: false,
        }
    }
}

/// Reads a body to its end; an endless one until what is wanted was read.
pub(super) async fn read(mut body: Incoming, headers: &HeaderMap, want: &Want) -> Result<Read, Outcome> {
    if want.endless && want.reads_body && !encodings(headers).is_empty() {
        // Whether the text has come would have to be looked for in a stream that is not whole.
        return Err(Outcome::Void(Void::Encoding));
    }
    let mut bytes = BytesMut::new();
    let wanted = want.body_contains.as_deref().map(Finder::new);
    let mut searched = 0;
    loop {
        if want.endless {
            let found = wanted
                .as_ref()
                .is_none_or(|text| text.find(&bytes[searched..]).is_some());
            if found {
                return Ok(Read {
                    bytes: bytes.freeze(),
                    whole: false,
                });
            }
            // The text may begin at the end of what is there.
            let text = wanted.as_ref().map_or(0, |text| text.needle().len());
            searched = (bytes.len() + 1).saturating_sub(text).max(searched);
        }
        match body.frame().await {
            None => break,
            Some(Err(_)) => return Err(Outcome::Bad(Bad::Reset)),
            Some(Ok(frame)) => {
                let data = frame.into_data().unwrap_or_default();
                if bytes.len() + data.len() > want.limits.body {
                    return Err(Outcome::Void(Void::BodyLimit));
                }
                bytes.extend_from_slice(&data);
            }
        }
    }
    let bytes = bytes.freeze();
    let bytes = if want.reads_body {
        decoded(bytes, headers, want.limits.body)?
    } else {
        bytes
    };
    Ok(Read { bytes, whole: true })
}

/// The encodings of a body, in the order in which they were applied.
fn encodings(headers: &HeaderMap) -> Vec<String> {
    joined(headers, &header::CONTENT_ENCODING)
        .to_ascii_lowercase()
        .split(',')
        .map(|encoding| encoding.trim().to_owned())
        .filter(|encoding| !encoding.is_empty() && encoding != "identity")
        .collect()
}

/// The body as users read it.
fn decoded(mut bytes: Bytes, headers: &HeaderMap, limit: usize) -> Result<Bytes, Outcome> {
    // The answer to a HEAD request names the encoding of a body that it does not have.
    if bytes.is_empty() {
        return Ok(bytes);
    }
    for encoding in encodings(headers).iter().rev() {
        bytes = match encoding.as_str() {
            "gzip" | "x-gzip" => unpacked(MultiGzDecoder::new(&bytes[..]), limit)?,
            // By the standard it has the head of zlib. Some servers leave that out, and browsers read both.
            "deflate" => match unpacked(ZlibDecoder::new(&bytes[..]), limit) {
                Err(Outcome::Bad(_)) => unpacked(DeflateDecoder::new(&bytes[..]), limit)?,
                other => other?,
            },
            _ => return Err(Outcome::Void(Void::Encoding)),
        };
    }
    Ok(bytes)
}

/// At most `limit` bytes of it: a small body can unpack to more than memory holds.
fn unpacked(packed: impl io::Read, limit: usize) -> Result<Bytes, Outcome> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    match packed.take(most).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() > limit => Err(Outcome::Void(Void::BodyLimit)),
        Ok(_) => Ok(bytes.into()),
        Err(_) => Err(Outcome::Bad(Bad::Content)),
    }
}
