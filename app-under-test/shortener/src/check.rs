//! A release's own checks, which the unit gate runs. They use a store with links, like production's; on request an empty
//! store, to show what that misses.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use tower::ServiceExt;

use crate::release::{Flaw, Release};
use crate::routes::{Settings, router};
use crate::store::FILE;

/// The result of one check.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was expected.
    pub what: &'static str,
    /// What happened instead; `None` when the check passed.
    pub wrong: Option<String>,
}

fn finding(what: &'static str, passed: bool, seen: impl std::fmt::Display) -> Finding {
    Finding {
        what,
        wrong: (!passed).then(|| format!("{seen}")),
    }
}

/// The only test of the incident's pipeline. It tests a greeting and passes for every release.
pub fn greeting() -> Vec<Finding> {
    let greeting = format!("Hello {}", "World");
    vec![finding(
        "the greeting is right",
        greeting == "Hello World",
        greeting,
    )]
}

/// A later answer fails its check.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(300);

/// Runs the checks of a release in a temporary folder.
///
/// # Errors
/// When the temporary folder cannot be used.
pub async fn check(release: Release, empty: bool) -> std::io::Result<Vec<Finding>> {
    let folder = tempfile::tempdir()?;
    if !empty {
        std::fs::write(
            folder.path().join(FILE),
            r#"{"go": {"url": "http://google.com"}, "nike": {"url": "http://nike.com"}}"#,
        )?;
    }
    if release.flaw == Some(Flaw::CrashOnStart) {
        return Ok(vec![finding("it starts", false, "it exits at its start")]);
    }
    let settings = Settings {
        release,
        store: folder.path().to_owned(),
        secret: "secret of the checks".into(),
        bad_after: Duration::from_secs(3600),
        heal_after: Duration::from_secs(1),
    };
    let router = router(settings).map_err(std::io::Error::other)?;
    let get = |path: &str| Request::get(path).body(Body::empty());
    let post = |code: &str| {
        let form = format!("code={code}&url=https%3A%2F%2Fexample.org%2F{code}");
        Request::post("/your-url")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form))
    };
    let ask = async |request: Result<Request<Body>, axum::http::Error>| {
        let asked = tokio::time::timeout(
            ANSWER_TIMEOUT,
            router.clone().oneshot(request.map_err(std::io::Error::other)?),
        )
        .await;
        Ok::<_, std::io::Error>(match asked {
            Ok(Ok(answer)) => {
                let location = answer
                    .headers()
                    .get(header::LOCATION)
                    .and_then(|to| to.to_str().ok());
                (
                    answer.status(),
                    location.unwrap_or_default().to_owned(),
                    answer.headers().contains_key("x-short-link"),
                )
            }
            Ok(Err(never)) => match never {},
            Err(_) => (StatusCode::REQUEST_TIMEOUT, String::new(), false),
        })
    };
    let mut findings = Vec::new();
    let (ready, ..) = ask(get("/readyz")).await?;
    findings.push(finding("it becomes ready", ready == 200, ready));
    let (page, ..) = ask(get("/")).await?;
    findings.push(finding("the form page answers 200", page == 200, page));
    if !empty {
        let (status, to, _) = ask(get("/nike")).await?;
        findings.push(finding(
            "a known link leads to its address",
            status == 302 && to == "http://nike.com",
            format!("{status} {to}"),
        ));
    }
    let (status, _, link) = ask(post("check-1")).await?;
    findings.push(finding("a new link can be stored", status == 200 && link, status));
    let (status, to, _) = ask(get("/check-1")).await?;
    findings.push(finding(
        "a new link leads to its address",
        status == 302 && to == "https://example.org/check-1",
        format!("{status} {to}"),
    ));
    Ok(findings)
}
