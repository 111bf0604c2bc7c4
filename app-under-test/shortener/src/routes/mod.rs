//! The routes of the service, for every release.

mod answer;
mod create;
mod form;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use crate::link::{Code, LinkTarget};
use crate::pages;
use crate::release::{Flaw, Release, StoreKind};
use crate::signed::Signer;
use crate::store::{Format, Rung, Store, StoreError, uploads};
use answer::{SERVED_BY, cookie, internal_error, not_found, redirect, served_by, visitor_codes};

static RELEASE: HeaderName = HeaderName::from_static("x-release");

/// The largest uploaded file, in bytes.
const MAX_UPLOAD: usize = 1 << 20;
/// The additional time of the slow release for each answer.
const SLOWNESS: Duration = Duration::from_millis(400);

/// How a service is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The release.
    pub release: Release,
    /// The folder of its store.
    pub store: PathBuf,
    /// The secret of its signed links.
    pub secret: String,
    /// When the releases that go bad later do so.
    pub bad_after: Duration,
    /// How long a damaged store stays damaged before it is written anew.
    pub heal_after: Duration,
}

/// A running service.
struct Service {
    settings: Settings,
    store: Store,
    signer: Signer,
    started: Instant,
    /// Whether a link was stored since the start.
    written: AtomicBool,
    /// The memory of the leaky release.
    leak: Mutex<Vec<Vec<u8>>>,
    /// Links that could not be stored and were given out signed.
    waiting: Mutex<Vec<(Code, LinkTarget)>>,
}

type Shared = State<Arc<Service>>;

/// The routes of a release, on its store.
///
/// # Errors
/// When the store cannot be opened.
pub fn router(settings: Settings) -> Result<Router, StoreError> {
    Ok(service(settings)?.0)
}

/// The same, with the store, which should be closed when the service ends.
///
/// # Errors
/// When the store cannot be opened.
pub fn service(settings: Settings) -> Result<(Router, Store), StoreError> {
    let release = settings.release;
    let format = if release.flaw == Some(Flaw::MigratesStore) {
        Format::Migrated
    } else {
        Format::Original
    };
    let durable = release.store == StoreKind::Durable;
    let store = Store::open(&settings.store, durable, format, settings.heal_after)?;
    let service = Arc::new(Service {
        store: store.clone(),
        signer: Signer::new(&settings.secret),
        started: Instant::now(),
        written: AtomicBool::new(false),
        leak: Mutex::default(),
        waiting: Mutex::default(),
        settings,
    });
    let router = Router::new()
        .route("/", get(home))
        .route("/your-url", post(create::create).get(|| async { redirect("/") }))
        .route("/api", get(api))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(|| async { "ready\n" }))
        .route("/static/user_files/{name}", get(user_file))
        .route("/{code}", get(follow))
        .fallback(|| async { not_found() })
        .layer(axum::extract::DefaultBodyLimit::max(MAX_UPLOAD + form::MAX_FORM))
        .layer(middleware::from_fn_with_state(Arc::clone(&service), around))
        .with_state(service);
    Ok((router, store))
}

/// Adds the headers of every answer, and the flaws that affect every answer.
async fn around(State(service): Shared, request: Request, next: Next) -> Response {
    let release = service.settings.release;
    if release.flaw == Some(Flaw::Leaky) {
        service
            .leak
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(vec![1; 2 << 20]);
    }
    // It is alive and never ready, as a service that waits for another one.
    let mut response = if release.flaw == Some(Flaw::NeverReady) && request.uri().path() != "/healthz" {
        answer::error(StatusCode::SERVICE_UNAVAILABLE, "The service is not ready yet.")
    } else {
        next.run(request).await
    };
    if release.flaw == Some(Flaw::Slow) {
        be_slow().await;
    }
    let headers = response.headers_mut();
    headers.insert(RELEASE.clone(), HeaderValue::from_static(release.name));
    headers
        .entry(SERVED_BY.clone())
        // A route that used the store has named its rung.
        .or_insert(HeaderValue::from_static(Rung::Direct.name()));
    response
}

#[expect(clippy::disallowed_methods, reason = "this release exists to be slow")]
async fn be_slow() {
    tokio::time::sleep(SLOWNESS).await;
}

async fn home(headers: HeaderMap) -> Response {
    let taken = cookie(&headers, "flash") == Some("taken");
    let message = "This short name has already been taken. Please choose another one.";
    let page = pages::form(taken.then_some(message), &visitor_codes(&headers));
    let mut response = Html(page).into_response();
    if taken {
        // The message is shown once.
        response.headers_mut().append(
            header::SET_COOKIE,
            HeaderValue::from_static("flash=; Max-Age=0; Path=/"),
        );
    }
    response
}

async fn api(headers: HeaderMap) -> Json<Vec<String>> {
    Json(visitor_codes(&headers))
}

async fn follow(State(service): Shared, Path(code): Path<String>) -> Response {
    let release = service.settings.release;
    let location = |to: &LinkTarget| {
        if release.flaw == Some(Flaw::WrongRedirect) {
            "https://example.com/wrong".to_owned()
        } else {
            to.location()
        }
    };
    if let Some(token) = code.strip_prefix('~') {
        let signed = service.signer.verify(token);
        // The naive releases are older than signed links.
        return match signed.filter(|_| release.store == StoreKind::Durable) {
            Some((_, to)) => served_by(Rung::SignedLink, redirect(&location(&to))),
            None => not_found(),
        };
    }
    let Some(code) = Code::new(&code) else {
        return not_found();
    };
    match service.store.get(&code).await {
        Ok((Some(to), rung)) => served_by(rung, redirect(&location(&to))),
        Ok((None, rung)) => served_by(rung, not_found()),
        Err(error) => internal_error(&format!("GET /{}", code.as_str()), &error),
    }
}

async fn user_file(State(service): Shared, Path(name): Path<String>) -> Response {
    if !LinkTarget::is_file_name(&name) {
        return not_found();
    }
    match tokio::fs::read(uploads::folder(&service.settings.store).join(name)).await {
        Ok(content) => {
            // A browser must download it, not run it as a page of this site.
            let headers = [
                (header::CONTENT_TYPE, "application/octet-stream"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, content).into_response()
        }
        Err(_) => not_found(),
    }
}
