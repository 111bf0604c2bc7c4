//! The readiness check of a release: one request, and what was wrong with its answer.

use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::body::Body;
use crate::duration::words;
use crate::upstream::{Broken, Fresh, Upstream};

/// How long one answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a release is not ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReady {
    /// Nothing was asked yet.
    #[error("no answer yet")]
    NoAnswer,
    /// The answer took too long.
    #[error("no answer within {}", words(ANSWER_TIMEOUT))]
    Late,
    /// There was no complete answer.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The answer was a failure.
    #[error("{0}")]
    Status(StatusCode),
    /// Another release answered.
    #[error("the slot runs {0}")]
    OtherRelease(String),
    /// The release ended.
    #[error("its process ended: {0}")]
    Ended(ExitStatus),
    /// The configured path is none.
    #[error("invalid path `{0}`")]
    InvalidPath(String),
}

/// Asks a release once; its answer when that is a success.
pub(crate) async fn ask(service: &impl Upstream, host: &str, path: &str) -> Result<Response<Body>, NotReady> {
    // A kept connection may lead to the process that ran here before.
    let request = Request::get(path)
        .header(http::header::HOST, host)
        .extension(Fresh);
    let request = request
        .body(Full::<Bytes>::default())
        .map_err(|_| NotReady::InvalidPath(path.to_owned()))?;
    let asked = timeout(ANSWER_TIMEOUT, service.clone().oneshot(request));
    let answer = asked.await.map_err(|_| NotReady::Late)??;
    // Redirects count as ready, as in load balancers.
    if answer.status().as_u16() >= 400 {
        return Err(NotReady::Status(answer.status()));
    }
    Ok(answer)
}
