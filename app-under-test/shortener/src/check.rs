//! A release's own checks, which the unit gate runs. They use a store with links, like production's; on request an empty
//! store, to show what that misses.

use std::time::Duration;

use axum::Router;
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
        // Longer than the checks take: releases that fail later exist to pass them.
        bad_after: Duration::from_secs(3600),
        heal_after: Duration::from_secs(1),
    };
    let subject = Subject(router(settings).map_err(std::io::Error::other)?);
    let mut findings = Vec::new();
    let ready = subject.get("/readyz").await?.status;
    findings.push(finding("it becomes ready", ready == 200, ready));
    let page = subject.get("/").await?.status;
    findings.push(finding("the form page answers 200", page == 200, page));
    if !empty {
        let known = subject.get("/nike").await?;
        findings.push(known.leads_to("a known link leads to its address", "http://nike.com"));
    }
    let stored = subject.store("check-1").await?;
    let right = stored.status == 200 && stored.has_link;
    findings.push(finding("a new link can be stored", right, stored.status));
    let new = subject.get("/check-1").await?;
    findings.push(new.leads_to("a new link leads to its address", "https://example.org/check-1"));
    Ok(findings)
}

/// The release that is checked.
struct Subject(Router);

/// What the checks look at in an answer.
struct Answer {
    status: StatusCode,
    location: String,
    has_link: bool,
}

impl Answer {
    fn leads_to(&self, what: &'static str, address: &str) -> Finding {
        let right = self.status == 302 && self.location == address;
        finding(what, right, format!("{} {}", self.status, self.location))
    }
}

impl Subject {
    async fn get(&self, path: &str) -> std::io::Result<Answer> {
        self.ask(Request::get(path).body(Body::empty())).await
    }

    async fn store(&self, code: &str) -> std::io::Result<Answer> {
        let form = format!("code={code}&url=https%3A%2F%2Fexample.org%2F{code}");
        let request = Request::post("/your-url")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form));
        self.ask(request).await
    }

    async fn ask(&self, request: Result<Request<Body>, axum::http::Error>) -> std::io::Result<Answer> {
        let request = request.map_err(std::io::Error::other)?;
        let asked = tokio::time::timeout(ANSWER_TIMEOUT, self.0.clone().oneshot(request));
        Ok(match asked.await {
            Ok(Ok(answer)) => Answer {
                status: answer.status(),
                location: answer
                    .headers()
                    .get(header::LOCATION)
                    .and_then(|to| to.to_str().ok())
                    .unwrap_or_default()
                    .to_owned(),
                has_link: answer.headers().contains_key("x-short-link"),
            },
            Ok(Err(never)) => match never {},
            // A release that is too slow fails like one that does not answer.
            Err(_) => Answer {
                status: StatusCode::REQUEST_TIMEOUT,
                location: String::new(),
                has_link: false,
            },
        })
    }
}
