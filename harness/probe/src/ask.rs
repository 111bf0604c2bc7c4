//! One request outside of the journeys, over a connection of its own: readiness pages, deploy requests.
//!
//! Takes an endpoint and a request; gives the answer with the beginning of its body.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use crate::dial::{Connection, NoAnswer};
use crate::endpoint::Endpoint;

/// As many header lines are read.
const HEADERS: usize = 1000;

/// Asks once. `most` bytes of the body are read, and a body that breaks off or takes longer than `within` ends there: the
/// status was the answer.
///
/// # Errors
/// [`NoAnswer`]: no head of an answer within the time.
pub async fn ask(
    endpoint: &Endpoint,
    request: Request<Bytes>,
    most: usize,
    within: Duration,
) -> Result<Response<Bytes>, NoAnswer> {
    let until = Instant::now() + within;
    let head = timeout_at(until, async {
        let mut connection = Connection::open(endpoint, HEADERS).await?;
        let (head, body) = request.into_parts();
        let request = connection.request(endpoint, (&head.method, &head.uri), &head.headers, &body, true)?;
        Ok::<_, NoAnswer>((connection.send(request).await?, connection))
    });
    // The connection lives until the body was read.
    let (answer, _connection) = head.await.map_err(|_| NoAnswer::TimedOut(within))??;
    let (head, mut body) = answer.into_parts();
    let mut bytes = BytesMut::new();
    while bytes.len() < most {
        let Ok(Some(Ok(frame))) = timeout_at(until, body.frame()).await else {
            break;
        };
        bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
    }
    bytes.truncate(most);
    Ok(Response::from_parts(head, bytes.freeze()))
}
