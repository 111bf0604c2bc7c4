//! Headers that are removed before forwarding, and the idempotency key that makes it safe to repeat a write.

use http::header::{
    CONNECTION, EXPECT, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, header};

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// The key that lets a service recognise a repeated request and execute it once.
pub static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Removes the headers that concern only one connection (RFC 9110, section 7.6.1).
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            // A client must not be able to remove what the service relies on.
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

/// Adds an idempotency key to a request that may change something, unless the client sent one.
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
    fn hop_by_hop_headers_are_removed() {
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
    fn a_client_cannot_make_the_edge_remove_the_host_or_the_key() {
        let sent = headers(&[("host", "example.org"), ("idempotency-key", "k")]);
        let mut seen = sent.clone();
        seen.insert(CONNECTION, HeaderValue::from_static("host, idempotency-key"));
        strip_hop_by_hop(&mut seen);
        assert_eq!(seen, sent);
    }

    #[test]
    fn a_write_without_a_key_gets_one() {
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
