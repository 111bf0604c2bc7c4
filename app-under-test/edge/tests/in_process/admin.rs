//! The admin listener requires the token and gives the reason of a rejection.

use crate::common::{Behaviour, Edge, behaviour, edge, release};
use axum::body::Body;
use edge::admin::{Admin, router};
use edge::config::Secret;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

fn admin_router(more: &str) -> axum::Router {
    let Edge {
        control,
        proxy,
        pipeline,
        folder,
        ..
    } = edge(
        release("old", behaviour(Behaviour::Answers(200))),
        release("new", behaviour(Behaviour::Answers(200))),
        more,
    );
    // Outlives the test's process by nothing that matters.
    std::mem::forget(folder);
    let admin = Admin {
        control,
        pipeline,
        proxy,
    };
    router(admin, Secret::new("open sesame"))
}

async fn ask(
    router: &axum::Router,
    method: &str,
    path: &str,
    token: &str,
    body: &str,
) -> (StatusCode, serde_json::Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", token)
        .header("content-type", "application/json");
    let answer = router
        .clone()
        .oneshot(request.body(Body::from(body.to_owned())).unwrap())
        .await
        .unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

const RIGHT: &str = "Bearer open sesame";

#[tokio::test]
async fn requests_without_the_right_token_are_refused() {
    let router = admin_router("");
    for token in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer open",
        "Bearer open sesame!",
        "Basic open sesame",
        "open sesame",
    ] {
        for (method, path) in [
            ("GET", "/status"),
            ("GET", "/events"),
            ("POST", "/releases"),
            ("POST", "/releases/new/promote"),
            ("POST", "/rollback"),
        ] {
            let (status, said) = ask(&router, method, path, token, "{}").await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path} with {token:?}");
            assert!(!said.to_string().contains("blue"));
        }
    }
    assert_eq!(ask(&router, "GET", "/status", RIGHT, "").await.0, StatusCode::OK);
}

#[tokio::test]
async fn health_checks_need_no_token() {
    let router = admin_router("");
    assert_eq!(ask(&router, "GET", "/healthz", "", "").await.0, StatusCode::OK);
    assert_eq!(ask(&router, "GET", "/readyz", "", "").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_release_is_promoted_in_two_requests_and_every_decision_is_listed() {
    let router = admin_router("");
    let new = r#"{"release": "new", "slot": "green"}"#;
    let (status, done) = ask(&router, "POST", "/releases", RIGHT, new).await;
    assert_eq!((status, &done["stage"]), (StatusCode::OK, &"passed".into()));
    let (status, _) = ask(&router, "POST", "/releases/new/promote", RIGHT, "").await;
    assert_eq!(status, StatusCode::OK);
    let (_, now) = ask(&router, "GET", "/status", RIGHT, "").await;
    assert_eq!(now["live"]["release"], "new");
    let (_, events) = ask(&router, "GET", "/events?after=1", RIGHT, "").await;
    let kinds: Vec<&str> = events
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["registered", "gate-skipped", "gate-skipped", "promoted"]);
}

#[tokio::test]
async fn a_rejection_contains_its_evidence() {
    let router = admin_router("unit.command = [\"/bin/sh\", \"-c\", \"echo FAIL the new link; exit 1\"]");
    let new = r#"{"release": "new", "slot": "green"}"#;
    let (status, said) = ask(&router, "POST", "/releases", RIGHT, new).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(said["evidence"][0], "FAIL the new link");
    let (status, _) = ask(&router, "POST", "/releases/new/promote", RIGHT, "").await;
    assert_eq!(status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_rollback_without_a_last_working_release_is_refused() {
    let (status, _) = ask(&admin_router(""), "POST", "/rollback", RIGHT, "").await;
    assert_eq!(status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_release_name_that_leads_out_of_a_folder_is_refused() {
    let router = admin_router("");
    let new = r#"{"release": "../../x", "slot": "green"}"#;
    let (status, _) = ask(&router, "POST", "/releases", RIGHT, new).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}
