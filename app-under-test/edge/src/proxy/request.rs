//! A user's request, received completely so that it can be sent any number of times.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Body as HttpBody;
use tokio::time::timeout;

use crate::headers::{ensure_key, strip_hop_by_hop};
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
}

impl BufferedRequest {
    /// Receives a request and prepares it for forwarding; the status for the user when it is refused.
    pub(super) async fn receive<B>(request: Request<B>, longest: usize) -> Result<Self, StatusCode>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        if parts.method == Method::CONNECT {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        let body = receive_body(body, longest).await?;
        let mut headers = parts.headers;
        strip_hop_by_hop(&mut headers);
        ensure_key(&parts.method, &mut headers);
        // HTTP/1.0 does not require `Host`, and the request is forwarded as HTTP/1.1, which does.
        if parts.version < Version::HTTP_11 && !headers.contains_key(header::HOST) {
            headers.insert(header::HOST, HeaderValue::from_static("edge"));
        }
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
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
