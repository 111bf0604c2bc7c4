//! Headers that belong to one connection and go no further, and the key that lets a write be asked twice.

use http::header::{
    CONNECTION, EXPECT, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, header};

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// The key of a request that must happen once, however often it is asked.
pub static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Takes away what belongs to the connection it came by (RFC 9110, 7.6.1).
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            // A client must not be able to take away what the service relies on.
            .filter(|name| {
                *name != header::HOST && *name != header::CONTENT_LENGTH && *name != IDEMPOTENCY_KEY
            })
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in [
        &CONNECTION,
        &KEEP_ALIVE,
        &PROXY_CONNECTION,
        &PROXY_AUTHENTICATE,
        &PROXY_AUTHORIZATION,
        &TE,
        &TRAILER,
        &TRANSFER_ENCODING,
        &UPGRADE,
        &EXPECT,
    ] {
        headers.remove(name);
    }
}

/// Gives a request that changes something a key of its own, unless its client gave it one.
pub fn ensure_key(method: &Method, headers: &mut HeaderMap) {
    if method.is_safe() || headers.contains_key(&IDEMPOTENCY_KEY) {
        return;
    }
    if let Ok(key) = HeaderValue::from_str(&format!("edge-{:032x}", rand::random::<u128>())) {
        headers.insert(IDEMPOTENCY_KEY.clone(), key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn what_belongs_to_the_connection_goes_no_further() {
        let mut seen = headers(&[
            ("connection", "close, X-Secret"),
            ("x-secret", "1"),
            ("transfer-encoding", "chunked"),
            ("keep-alive", "timeout=5"),
            ("x-release", "v3"),
        ]);
        strip_hop_by_hop(&mut seen);
        assert_eq!(seen, headers(&[("x-release", "v3")]));
    }

    #[test]
    fn a_client_cannot_have_the_host_or_the_key_taken_away() {
        let kept = headers(&[("host", "example.org"), ("idempotency-key", "k")]);
        let mut seen = kept.clone();
        seen.insert(CONNECTION, HeaderValue::from_static("host, idempotency-key"));
        strip_hop_by_hop(&mut seen);
        assert_eq!(seen, kept);
    }

    #[test]
    fn a_write_gets_a_key_and_keeps_its_own() {
        let (mut write, mut own, mut read) = (
            HeaderMap::new(),
            headers(&[("idempotency-key", "mine")]),
            HeaderMap::new(),
        );
        ensure_key(&Method::POST, &mut write);
        ensure_key(&Method::POST, &mut own);
        ensure_key(&Method::GET, &mut read);
        assert!(write.contains_key(&IDEMPOTENCY_KEY) && read.is_empty());
        assert_eq!(own[&IDEMPOTENCY_KEY], "mine");
    }
}
