//! The admin listener, for the deployment pipeline and for operators. It has an address of its own, and every route except
//! the health checks needs the token.

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::config::{Placed, Secret};
use crate::control::Control;
use crate::event::Record;
use crate::pipeline::{Done, Pipeline, Refused};
use crate::proxy::Proxy;
use crate::upstream::Upstream;

/// What the routes work on.
pub struct Admin<U> {
    /// Which release is live.
    pub control: Arc<Control<U>>,
    /// The operations.
    pub pipeline: Pipeline<U>,
    /// The proxy, for its counters.
    pub proxy: Arc<Proxy<U>>,
}

/// The admin routes. `/healthz` and `/readyz` need no token.
pub fn router<U: Upstream>(admin: Admin<U>, token: Secret) -> Router {
    let token = Arc::new(token);
    Router::new()
        .route("/status", get(status))
        .route("/events", get(events))
        .route("/releases", post(register))
        .route("/releases/{release}/promote", post(promote))
        .route("/rollback", post(rollback))
        .route_layer(middleware::from_fn_with_state(token, authorised))
        // After the layer, which applies to the routes before it: health checks have no token.
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(|| async { "ready\n" }))
        .with_state(Arc::new(admin))
}

/// Compares in constant time: the time of an answer must not reveal how much of a guess is right.
async fn authorised(State(token): State<Arc<Secret>>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
        .unwrap_or_default();
    // In constant time: the time of an answer must not tell how much of a guess was right.
    if bool::from(given.ct_eq(token.expose().as_bytes())) {
        return next.run(request).await;
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    let body = json!({ "error": "the admin token is missing or wrong" });
    (StatusCode::UNAUTHORIZED, challenge, Json(body)).into_response()
}

type Shared<U> = State<Arc<Admin<U>>>;

async fn status<U: Upstream>(State(admin): Shared<U>) -> Response {
    let state = admin.control.state();
    Json(json!({
        "live": state.live,
        "standby": state.standby,
        "watched_since": state.watched_since,
        "releases": state.releases,
        "last_event": state.events.last(),
        "counts": admin.proxy.counts(),
    }))
    .into_response()
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn events<U: Upstream>(
    State(admin): Shared<U>,
    Query(After { after }): Query<After>,
) -> Json<Vec<Record>> {
    let events = admin.control.state().events;
    Json(events.into_iter().filter(|event| event.number > after).collect())
}

async fn register<U: Upstream>(State(admin): Shared<U>, Json(new): Json<Placed>) -> Response {
    answer(admin.pipeline.register(new).await)
}

async fn promote<U: Upstream>(State(admin): Shared<U>, Path(release): Path<String>) -> Response {
    answer(admin.pipeline.promote(&release).await)
}

async fn rollback<U: Upstream>(State(admin): Shared<U>) -> Response {
    answer(admin.pipeline.roll_back().await)
}

fn answer(result: Result<Done, Refused>) -> Response {
    let refused = match result {
        Ok(done) => return Json(done).into_response(),
        Err(refused) => refused,
    };
    let status = match &refused {
        Refused::NoSuchSlot(_) | Refused::NotRegistered(_) => StatusCode::NOT_FOUND,
        Refused::Rejected { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Refused::State(_) => StatusCode::INTERNAL_SERVER_ERROR,
        Refused::Busy
        | Refused::SlotIsLive(_)
        | Refused::Watched(_)
        | Refused::NotPassed { .. }
        | Refused::NoWayBack => StatusCode::CONFLICT,
    };
    let mut body = json!({ "error": refused.to_string() });
    if let Refused::Rejected {
        undecided, evidence, ..
    } = refused
    {
        body["undecided"] = undecided.into();
        body["evidence"] = evidence.into();
    }
    (status, Json(body)).into_response()
}
