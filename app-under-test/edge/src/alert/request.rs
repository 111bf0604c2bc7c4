//! The request that carries an alert to a receiver: its address, credentials and body. Each kind of receiver makes one.

use std::fmt;

use bytes::Bytes;
use firedrill_logs::Secret;
use http::{Request, header};
use http_body_util::Full;
use serde::{Deserialize, Deserializer};

/// Reads a receiver's address: `http` or `https`, without credentials, because the client would not send them.
pub(super) fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
    use serde::de::Error;
    let url = Secret::deserialize(from)?;
    let parsed: http::Uri = url
        .expose()
        .parse()
        .map_err(|error| D::Error::custom(format!("the receiver's url is invalid: {error}")))?;
    if !matches!(parsed.scheme_str(), Some("http" | "https")) || parsed.host().is_none_or(str::is_empty) {
        return Err(D::Error::custom(
            "the receiver's url must begin with http:// or https:// and a host",
        ));
    }
    let authority = parsed.authority().map(http::uri::Authority::as_str);
    if authority.is_some_and(|authority| authority.contains('@')) {
        return Err(D::Error::custom(
            "the receiver's url must not contain a user or password; use a token instead",
        ));
    }
    Ok(url)
}

/// The scheme, host and port of a URL. The path and the query may hold a token and are left out.
pub(super) fn origin(url: &str) -> String {
    let Ok(url) = url.parse::<http::Uri>() else {
        return "an invalid URL".into();
    };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!(
        "{}://{}{port}",
        url.scheme_str().unwrap_or("http"),
        url.host().unwrap_or_default()
    )
}

/// The body of a request to a receiver.
#[derive(Clone, PartialEq)]
pub enum Body {
    /// Sent as `application/json`.
    Json(serde_json::Value),
    /// Sent as `application/x-www-form-urlencoded`.
    Form(Vec<(&'static str, String)>),
}

/// A POST request to a receiver. Any part of it may be secret, so its `Debug` form shows only the receiver's origin.
#[derive(Clone, PartialEq)]
pub struct AlertRequest {
    /// The whole address.
    pub url: Secret,
    /// The `Authorization` header, if the receiver needs one.
    pub authorization: Option<Secret>,
    /// The body.
    pub body: Body,
}

impl AlertRequest {
    /// A JSON body without credentials.
    pub(super) fn json(url: &Secret, body: serde_json::Value) -> Self {
        Self {
            url: url.clone(),
            authorization: None,
            body: Body::Json(body),
        }
    }

    /// The same as an HTTP request.
    pub(super) fn to_http(&self) -> http::Result<Request<Full<Bytes>>> {
        let (media_type, body) = match &self.body {
            Body::Json(body) => ("application/json", body.to_string()),
            Body::Form(fields) => (
                "application/x-www-form-urlencoded",
                form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(fields)
                    .finish(),
            ),
        };
        let mut request = Request::post(self.url.expose()).header(header::CONTENT_TYPE, media_type);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization.expose());
        }
        request.body(Full::new(Bytes::from(body)))
    }
}

impl fmt::Debug for AlertRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "POST to {}", origin(self.url.expose()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_origin_of_an_address_is_shown() {
        assert_eq!(
            origin("https://u:p@hooks.example.org:8443/T000/xyz?token=1"),
            "https://hooks.example.org:8443"
        );
    }
}
