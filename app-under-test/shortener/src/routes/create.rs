//! `POST /your-url`: stores a link or a file, or gives a signed link when nothing can be stored.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;

use super::answer::{self, created, internal_error, visitor_codes};
use super::form::{self, Submission};
use super::{Service, Shared};
use crate::link::{Code, LinkTarget};
use crate::release::{Flaw, StoreKind};
use crate::store::{PutResult, Rung, StoreError, uploads};

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Links that wait for the store to work again; further ones remain signed links only.
const MAX_WAITING: usize = 10_000;

/// A checked request for a link.
struct NewLink {
    code: Code,
    to: LinkTarget,
    key: Option<String>,
    /// The codes of the visitor's other links.
    codes: Vec<String>,
}

pub(super) async fn create(State(service): Shared, request: Request) -> Response {
    let key = request
        .headers()
        .get(&IDEMPOTENCY_KEY)
        .and_then(|key| key.to_str().ok())
        .map(str::to_owned);
    let codes = visitor_codes(request.headers());
    let submission = match service.settings.release.store {
        StoreKind::Naive => form::read(request).await,
        StoreKind::Durable => form::read_in_time(request).await,
    };
    let checked = match submission {
        Ok(submission) => check(&service, submission).await,
        Err(refusal) => return refusal,
    };
    match checked {
        Ok(Some((code, to))) => store(&service, NewLink { code, to, key, codes }).await,
        Ok(None) => answer::error(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The short name or the web address is invalid.",
        ),
        Err(error) => internal_error("POST /your-url", &error),
    }
}

/// Checks a code and a URL, or saves a file; `None` when they are invalid.
async fn check(service: &Service, submission: Submission) -> Result<Option<(Code, LinkTarget)>, StoreError> {
    match submission {
        Submission::Url { code, url } => Ok(Code::new(code.trim()).zip(LinkTarget::url(&url))),
        Submission::File { code, name, content } => {
            let Some(code) = Code::new(code.trim()) else {
                return Ok(None);
            };
            let to = save_file(service, &code, &name, content).await?;
            Ok(to.map(|to| (code, to)))
        }
    }
}

/// Saves an uploaded file, unless its code is taken.
async fn save_file(
    service: &Service,
    code: &Code,
    name: &str,
    content: axum::body::Bytes,
) -> Result<Option<LinkTarget>, StoreError> {
    let naive = service.settings.release.store == StoreKind::Naive;
    let target = if naive {
        LinkTarget::file(&format!("{}{name}", code.as_str()))
    } else {
        uploads::target(code, name, &content)
    };
    let Some(LinkTarget::File(name)) = target else {
        return Ok(None);
    };
    if matches!(service.store.get(code).await, Ok((Some(_), _))) {
        // Storing the link will report that the code is taken.
        return Ok(Some(LinkTarget::File(name)));
    }
    let (folder, path_name) = (service.settings.store.clone(), name.clone());
    let save = if naive {
        uploads::save_naively
    } else {
        uploads::save
    };
    // Before the link is stored: a link must not lead to a file that is not there.
    let saved = tokio::task::spawn_blocking(move || save(&folder, &path_name, &content));
    saved.await.map_err(|_| StoreError::Closed)??;
    Ok(Some(LinkTarget::File(name)))
}

async fn store(service: &Service, new: NewLink) -> Response {
    let release = service.settings.release;
    if let Some(response) = flawed(service) {
        return response;
    }
    let wrong_loader = release.wrong_loader(service.started.elapsed(), service.settings.bad_after);
    let (code, to) = (new.code.clone(), new.to.clone());
    match service.store.put(code, to, new.key, wrong_loader).await {
        Ok(PutResult::Stored(rung)) => {
            service.written.store(true, Ordering::Relaxed);
            // The store works again: links that were given out as signed ones can be stored now.
            store_waiting(service).await;
            created(rung, &format!("/{}", new.code.as_str()), new.codes, &new.code)
        }
        Ok(PutResult::Taken) => answer::taken(),
        Ok(PutResult::KeyReused) => answer::error(
            StatusCode::UNPROCESSABLE_ENTITY,
            "This idempotency key was used for another link.",
        ),
        Err(error) => signed_link(service, new.code, new.to, &error, new.codes),
    }
}

/// The failures of the releases that go bad after their first write, or after some time.
fn flawed(service: &Service) -> Option<Response> {
    let release = service.settings.release;
    let expired = service.started.elapsed() >= service.settings.bad_after;
    let cause = match release.flaw {
        Some(Flaw::BadAfterFirstWrite) if service.written.load(Ordering::Relaxed) => {
            "the pool of writers is exhausted"
        }
        Some(Flaw::BadLater) if expired => "the connection to the journal has timed out",
        _ => return None,
    };
    tracing::error!("POST /your-url failed: {cause}");
    Some(answer::error(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Something went wrong on our side. Please try again.",
    ))
}

/// When nothing can be stored, the visitor gets a signed link, which works without the store.
fn signed_link(
    service: &Service,
    code: Code,
    to: LinkTarget,
    cause: &StoreError,
    codes: Vec<String>,
) -> Response {
    let signed = match (&to, service.settings.release.store) {
        // A file does not fit into a link.
        (LinkTarget::Url(url), StoreKind::Durable) => service.signer.sign(&code, url),
        _ => None,
    };
    let Some(link) = signed else {
        return internal_error("POST /your-url", cause);
    };
    tracing::error!("POST /your-url: cannot store the link, gave a signed one: {cause}");
    let response = created(Rung::SignedLink, &link, codes, &code);
    let mut waiting = service.waiting.lock().unwrap_or_else(PoisonError::into_inner);
    // Beyond the limit the link stays a signed one, which works without the store.
    if waiting.len() < MAX_WAITING {
        waiting.push((code, to));
    }
    response
}

/// Once the store works again, links that were given out signed are stored under their codes. The signed links continue
/// to work.
async fn store_waiting(service: &Service) {
    let waiting = std::mem::take(&mut *service.waiting.lock().unwrap_or_else(PoisonError::into_inner));
    for (code, to) in waiting {
        if let Err(error) = service.store.put(code.clone(), to, None, false).await {
            tracing::error!(
                "cannot store /{}, which was given out as a signed link: {error}",
                code.as_str()
            );
        }
    }
}
