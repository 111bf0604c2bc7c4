//! A user's request, received completely so that it can be sent any number of times.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Body as HttpBody;
use listener::Peer;
use tokio::time::timeout;

use crate::config::{self, Route};
use crate::headers::{ensure_key, host, set_forwarded, strip_hop_by_hop};
use crate::upstream::Fresh;

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A complete request.
#[derive(Debug, Clone)]
pub(super) struct BufferedRequest {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    /// Whether the request may be sent twice.
    pub(super) repeatable: bool,
}

impl BufferedRequest {
    /// Receives a request and prepares it for forwarding; the status for the user when it is refused.
    pub(super) async fn receive<B>(request: Request<B>, settings: &config::Proxy) -> Result<Self, StatusCode>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        if parts.method == Method::CONNECT {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        let host = host(parts.version, &parts.uri, &parts.headers).ok_or(StatusCode::BAD_REQUEST)?;
        if !is_served(&host, &settings.hosts) {
            return Err(StatusCode::MISDIRECTED_REQUEST);
        }
        let body = receive_body(body, settings.longest_request).await?;
        let mut headers = parts.headers;
        strip_hop_by_hop(&mut headers);
        // Before the first sending: a repeat must have the same key.
        ensure_key(&parts.method, &mut headers);
        let client = parts.extensions.get::<Peer>().map(|peer| peer.0.ip());
        set_forwarded(&mut headers, client, &host);
        headers.insert(header::HOST, host);
        // Only path and query: in an absolute address a service could see another host than in the header.
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            repeatable: parts.method.is_safe() || may_replay(parts.uri.path(), &settings.route),
            method: parts.method,
            uri: path.parse().map_err(|_| StatusCode::BAD_REQUEST)?,
            headers,
            body,
        })
    }

    /// The request to send; `fresh` demands a new connection.
    pub(super) fn to_http(&self, fresh: bool) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if fresh {
            request.extensions_mut().insert(Fresh);
        }
        request
    }

    /// Method and path, for events. The query may contain secrets and is left out.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.uri.path())
    }
}

/// Whether a host is one of those configured, whatever its port.
fn is_served(host: &HeaderValue, hosts: &[String]) -> bool {
    let name = host.to_str().unwrap_or_default();
    let name = name.rsplit_once(':').map_or(name, |(name, port)| {
        // The colons inside the brackets of an IPv6 address do not begin a port.
        if port.contains(']') {
            host.to_str().unwrap_or_default()
        } else {
            name
        }
    });
    hosts.is_empty() || hosts.iter().any(|served| served.eq_ignore_ascii_case(name))
}

/// Whether the longest route that matches a path allows repeating a write; without a match it does.
fn may_replay(path: &str, routes: &[Route]) -> bool {
    if routes.iter().all(|route| route.replay) {
        return true;
    }
    // Another spelling of a path could avoid its rule; ordinary clients do not use one.
    if path.contains(['%', '\\']) || path.contains("//") || path.contains("/.") {
        return false;
    }
    let matches = |route: &&Route| {
        let rest = path.strip_prefix(route.path.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    // The most specific rule decides.
    let longest = routes.iter().filter(matches).max_by_key(|route| route.path.len());
    longest.is_none_or(|route| route.replay)
}

async fn receive_body<B>(body: B, longest: usize) -> Result<Bytes, StatusCode>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let received = timeout(BODY_TIMEOUT, Limited::new(body, longest).collect()).await;
    let received = received.map_err(|_| StatusCode::REQUEST_TIMEOUT)?;
    let body = received.map_err(|error| {
        if error.is::<LengthLimitError>() {
            StatusCode::PAYLOAD_TOO_LARGE
        } else {
            StatusCode::BAD_REQUEST
        }
    })?;
    Ok(body.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str, replay: bool) -> Route {
        Route {
            path: path.into(),
            replay,
        }
    }

    #[test]
    fn the_longest_matching_route_decides_about_replays() {
        let routes = [route("/pay", false), route("/pay/quote", true)];
        for (path, expected) in [
            ("/pay", false),
            ("/pay/now", false),
            ("/pay/quote", true),
            ("/payments", true),
            ("/", true),
            ("/%70ay", false),
            ("//pay", false),
        ] {
            assert_eq!(may_replay(path, &routes), expected, "{path}");
        }
        assert!(may_replay("/%70ay", &[]));
    }

    #[test]
    fn only_configured_hosts_are_served() {
        let hosts = ["example.org".to_owned(), "[::1]".to_owned()];
        let served = |host: &'static str| is_served(&HeaderValue::from_static(host), &hosts);
        assert!(served("example.org") && served("EXAMPLE.org:8080") && served("[::1]") && served("[::1]:80"));
        assert!(!served("evil.org") && !served("example.org.evil.org"));
    }
}
