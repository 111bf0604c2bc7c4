//! The form: what a visitor wants to shorten.

use std::time::Duration;

use axum::Form;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::answer;

/// The largest body of a form without a file, in bytes.
pub(super) const MAX_FORM: usize = 64 << 10;
/// How long a visitor may take to send a form.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);

/// What a visitor sent: a code, and a URL or a file.
pub(super) enum Submission {
    Url {
        code: String,
        url: String,
    },
    File {
        code: String,
        name: String,
        content: axum::body::Bytes,
    },
}

#[derive(serde::Deserialize)]
struct Fields {
    code: String,
    url: String,
}

/// Reads a form within the time limit; the answer for the visitor when it is refused.
pub(super) async fn read_in_time(request: Request) -> Result<Submission, Response> {
    let late = |_| answer::error(StatusCode::REQUEST_TIMEOUT, "The form took too long to arrive.");
    tokio::time::timeout(FORM_TIMEOUT, read(request))
        .await
        .map_err(late)?
}

/// Reads a form.
pub(super) async fn read(request: Request) -> Result<Submission, Response> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    if content_type.is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/")) {
        return read_multipart(request).await;
    }
    let length = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    // By its announced length, before anything of it is received.
    if length.is_some_and(|length| length > MAX_FORM) {
        return Err(answer::error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The form is too large.",
        ));
    }
    let Form(Fields { code, url }) = Form::<Fields>::from_request(request, &())
        .await
        .map_err(IntoResponse::into_response)?;
    Ok(Submission::Url { code, url })
}

async fn read_multipart(request: Request) -> Result<Submission, Response> {
    let mut parts = Multipart::from_request(request, &())
        .await
        .map_err(IntoResponse::into_response)?;
    let (mut code, mut url, mut file) = (None, None, None);
    while let Some(part) = parts.next_field().await.map_err(IntoResponse::into_response)? {
        match part.name().unwrap_or_default() {
            "code" => code = Some(part.text().await.map_err(IntoResponse::into_response)?),
            "url" => url = Some(part.text().await.map_err(IntoResponse::into_response)?),
            "file" => {
                let name = part.file_name().unwrap_or_default().to_owned();
                file = Some((name, part.bytes().await.map_err(IntoResponse::into_response)?));
            }
            _ => {}
        }
    }
    match (code, url, file) {
        // A browser sends an empty file name when no file was chosen.
        (Some(code), _, Some((name, content))) if !name.is_empty() => {
            Ok(Submission::File { code, name, content })
        }
        (Some(code), Some(url), _) => Ok(Submission::Url { code, url }),
        _ => Err(answer::error(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Please enter a short name, and a URL or a file.",
        )),
    }
}
