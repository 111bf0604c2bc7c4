//! Toxics on requests and answers.

use std::time::{Duration, Instant};

use firedrill_proxy::{
    HttpDelay, HttpDropHeader, HttpGarble, HttpStatus, Latency, Link, Matching, Speaks, ToxicId,
};
use reqwest::{Client, Response};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::{LONG, SHORT, inject, revert};

/// A service that says hello, behind a link.
struct Site {
    link: Link,
    client: Client,
    _service: MockServer,
}

async fn site() -> Site {
    let service = MockServer::start().await;
    let hello = ResponseTemplate::new(200)
        .insert_header("x-mark", "kept")
        .set_body_string("hello");
    Mock::given(any()).respond_with(hello).mount(&service).await;
    let link = Link::open(([127, 0, 0, 1], 0).into(), *service.address(), Speaks::Http, 7);
    Site {
        link: link.await.unwrap(),
        client: Client::builder().no_proxy().build().unwrap(),
        _service: service,
    }
}

impl Site {
    async fn get(&self, path: &str) -> Response {
        let url = format!("http://{}{path}", self.link.address());
        self.client.get(url).send().await.unwrap()
    }

    /// What is well with an answer.
    async fn is_whole(&self, path: &str) -> bool {
        let answer = self.get(path).await;
        answer.status() == 200
            && answer.headers().contains_key("x-mark")
            && answer.text().await.unwrap() == "hello"
    }
}

#[tokio::test]
async fn without_toxics_requests_and_answers_are_as_they_were() {
    let site = site().await;
    for path in ["/", "/a?b=c"] {
        assert!(site.is_whole(path).await);
    }
    let url = format!("http://{}/", site.link.address());
    let close = site
        .client
        .post(url)
        .header("connection", "close")
        .body("x".repeat(100_000));
    assert_eq!(close.send().await.unwrap().text().await.unwrap(), "hello");
}

#[tokio::test]
async fn a_status_is_answered_to_the_matching_requests_only() {
    let site = site().await;
    inject(
        &site.link,
        1,
        HttpStatus::of(503, Matching::default().path("/bad")),
    )
    .await;
    assert_eq!(site.get("/bad/one").await.status(), 503);
    assert!(site.is_whole("/good").await);
    assert_eq!(revert(&site.link, 1).await.requests, 1);
    assert!(site.is_whole("/bad/one").await);
}

#[tokio::test]
async fn a_delay_holds_requests_and_ends() {
    let site = site().await;
    inject(&site.link, 1, HttpDelay::of(LONG, Matching::default())).await;
    let began = Instant::now();
    assert!(site.is_whole("/").await);
    assert!(began.elapsed() > SHORT);
    assert_eq!(revert(&site.link, 1).await.requests, 1);
    let began = Instant::now();
    assert!(site.is_whole("/").await);
    assert!(began.elapsed() < SHORT);
}

#[tokio::test]
async fn a_body_is_garbled_and_keeps_its_length_and_its_headers() {
    let site = site().await;
    inject(&site.link, 1, HttpGarble::default()).await;
    let answer = site.get("/").await;
    assert!(answer.headers().contains_key("x-mark"));
    let body = answer.bytes().await.unwrap();
    assert!(body.len() == 5 && body.iter().zip(b"hello").all(|(now, before)| now != before));
    assert_eq!(revert(&site.link, 1).await.requests, 1);
    assert!(site.is_whole("/").await);
}

#[tokio::test]
async fn a_header_is_dropped_and_one_that_is_not_there_is_no_hit() {
    let site = site().await;
    let drop = |name: &'static str| HttpDropHeader::of(name.parse().unwrap(), Matching::default());
    inject(&site.link, 1, drop("x-mark")).await;
    inject(&site.link, 2, drop("x-other")).await;
    let answer = site.get("/").await;
    assert!(answer.status() == 200 && !answer.headers().contains_key("x-mark"));
    assert_eq!(revert(&site.link, 1).await.requests, 1);
    assert!(revert(&site.link, 2).await.is_none());
    assert!(site.is_whole("/").await);
}

#[tokio::test]
async fn the_seed_says_which_requests_are_struck() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let site = site().await;
        inject(&site.link, 1, HttpStatus::of(500, Matching::share(0.5))).await;
        let mut statuses = Vec::new();
        for _ in 0..30 {
            statuses.push(site.get("/").await.status().as_u16());
        }
        let struck = statuses.iter().filter(|status| **status == 500).count() as u64;
        assert!((5..=25).contains(&struck));
        assert_eq!(site.link.hits(ToxicId(1)).requests, struck);
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn toxics_on_bytes_act_on_such_a_link_too_and_revert_in_both_orders() {
    for order in [[1, 2], [2, 1]] {
        let site = site().await;
        inject(&site.link, 1, Latency::of(LONG)).await;
        inject(&site.link, 2, HttpStatus::of(502, Matching::default())).await;
        let began = Instant::now();
        assert_eq!(site.get("/").await.status(), 502);
        assert!(began.elapsed() > SHORT);
        revert(&site.link, order[0]).await;
        let began = Instant::now();
        let status = site.get("/").await.status().as_u16();
        let expected = if order[0] == 1 { (502, false) } else { (200, true) };
        assert_eq!((status, began.elapsed() > SHORT), expected);
        revert(&site.link, order[1]).await;
        assert!(site.is_whole("/").await);
    }
}

#[tokio::test]
async fn a_delay_that_is_taken_off_lets_its_requests_go() {
    let site = site().await;
    inject(
        &site.link,
        1,
        HttpDelay::of(Duration::from_secs(60), Matching::default()),
    )
    .await;
    let asked = site.is_whole("/");
    let freed = async {
        while site.link.hits(ToxicId(1)).is_none() {
            tokio::task::yield_now().await;
        }
        revert(&site.link, 1).await;
    };
    let both = async { tokio::join!(asked, freed).0 };
    assert!(crate::peers::within(both).await);
}
