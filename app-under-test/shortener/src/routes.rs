//! The routes of the incident, for every release.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{FromRequest, Multipart, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};

use crate::link::{Code, Entry};
use crate::pages;
use crate::release::{Flaw, Keeping, Release};
use crate::signed::Signer;
use crate::store::{Format, Rung, Store, StoreError, Stored};

static RELEASE: HeaderName = HeaderName::from_static("x-release");
static SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");
static SHORT_LINK: HeaderName = HeaderName::from_static("x-short-link");
static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A form's body, at most.
const LONGEST_FORM: usize = 64 << 10;
/// An uploaded file, at most.
const LONGEST_UPLOAD: usize = 1 << 20;
/// How much later the slow release answers.
const SLOWNESS: Duration = Duration::from_millis(400);
/// Links that wait for a healed store, at most.
const MOST_WAITING: usize = 10_000;

/// How a service is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which release it is.
    pub release: Release,
    /// The folder of its store.
    pub store: PathBuf,
    /// The secret of its signed links.
    pub secret: String,
    /// When the release that goes bad later does.
    pub bad_after: Duration,
    /// How long a damaged store is left alone before it is written anew.
    pub heal_after: Duration,
}

/// A running service.
struct Service {
    settings: Settings,
    store: Store,
    signer: Signer,
    started: Instant,
    written: AtomicBool,
    leak: Mutex<Vec<Vec<u8>>>,
    waiting: Mutex<Vec<(Code, Entry)>>,
}

type Shared = State<Arc<Service>>;

/// The routes of a release over its store.
///
/// # Errors
/// When the store cannot be opened.
pub fn router(settings: Settings) -> Result<Router, StoreError> {
    let release = settings.release;
    let format = if release.flaw == Some(Flaw::MigratesStore) {
        Format::Migrated
    } else {
        Format::Original
    };
    let store = Store::open(
        &settings.store,
        release.keeping == Keeping::Durable,
        format,
        settings.heal_after,
    )?;
    let service = Arc::new(Service {
        store,
        signer: Signer::new(&settings.secret),
        started: Instant::now(),
        written: AtomicBool::new(false),
        leak: Mutex::default(),
        waiting: Mutex::default(),
        settings,
    });
    Ok(Router::new()
        .route("/", get(home))
        .route("/your-url", post(your_url).get(|| async { redirect("/") }))
        .route("/api", get(api))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(|| async { "ready\n" }))
        .route("/static/user_files/{name}", get(user_file))
        .route("/{code}", get(follow))
        .fallback(not_found)
        .layer(axum::extract::DefaultBodyLimit::max(
            LONGEST_UPLOAD + LONGEST_FORM,
        ))
        .layer(middleware::from_fn_with_state(Arc::clone(&service), around))
        .with_state(service))
}

/// What every answer carries, and the flaws that show in every answer.
async fn around(State(service): Shared, request: Request, next: Next) -> Response {
    let release = service.settings.release;
    if release.flaw == Some(Flaw::Leaky) {
        service
            .leak
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(vec![1; 2 << 20]);
    }
    let mut response = if release.flaw == Some(Flaw::NeverReady) && request.uri().path() != "/healthz" {
        failed(StatusCode::SERVICE_UNAVAILABLE, "not ready yet")
    } else {
        next.run(request).await
    };
    if release.flaw == Some(Flaw::Slow) {
        wait_for_the_slow_release().await;
    }
    let headers = response.headers_mut();
    headers.insert(RELEASE.clone(), HeaderValue::from_static(release.name));
    headers
        .entry(SERVED_BY.clone())
        .or_insert(HeaderValue::from_static(Rung::Direct.name()));
    response
}

#[expect(clippy::disallowed_methods, reason = "being slow is what this release is for")]
async fn wait_for_the_slow_release() {
    tokio::time::sleep(SLOWNESS).await;
}

fn by(rung: Rung, mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(SERVED_BY.clone(), HeaderValue::from_static(rung.name()));
    response
}

fn failed(status: StatusCode, text: &str) -> Response {
    (
        status,
        Html(pages::error(status.canonical_reason().unwrap_or("Error"), text)),
    )
        .into_response()
}

/// Says why in the log, and nothing of it to the visitor.
fn server_error(what: &str, error: &StoreError) -> Response {
    tracing::error!("{what} failed: {error}");
    failed(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Something went wrong on our side.",
    )
}

fn redirect(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Err(_) => failed(StatusCode::INTERNAL_SERVER_ERROR, "This link leads nowhere."),
    }
}

/// A cookie's value.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies
        .split(';')
        .find_map(|cookie| cookie.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The visitor's own codes, as the cookie keeps them.
fn own_codes(headers: &HeaderMap) -> Vec<String> {
    let codes = cookie(headers, "codes").unwrap_or_default().split('.');
    codes
        .filter(|code| Code::new(code).is_some())
        .map(str::to_owned)
        .collect()
}

async fn home(headers: HeaderMap) -> Response {
    let flash = cookie(&headers, "flash").filter(|flash| *flash == "taken");
    let flash = flash.map(|_| "That short name has already been taken. Please select another name.");
    let mut response = Html(pages::form(flash, &own_codes(&headers))).into_response();
    if flash.is_some() {
        response.headers_mut().append(
            header::SET_COOKIE,
            HeaderValue::from_static("flash=; Max-Age=0; Path=/"),
        );
    }
    response
}

async fn api(headers: HeaderMap) -> Json<Vec<String>> {
    Json(own_codes(&headers))
}

async fn not_found() -> Response {
    failed(StatusCode::NOT_FOUND, "There is nothing here.")
}

async fn follow(State(service): Shared, Path(code): Path<String>) -> Response {
    let wrong = service.settings.release.flaw == Some(Flaw::WrongRedirect);
    let to = |entry: &Entry| {
        if wrong {
            "https://example.com/wrong".to_owned()
        } else {
            entry.location()
        }
    };
    if let Some(token) = code.strip_prefix('~') {
        return match service
            .signer
            .verify(token)
            .filter(|_| service.settings.release.keeping == Keeping::Durable)
        {
            Some((_, entry)) => by(Rung::SignedLink, redirect(&to(&entry))),
            None => not_found().await,
        };
    }
    let Some(code) = Code::new(&code) else {
        return not_found().await;
    };
    match service.store.get(&code).await {
        Ok((Some(entry), rung)) => by(rung, redirect(&to(&entry))),
        Ok((None, rung)) => by(rung, not_found().await),
        Err(error) => server_error(&format!("GET /{}", code.as_str()), &error),
    }
}

async fn user_file(State(service): Shared, Path(name): Path<String>) -> Response {
    let Some(Entry::File(safe)) = Entry::file(&name).filter(|entry| *entry == Entry::File(name.clone()))
    else {
        return not_found().await;
    };
    match tokio::fs::read(service.settings.store.join("user_files").join(safe)).await {
        Ok(content) => (
            [
                (header::CONTENT_TYPE, "application/octet-stream"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ],
            content,
        )
            .into_response(),
        Err(_) => not_found().await,
    }
}

#[derive(serde::Deserialize)]
struct Fields {
    code: String,
    url: String,
}

/// What a visitor asks for: a code, and a URL or a file.
enum Wish {
    Url(String, String),
    File(String, String, axum::body::Bytes),
}

async fn wish(request: Request) -> Result<Wish, Response> {
    let multipart = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/"));
    if !multipart {
        let long = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        if long.is_some_and(|length: usize| length > LONGEST_FORM) {
            return Err(failed(StatusCode::PAYLOAD_TOO_LARGE, "That is too long."));
        }
        let Form(fields) = Form::<Fields>::from_request(request, &())
            .await
            .map_err(IntoResponse::into_response)?;
        return Ok(Wish::Url(fields.code, fields.url));
    }
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
        (Some(code), _, Some((name, content))) if !name.is_empty() => Ok(Wish::File(code, name, content)),
        (Some(code), Some(url), _) => Ok(Wish::Url(code, url)),
        _ => Err(failed(
            StatusCode::UNPROCESSABLE_ENTITY,
            "A short name, and a URL or a file, are needed.",
        )),
    }
}

async fn your_url(State(service): Shared, request: Request) -> Response {
    let key = request
        .headers()
        .get(&IDEMPOTENCY_KEY)
        .and_then(|key| key.to_str().ok())
        .map(str::to_owned);
    let own = own_codes(request.headers());
    let wish = match wish(request).await {
        Ok(wish) => wish,
        Err(refusal) => return refusal,
    };
    let refused = || {
        failed(
            StatusCode::UNPROCESSABLE_ENTITY,
            "That is no short name, or no web address.",
        )
    };
    let (code, entry) = match wish {
        Wish::Url(code, url) => (Code::new(code.trim()), Entry::url(&url)),
        Wish::File(code, name, content) => match Code::new(code.trim()) {
            Some(code) => match keep_file(&service, &code, &name, &content).await {
                Ok(entry) => (Some(code), entry),
                Err(error) => return server_error("POST /your-url", &error),
            },
            None => (None, None),
        },
    };
    let (Some(code), Some(entry)) = (code, entry) else {
        return refused();
    };
    store(&service, code, entry, key, own).await
}

/// Uploaded files lie beside the store, named after their code.
async fn keep_file(
    service: &Service,
    code: &Code,
    name: &str,
    content: &[u8],
) -> Result<Option<Entry>, StoreError> {
    let Some(Entry::File(name)) = Entry::file(&format!("{}{name}", code.as_str())) else {
        return Ok(None);
    };
    if matches!(service.store.get(code).await, Ok((Some(_), _))) {
        // The code is somebody's already: storing will say so, and their file stays as it is.
        return Ok(Some(Entry::File(name)));
    }
    let folder = service.settings.store.join("user_files");
    let path = folder.join(&name);
    let write = async {
        tokio::fs::create_dir_all(&folder).await?;
        tokio::fs::write(&path, content).await
    };
    write.await.map_err(|source| StoreError::File {
        operation: "write",
        path: path.clone(),
        source,
    })?;
    Ok(Some(Entry::File(name)))
}

async fn store(
    service: &Service,
    code: Code,
    entry: Entry,
    key: Option<String>,
    own: Vec<String>,
) -> Response {
    let release = service.settings.release;
    if release.flaw == Some(Flaw::BadAfterFirstWrite) && service.written.load(Ordering::Relaxed) {
        tracing::error!("POST /your-url failed: the pool of writers is exhausted");
        return failed(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something went wrong on our side.",
        );
    }
    let expired = service.started.elapsed() >= service.settings.bad_after;
    if release.flaw == Some(Flaw::BadLater) && expired {
        tracing::error!("POST /your-url failed: the connection to the journal has timed out");
        return failed(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something went wrong on our side.",
        );
    }
    let wrong = release.wrong_loader(service.started.elapsed(), service.settings.bad_after);
    match service.store.put(code.clone(), entry.clone(), key, wrong).await {
        Ok(Stored::Yes(rung)) => {
            service.written.store(true, Ordering::Relaxed);
            take_in(service).await;
            created(rung, &format!("/{}", code.as_str()), own, &code)
        }
        Ok(Stored::Taken) => {
            let mut response = redirect("/");
            response.headers_mut().append(
                header::SET_COOKIE,
                HeaderValue::from_static("flash=taken; Max-Age=60; Path=/; HttpOnly"),
            );
            response
        }
        Err(error) => signed_instead(service, code, entry, &error, own),
    }
}

/// Nothing can be stored: the user still gets what they came for, in a different way.
fn signed_instead(
    service: &Service,
    code: Code,
    entry: Entry,
    error: &StoreError,
    own: Vec<String>,
) -> Response {
    let signed = match (&entry, service.settings.release.keeping) {
        (Entry::Url(url), Keeping::Durable) => service.signer.sign(&code, url),
        _ => None,
    };
    let Some(link) = signed else {
        return server_error("POST /your-url", error);
    };
    tracing::error!("POST /your-url could not store, a signed link was given: {error}");
    let response = created(Rung::SignedLink, &link, own, &code);
    let mut waiting = service.waiting.lock().unwrap_or_else(PoisonError::into_inner);
    if waiting.len() < MOST_WAITING {
        waiting.push((code, entry));
    }
    response
}

/// Links that were given out signed are stored under the code that was wished for, once that works again. The signed
/// link goes on working.
async fn take_in(service: &Service) {
    let waiting = std::mem::take(&mut *service.waiting.lock().unwrap_or_else(PoisonError::into_inner));
    for (code, entry) in waiting {
        if let Err(error) = service.store.put(code.clone(), entry, None, false).await {
            tracing::error!(
                "taking in /{} failed, its signed link goes on working: {error}",
                code.as_str()
            );
        }
    }
}

fn created(rung: Rung, link: &str, mut own: Vec<String>, code: &Code) -> Response {
    own.push(code.as_str().to_owned());
    let own = own.split_off(own.len().saturating_sub(50));
    let mut response = by(rung, Html(pages::created(link)).into_response());
    let headers = response.headers_mut();
    if let Ok(link) = HeaderValue::from_str(link) {
        headers.insert(SHORT_LINK.clone(), link);
    }
    if let Ok(cookie) = HeaderValue::from_str(&format!(
        "codes={}; Max-Age=31536000; Path=/; HttpOnly",
        own.join(".")
    )) {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}
