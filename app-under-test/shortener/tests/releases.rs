//! The answers of each release: the incident reproduced by v1 and v2, and the fallbacks of v3.

#![expect(clippy::unwrap_used, reason = "test helpers outside of test functions")]

use std::path::Path;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use shortener::release::{RELEASES, Release};
use shortener::routes::{Settings, router};
use tower::ServiceExt;

/// A store like production's.
const LINKS: &str = r#"{"go": {"url": "http://google.com"}, "nike": {"url": "http://nike.com"}, "house": {"file": "house67.jpg"}}"#;

struct Service {
    router: axum::Router,
    folder: tempfile::TempDir,
}

fn service_on(folder: tempfile::TempDir, release: &str) -> Service {
    let settings = Settings {
        release: Release::named(release).unwrap(),
        store: folder.path().to_owned(),
        secret: "for tests".into(),
        bad_after: Duration::ZERO,
        heal_after: Duration::from_secs(3600),
    };
    Service {
        router: router(settings).unwrap(),
        folder,
    }
}

fn service(release: &str) -> Service {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("urls.json"), LINKS).unwrap();
    service_on(folder, release)
}

impl Service {
    fn store(&self) -> std::path::PathBuf {
        self.folder.path().join("urls.json")
    }

    async fn ask(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> (StatusCode, HeaderMap) {
        let answer = self.ask(Request::get(path).body(Body::empty()).unwrap()).await;
        (answer.status(), answer.headers().clone())
    }

    /// The content of an uploaded file.
    async fn download(&self, code: &str) -> String {
        let (_, headers) = self.get(&format!("/{code}")).await;
        let request = Request::get(text(&headers, "location")).body(Body::empty());
        let body = self.ask(request.unwrap()).await.into_body();
        String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap()
    }

    async fn shorten(&self, code: &str, url: &str) -> (StatusCode, HeaderMap, String) {
        self.shorten_keyed(code, url, None).await
    }

    async fn shorten_keyed(
        &self,
        code: &str,
        url: &str,
        key: Option<&str>,
    ) -> (StatusCode, HeaderMap, String) {
        let mut request =
            Request::post("/your-url").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = self
            .ask(
                request
                    .body(Body::from(format!("code={code}&url={url}")))
                    .unwrap(),
            )
            .await;
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        (
            head.status,
            head.headers,
            String::from_utf8_lossy(&body).into_owned(),
        )
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn every_answer_names_its_release_and_its_source() {
    for release in RELEASES {
        let service = service(release.name);
        for path in [
            "/",
            "/nike",
            "/nothing",
            "/api",
            "/healthz",
            "/readyz",
            "/static/user_files/none",
        ] {
            let (_, headers) = service.get(path).await;
            assert_eq!(text(&headers, "x-release"), release.name, "{path}");
            assert_ne!(text(&headers, "x-served-by"), "", "{path}");
        }
    }
}

#[tokio::test]
async fn v1_answers_as_in_the_incident() {
    let v1 = service("v1");
    assert_eq!(v1.get("/").await.0, 200);
    let (status, headers) = v1.get("/nike").await;
    assert_eq!(
        (status.as_u16(), text(&headers, "location")),
        (302, "http://nike.com")
    );
    let (status, headers) = v1.get("/house").await;
    assert_eq!(
        (status.as_u16(), text(&headers, "location")),
        (302, "/static/user_files/house67.jpg")
    );
    assert_eq!(v1.get("/nothing").await.0, 404);
    let (status, headers, page) = v1.shorten("new", "https%3A%2F%2Fnew.example%2F").await;
    assert_eq!((status.as_u16(), text(&headers, "x-short-link")), (200, "/new"));
    assert!(page.contains("href=\"/new\""), "{page}");
    assert_eq!(text(&v1.get("/new").await.1, "location"), "https://new.example/");
    let written: serde_json::Value = serde_json::from_slice(&std::fs::read(v1.store()).unwrap()).unwrap();
    assert_eq!(
        written["new"],
        serde_json::json!({ "url": "https://new.example/" })
    );
    assert_eq!(written["house"], serde_json::json!({ "file": "house67.jpg" }));
}

#[tokio::test]
async fn a_taken_code_shows_a_message_and_its_link_stays() {
    for release in ["v1", "v3"] {
        let service = service(release);
        let (status, headers, _) = service.shorten("nike", "http%3A%2F%2Fother.example").await;
        assert_eq!(
            (status.as_u16(), text(&headers, "location")),
            (302, "/"),
            "{release}"
        );
        assert!(
            text(&headers, "set-cookie").starts_with("flash=taken"),
            "{release}"
        );
        assert_eq!(text(&service.get("/nike").await.1, "location"), "http://nike.com");
        let request = Request::get("/")
            .header(header::COOKIE, "flash=taken")
            .body(Body::empty())
            .unwrap();
        let page = to_bytes(service.ask(request).await.into_body(), 1 << 20)
            .await
            .unwrap();
        assert!(String::from_utf8_lossy(&page).contains("already been taken"));
    }
}

#[tokio::test]
async fn v2_answers_get_and_fails_every_post_once_a_store_exists() {
    let v2 = service("v2");
    assert_eq!(v2.get("/").await.0, 200);
    assert_eq!(v2.get("/nike").await.0, 302);
    let (status, _, page) = v2.shorten("new", "https%3A%2F%2Fnew.example%2F").await;
    assert_eq!(status, 500);
    assert!(!page.contains("urls.json"), "the page shows internals: {page}");
    assert_eq!(v2.get("/new").await.0, 404);
    assert_eq!(
        std::fs::read_to_string(v2.store()).unwrap(),
        LINKS,
        "the store was changed"
    );
}

#[tokio::test]
async fn v2_succeeds_once_on_an_empty_store() {
    let v2 = service_on(tempfile::tempdir().unwrap(), "v2");
    assert_eq!(v2.shorten("first", "https%3A%2F%2Fnew.example%2F").await.0, 200);
    assert_eq!(v2.shorten("second", "https%3A%2F%2Fnew.example%2F").await.0, 500);
}

#[tokio::test]
async fn a_torn_store_breaks_v1_and_not_v3() {
    for (release, seen) in [("v1", 500), ("v3", 302)] {
        let service = service(release);
        let (status, headers, _) = service.shorten("new", "https%3A%2F%2Fnew.example%2F").await;
        assert_eq!(
            (status.as_u16(), text(&headers, "x-served-by")),
            (200, "store"),
            "{release}"
        );
        let whole = std::fs::read(service.store()).unwrap();
        std::fs::write(service.store(), &whole[..whole.len() / 2]).unwrap();
        assert_eq!(service.get("/nike").await.0.as_u16(), seen, "{release}");
    }
}

#[tokio::test]
async fn v3_falls_back_step_by_step_and_names_the_source() {
    let v3 = service("v3");
    v3.shorten("new", "https%3A%2F%2Fnew.example%2F").await;
    let by = async |path| text(&v3.get(path).await.1, "x-served-by").to_owned();
    assert_eq!(by("/nike").await, "store");
    std::fs::write(v3.store(), "{").unwrap();
    assert_eq!(by("/nike").await, "memory", "the copy in memory");
    let folder = v3.folder;
    let v3 = service_on(folder, "v3");
    assert_eq!(
        text(&v3.get("/new").await.1, "x-served-by"),
        "previous",
        "restarted with a damaged store"
    );
    std::fs::write(v3.folder.path().join("urls.json.prev"), "{").unwrap();
    let v3 = service_on(v3.folder, "v3");
    let (status, headers) = v3.get("/new").await;
    assert_eq!(
        (status.as_u16(), text(&headers, "x-served-by")),
        (302, "journal"),
        "restarted with a damaged previous generation"
    );
    let (status, headers, _) = v3.shorten("later", "https%3A%2F%2Flater.example%2F").await;
    assert_eq!(
        (status.as_u16(), text(&headers, "x-served-by")),
        (200, "journal"),
        "writes work as well"
    );
    assert_eq!(
        text(&v3.get("/later").await.1, "location"),
        "https://later.example/"
    );
}

#[tokio::test]
async fn v3_with_the_wrong_loader_gives_signed_links_that_work_without_the_store() {
    let service = service("v3-wrong-loader");
    let (status, headers, page) = service.shorten("new", "https%3A%2F%2Fnew.example%2F").await;
    let link = text(&headers, "x-short-link").to_owned();
    assert_eq!(
        (status.as_u16(), text(&headers, "x-served-by")),
        (200, "signed-link")
    );
    assert!(link.starts_with("/~") && page.contains(&link), "{link}");
    let follow = async |service: &Service| {
        let (status, headers) = service.get(&link).await;
        (status.as_u16(), text(&headers, "location").to_owned())
    };
    assert_eq!(follow(&service).await, (302, "https://new.example/".into()));
    for path in ["urls.json", "urls.json.prev", "urls.journal"] {
        std::fs::write(service.folder.path().join(path), "gone").unwrap();
    }
    assert_eq!(
        follow(&service).await,
        (302, "https://new.example/".into()),
        "without any intact file"
    );
    assert_eq!(
        service.get(&format!("{link}x")).await.0,
        404,
        "a changed link is rejected"
    );
}

#[tokio::test]
async fn a_repeated_request_with_its_key_is_stored_once_and_gets_the_same_answer() {
    let v3 = service("v3");
    let first = v3
        .shorten_keyed("new", "https%3A%2F%2Fnew.example%2F", Some("k1"))
        .await;
    let again = v3
        .shorten_keyed("new", "https%3A%2F%2Fnew.example%2F", Some("k1"))
        .await;
    assert_eq!((first.0, first.2), (again.0, again.2));
    assert_eq!(
        v3.shorten_keyed("new", "https%3A%2F%2Fnew.example%2F", Some("k2"))
            .await
            .0,
        302,
        "another request for the same code"
    );
}

#[tokio::test]
async fn invalid_codes_invalid_addresses_and_large_bodies_are_refused() {
    let v3 = service("v3");
    for (code, url) in [
        ("a%2Fb", "https%3A%2F%2Fa.example"),
        ("good", "javascript%3Aalert(1)"),
        ("api", "https%3A%2F%2Fa.example"),
    ] {
        assert_eq!(v3.shorten(code, url).await.0, 422, "{code} {url}");
    }
    let long = "x".repeat(70 << 10);
    let status = v3.shorten("long", &long).await.0;
    assert!(status.is_client_error(), "{status}");
}

fn upload(code: &str, content: &str) -> Request<Body> {
    upload_named(code, "a.txt", content)
}

fn upload_named(code: &str, name: &str, content: &str) -> Request<Body> {
    let part = |head: &str, content: &str| {
        format!("--b\r\ncontent-disposition: form-data; {head}\r\n\r\n{content}\r\n")
    };
    let body = [
        part("name=\"code\"", code),
        part(&format!("name=\"file\"; filename=\"{name}\""), content),
        "--b--\r\n".into(),
    ]
    .concat();
    Request::post("/your-url")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
        .body(Body::from(body))
        .unwrap()
}

#[tokio::test]
async fn an_uploaded_file_is_served_and_cannot_be_overwritten_under_its_code() {
    let v3 = service("v3");
    assert_eq!(v3.ask(upload("doc", "mine")).await.status(), 200);
    assert_eq!(
        v3.ask(upload("doc", "another's")).await.status(),
        302,
        "the code is taken"
    );
    assert_eq!(v3.download("doc").await, "mine");
}

#[tokio::test]
async fn an_uploaded_file_cannot_be_overwritten_under_another_code() {
    // Code and name of both, written together, are `qbc.txt`.
    for (release, content) in [("v3", "mine"), ("v1", "another's")] {
        let service = service(release);
        service.ask(upload_named("q", "bc.txt", "mine")).await;
        service.ask(upload_named("qb", "c.txt", "another's")).await;
        assert_eq!(service.download("q").await, content, "{release}");
    }
}

#[tokio::test]
async fn of_two_uploads_for_one_code_the_first_one_is_served() {
    let v3 = service("v3");
    let (one, other) = tokio::join!(
        v3.ask(upload_named("doc", "a.txt", "one")),
        v3.ask(upload_named("doc", "a.txt", "other")),
    );
    let expected = match (one.status().as_u16(), other.status().as_u16()) {
        (200, 302) => "one",
        (302, 200) => "other",
        statuses => panic!("{statuses:?}"),
    };
    assert_eq!(v3.download("doc").await, expected);
}

#[tokio::test]
async fn an_idempotency_key_that_is_reused_for_another_link_is_refused() {
    let v3 = service("v3");
    let key = Some("key");
    assert_eq!(
        v3.shorten_keyed("new", "https%3A%2F%2Fone.example%2F", key)
            .await
            .0,
        200
    );
    for (code, url) in [("new", "other"), ("other", "one")] {
        let url = format!("https%3A%2F%2F{url}.example%2F");
        assert_eq!(v3.shorten_keyed(code, &url, key).await.0, 422, "{code} {url}");
    }
    assert_eq!(text(&v3.get("/new").await.1, "location"), "https://one.example/");
    assert_eq!(v3.get("/other").await.0, 404);
}

#[tokio::test]
async fn a_release_that_goes_bad_after_its_first_write_passes_a_check_with_one_write() {
    let service = service("bad-after-first-write");
    assert_eq!(service.shorten("one", "https%3A%2F%2Fa.example").await.0, 200);
    assert_eq!(service.shorten("two", "https%3A%2F%2Fa.example").await.0, 500);
}

#[tokio::test]
async fn a_migrated_store_cannot_be_read_by_v1() {
    let migrated = service("migrates-store-v1");
    assert_eq!(migrated.get("/nike").await.0, 302, "it reads its own format");
    let v1 = service_on(migrated.folder, "v1");
    let (status, _) = v1.get("/nike").await;
    assert_ne!(status, 302, "v1 cannot read the store");
}

#[tokio::test]
async fn no_acknowledged_link_of_v3_is_lost_after_a_release_migrated_the_store() {
    let v3 = service("v3");
    v3.shorten("new", "https%3A%2F%2Fnew.example%2F").await;
    let migrated = service_on(v3.folder, "migrates-store");
    assert_eq!(migrated.get("/new").await.0, 302);
    let v3 = service_on(migrated.folder, "v3");
    for path in ["/new", "/nike"] {
        assert_eq!(v3.get(path).await.0, 302, "{path}");
    }
}

#[tokio::test]
async fn the_checks_find_flaws_unless_the_store_is_empty() {
    let failed = async |release: &str, empty| {
        let findings = shortener::check::check(Release::named(release).unwrap(), empty)
            .await
            .unwrap();
        findings.iter().any(|finding| finding.wrong.is_some())
    };
    for good in ["v1", "v3", "v3.1"] {
        assert!(!failed(good, false).await, "{good}");
    }
    for bad in ["v2", "crash-on-start", "never-ready", "slow", "wrong-redirect"] {
        assert!(failed(bad, false).await, "{bad}");
    }
    assert!(!failed("v2", true).await, "an empty store hides the incident");
}

#[test]
fn the_only_test_of_the_incidents_pipeline_passes_for_every_release() {
    assert!(
        shortener::check::greeting()
            .iter()
            .all(|finding| finding.wrong.is_none())
    );
}

#[tokio::test]
async fn the_store_of_an_earlier_release_is_adopted() {
    let v3 = service("v3");
    assert_eq!(v3.get("/house").await.0, 302);
    assert!(Path::exists(&v3.folder.path().join("urls.json.sum")));
}
