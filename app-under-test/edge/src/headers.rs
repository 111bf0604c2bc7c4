//! Headers of a forwarded request: what is removed, what is added, and the host that it is for.

use std::net::IpAddr;

use http::header::{
    CONNECTION, EXPECT, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Authority;
use http::{Method, Uri, Version, header};

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// The key that lets a service recognise a repeated request and execute it once.
pub static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What clients may claim about themselves. The service would believe it, so the edge replaces it.
static FORWARDED: [HeaderName; 5] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

/// Tells the service which client and host a request came from. What the client sent about that is removed.
pub fn set_forwarded(headers: &mut HeaderMap, client: Option<IpAddr>, host: &HeaderValue) {
    // What a client claims about itself is not passed on as if the edge said it.
    for name in &FORWARDED {
        headers.remove(name);
    }
    let client = client.and_then(|client| HeaderValue::from_str(&client.to_string()).ok());
    if let Some(client) = client {
        headers.insert("x-forwarded-for", client);
    }
    headers.insert("x-forwarded-host", host.clone());
    headers.insert("x-forwarded-proto", HeaderValue::from_static("http"));
}

/// The host that a request is for (RFC 9112, section 3.2); `None` when it is missing, ambiguous or invalid. An absolute
/// address takes precedence over the header.
pub fn host(version: Version, uri: &Uri, headers: &HeaderMap) -> Option<HeaderValue> {
    // An absolute address goes before the header (RFC 9112, section 3.2.2).
    if let Some(authority) = uri.authority() {
        return HeaderValue::from_str(authority.as_str())
            .ok()
            .filter(is_valid_host);
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host.clone()).filter(is_valid_host),
        // HTTP/1.0 does not require `Host`, and the request is forwarded as HTTP/1.1, which does.
        (None, None) if version < Version::HTTP_11 => Some(HeaderValue::from_static("edge")),
        _ => None,
    }
}

/// A host with an optional port, and nothing else.
fn is_valid_host(host: &HeaderValue) -> bool {
    let authority = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    authority.is_some_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'))
}

/// Removes the headers that concern only one connection (RFC 9110, section 7.6.1).
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // A client may name further headers that are for this connection only (RFC 9110, section 7.6.1).
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
    fn claims_of_the_client_about_itself_are_replaced() {
        let mut seen = headers(&[("x-forwarded-for", "6.6.6.6"), ("forwarded", "for=6.6.6.6")]);
        let host = HeaderValue::from_static("example.org");
        set_forwarded(&mut seen, Some([192, 0, 2, 1].into()), &host);
        let expected = [
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-host", "example.org"),
            ("x-forwarded-proto", "http"),
        ];
        assert_eq!(seen, headers(&expected));
    }

    #[test]
    fn a_request_has_exactly_one_valid_host() {
        let host_of = |uri: &'static str, hosts: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_static(host));
            }
            host(Version::HTTP_11, &Uri::from_static(uri), &headers)
        };
        for good in ["example.org", "example.org:8080", "127.0.0.1", "[::1]:80"] {
            assert!(host_of("/", &[good]).is_some(), "{good}");
        }
        for bad in [&[][..], &[""], &["a", "b"], &["a/b"], &["a b"], &["me@a"]] {
            assert_eq!(host_of("/", bad), None, "{bad:?}");
        }
        assert_eq!(host_of("http://right/", &["wrong"]).unwrap(), "right");
    }

    #[test]
    fn a_write_without_a_key_gets_one() {
        let (mut write, mut keyed, mut read) = (
            HeaderMap::new(),
            headers(&[("idempotency-key", "mine")]),
            HeaderMap::new(),
        );
        ensure_key(&Method::POST, &mut write);
        ensure_key(&Method::POST, &mut keyed);
        ensure_key(&Method::GET, &mut read);
        assert!(write.contains_key(&IDEMPOTENCY_KEY) && read.is_empty());
        assert_eq!(keyed[&IDEMPOTENCY_KEY], "mine");
    }
}
