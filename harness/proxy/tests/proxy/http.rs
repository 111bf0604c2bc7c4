//! Toxics on requests and answers.

use std::time::Instant;

use firedrill_proxy::{
    HttpDelay, HttpDropHeader, HttpGarble, HttpStatus, Latency, Matching, Protocol, Proxy, ToxicId,
};
use reqwest::{Client, Response};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::{FOREVER, LONG, SHORT, inject, revert};

/// A service that says hello, behind a proxy.
struct Site {
    proxy: Proxy,
    client: Client,
    _service: MockServer,
}

async fn site() -> Site {
    let service = MockServer::start().await;
    let hello = ResponseTemplate::new(200)
        .insert_header("x-mark", "here")
        .set_body_string("hello");
    Mock::given(any()).respond_with(hello).mount(&service).await;
    let proxy = Proxy::builder(*service.address())
        .protocol(Protocol::Http)
        .seed(7)
        .start();
    Site {
        proxy: proxy.await.unwrap(),
        client: Client::builder().no_proxy().build().unwrap(),
        _service: service,
    }
}

impl Site {
    async fn get(&self, path: &str) -> Response {
        let url = format!("http://{}{path}", self.proxy.address());
        self.client.get(url).send().await.unwrap()
    }

    /// Whether an answer is complete and unchanged.
    async fn is_whole(&self, path: &str) -> bool {
        let answer = self.get(path).await;
        answer.status() == 200
            && answer.headers().contains_key("x-mark")
            && answer.text().await.unwrap() == "hello"
    }
}

#[tokio::test]
async fn without_toxics_requests_and_answers_are_unchanged() {
    let site = site().await;
    for path in ["/", "/a?b=c"] {
        assert!(site.is_whole(path).await);
    }
    let url = format!("http://{}/", site.proxy.address());
    let close = site
        .client
        .post(url)
        .header("connection", "close")
        .body("x".repeat(100_000));
    assert_eq!(close.send().await.unwrap().text().await.unwrap(), "hello");
}

#[tokio::test]
async fn only_matching_requests_are_answered_with_a_status() {
    let site = site().await;
    inject(&site.proxy, 1, HttpStatus::new(503, Matching::all().path("/bad"))).await;
    assert_eq!(site.get("/bad/one").await.status(), 503);
    assert!(site.is_whole("/good").await);
    assert_eq!(revert(&site.proxy, 1).await.requests, 1);
    assert!(site.is_whole("/bad/one").await);
}

#[tokio::test]
async fn a_delay_affects_requests_until_its_revert() {
    let site = site().await;
    inject(&site.proxy, 1, HttpDelay::new(LONG, Matching::all())).await;
    let began = Instant::now();
    assert!(site.is_whole("/").await);
    assert!(began.elapsed() > SHORT);
    let hits = revert(&site.proxy, 1).await;
    assert_eq!(hits.requests, 1);
    assert!(site.is_whole("/").await);
    assert_eq!(site.proxy.hits(ToxicId(1)), hits);
}

#[tokio::test]
async fn a_body_is_garbled_and_keeps_its_length_and_its_headers() {
    let site = site().await;
    inject(&site.proxy, 1, HttpGarble::new(Matching::all())).await;
    let answer = site.get("/").await;
    assert!(answer.headers().contains_key("x-mark"));
    let body = answer.bytes().await.unwrap();
    assert!(body.len() == 5 && body.iter().zip(b"hello").all(|(now, before)| now != before));
    assert_eq!(revert(&site.proxy, 1).await.requests, 1);
    assert!(site.is_whole("/").await);
}

#[tokio::test]
async fn a_header_is_dropped_and_a_missing_one_is_no_hit() {
    let site = site().await;
    let drop = |name: &'static str| HttpDropHeader::new(name.parse().unwrap(), Matching::all());
    inject(&site.proxy, 1, drop("x-mark")).await;
    inject(&site.proxy, 2, drop("x-other")).await;
    let answer = site.get("/").await;
    assert!(answer.status() == 200 && !answer.headers().contains_key("x-mark"));
    assert_eq!(revert(&site.proxy, 1).await.requests, 1);
    assert!(revert(&site.proxy, 2).await.is_empty());
    assert!(site.is_whole("/").await);
}

#[tokio::test]
async fn the_seed_decides_which_requests_are_hit() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let site = site().await;
        inject(&site.proxy, 1, HttpStatus::new(500, Matching::all().share(0.5))).await;
        let mut statuses = Vec::new();
        for _ in 0..30 {
            statuses.push(site.get("/").await.status().as_u16());
        }
        let hit = statuses.iter().filter(|status| **status == 500).count() as u64;
        assert!((5..=25).contains(&hit));
        assert_eq!(site.proxy.hits(ToxicId(1)).requests, hit);
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn toxics_on_bytes_and_on_requests_revert_in_any_order() {
    for order in [[1, 2], [2, 1]] {
        let site = site().await;
        inject(&site.proxy, 1, Latency::new(LONG)).await;
        inject(&site.proxy, 2, HttpStatus::new(502, Matching::all())).await;
        let began = Instant::now();
        assert_eq!(site.get("/").await.status(), 502);
        assert!(began.elapsed() > SHORT);
        let hits = revert(&site.proxy, order[0]).await;
        let began = Instant::now();
        let status = site.get("/").await.status();
        match order[0] {
            1 => assert_eq!(status, 502),
            _ => assert!(status == 200 && began.elapsed() > SHORT),
        }
        assert_eq!(site.proxy.hits(ToxicId(order[0])), hits);
        revert(&site.proxy, order[1]).await;
        assert!(site.is_whole("/").await);
    }
}

#[tokio::test]
async fn delayed_requests_pass_when_the_delay_is_reverted() {
    let site = site().await;
    inject(&site.proxy, 1, HttpDelay::new(FOREVER, Matching::all())).await;
    let asked = site.is_whole("/");
    let freed = async {
        while site.proxy.hits(ToxicId(1)).is_empty() {
            tokio::task::yield_now().await;
        }
        revert(&site.proxy, 1).await;
    };
    let both = async { tokio::join!(asked, freed).0 };
    assert!(crate::peers::within(both).await);
}
