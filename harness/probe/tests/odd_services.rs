//! Services that are odd, but that every client gets along with: what they do is no outage.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod service;

use std::io::{Read, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use firedrill_model::sample::{Ack, Bad, Clock, Found, Labels, Outcome, Sample, StreamId, Void};
use firedrill_probe::{Users, Write};
use serde_json::{Value, json};
use service::{Then, send, serve};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A journey over kept connections, with more keys.
fn journey(more: &Value) -> Value {
    let mut journey = json!({
        "name": "page", "rate": "50/s", "connections": ["reused"],
        "request": { "path": "/" }, "answer": { "status": 200 },
        // Generous: a busy machine is no subject here.
        "deadline": "5s", "timeout": "10s",
    });
    for (key, value) in more.as_object().unwrap() {
        journey[key] = value.clone();
    }
    journey
}

/// The first so many samples of a journey.
async fn samples(address: SocketAddr, more: Value, wanted: usize) -> Vec<Sample> {
    let system = json!({
        "summary": "odd",
        "service": { "app": { "build": { "image": "app" }, "port": 80 } },
        "identity": { "header": "x-release" },
        "journey": [journey(&more)],
    });
    let users = Arc::new(Users {
        system: serde_json::from_value(system).unwrap(),
        seeded: true,
    });
    let (sink, mut seen) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let (clock, labels) = (Clock::start(), Labels::default());
    let probing = firedrill_probe::probe(users, 7, address.into(), clock, labels, sink, stop.clone());
    let reading = async {
        let mut samples = Vec::new();
        while samples.len() < wanted {
            samples.extend(seen.recv().await.unwrap().sample());
        }
        stop.cancel();
        samples
    };
    let (probed, samples) = tokio::join!(probing, reading);
    probed.unwrap();
    samples
}

fn outcomes(samples: &[Sample]) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = samples.iter().map(|sample| sample.outcome).collect();
    outcomes.sort();
    outcomes.dedup();
    outcomes
}

/// Answers the first request of every connection, and closes when the next one comes: the race of an idle close.
fn closes_before_the_second_answer(first_bytes: &'static str) -> SocketAddr {
    serve(move |n, _, stream| {
        if n == 0 {
            send(stream, OK);
            return Then::Keep;
        }
        send(stream, first_bytes);
        Then::Close
    })
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_while_idle_is_no_bad_answer() {
    let address = closes_before_the_second_answer("");
    let samples = samples(address, json!({}), 20).await;
    assert_eq!(outcomes(&samples), [Outcome::Good]);
    assert!(samples.iter().filter(|sample| sample.reconnected).count() >= 5);
}

#[tokio::test]
async fn a_method_that_is_not_idempotent_is_not_repeated() {
    let address = closes_before_the_second_answer("");
    let post = json!({ "request": { "method": "POST", "path": "/" } });
    let samples = samples(address, post, 20).await;
    assert_eq!(outcomes(&samples), [Outcome::Good, Outcome::Bad(Bad::Reset)]);
    assert!(samples.iter().all(|sample| !sample.reconnected));
}

#[tokio::test]
async fn an_answer_that_has_begun_is_not_asked_for_again() {
    let address = closes_before_the_second_answer("HTTP/1.1 200 OK\r\nContent-");
    let samples = samples(address, json!({}), 20).await;
    assert_eq!(outcomes(&samples), [Outcome::Good, Outcome::Bad(Bad::Reset)]);
    assert!(samples.iter().all(|sample| !sample.reconnected));
}

#[tokio::test]
async fn a_request_is_repeated_once_and_on_a_new_connection_never() {
    let address = serve(|_, _, _| Then::Close);
    let samples = samples(address, json!({}), 10).await;
    assert_eq!(outcomes(&samples), [Outcome::Bad(Bad::Reset)]);
    assert!(samples.iter().all(|sample| !sample.reconnected));
}

#[tokio::test]
async fn writes_are_read_back_no_faster_than_the_journeys_ran() {
    let address = serve(|_, head, stream| {
        let missing = head.starts_with("GET /7 ");
        let (gone, error) = ("404 Not Found", "500 Internal Server Error");
        let status = if missing { gone } else { "200 OK" };
        let status = if head.starts_with("GET /8 ") {
            error
        } else {
            status
        };
        send(stream, format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"));
        Then::Keep
    });
    let system = json!({
        "summary": "it stores",
        "service": { "app": { "build": { "image": "app" }, "port": 80 } },
        "journey": [journey(&json!({ "remember": {
            "link_header": "location", "request": { "path": "{link}" }, "answer": { "status": 200 },
        } }))],
    });
    let users = Arc::new(Users {
        system: serde_json::from_value(system).unwrap(),
        seeded: true,
    });
    let writes: Vec<Write> = (0..30)
        .map(|n| Write {
            stream: StreamId(0),
            journey: "page".into(),
            n,
            ack: Ack::Acknowledged,
            link: Some(format!("/{n}")),
            captures: std::collections::BTreeMap::new(),
        })
        .collect();
    let began = std::time::Instant::now();
    let found = firedrill_probe::read_back(
        &users,
        7,
        &address.into(),
        firedrill_probe::Obstacle::None,
        &writes,
    )
    .await;
    // 29 intervals of 20 ms lie between 30 reads.
    assert!(
        began.elapsed() >= Duration::from_millis(580),
        "{:?}",
        began.elapsed()
    );
    for (at, (write, found)) in found.iter().enumerate() {
        let expected = if matches!(write.n, 7 | 8) {
            Found::Lost
        } else {
            Found::Intact
        };
        assert_eq!((write.n, *found), (at as u64, expected));
    }
}

fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text).unwrap();
    packed.finish().unwrap()
}

fn raw_deflated(text: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text).unwrap();
    packed.finish().unwrap()
}

fn zlib_deflated(text: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text).unwrap();
    packed.finish().unwrap()
}

/// Always this answer.
fn always(head: &str, body: Vec<u8>) -> SocketAddr {
    let head = format!("HTTP/1.1 200 OK\r\n{head}Content-Length: {}\r\n\r\n", body.len());
    serve(move |_, _, stream| {
        send(stream, &head);
        send(stream, &body);
        Then::Keep
    })
}

const WELCOME: &[u8] = b"<h1>Welcome</h1>";

fn welcome(more: Value) -> Value {
    let mut answer = json!({ "status": 200, "body_contains": "Welcome" });
    for (key, value) in more.as_object().unwrap() {
        answer[key] = value.clone();
    }
    json!({ "answer": answer, "rate": "20/s" })
}

#[tokio::test]
async fn a_compressed_body_is_read_as_users_read_it() {
    for (encoding, body) in [
        ("gzip", gzipped(WELCOME)),
        ("x-gzip", gzipped(WELCOME)),
        ("deflate", zlib_deflated(WELCOME)),
        ("deflate", raw_deflated(WELCOME)),
        ("gzip, gzip", gzipped(&gzipped(WELCOME))),
        ("identity", WELCOME.to_vec()),
    ] {
        let address = always(&format!("Content-Encoding: {encoding}\r\n"), body);
        let samples = samples(address, welcome(json!({})), 3).await;
        assert_eq!(outcomes(&samples), [Outcome::Good], "{encoding}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_unpack_is_wrong_and_an_unknown_encoding_says_nothing() {
    let mut torn = gzipped(WELCOME);
    torn.truncate(torn.len() - 4);
    for (encoding, body, outcome) in [
        ("gzip", torn, Outcome::Bad(Bad::Content)),
        ("gzip", WELCOME.to_vec(), Outcome::Bad(Bad::Content)),
        ("br", WELCOME.to_vec(), Outcome::Void(Void::Encoding)),
        (
            "gzip",
            gzipped(&vec![0; 20 << 20]),
            Outcome::Void(Void::BodyLimit),
        ),
    ] {
        let address = always(&format!("Content-Encoding: {encoding}\r\n"), body);
        let samples = samples(address, welcome(json!({})), 3).await;
        assert_eq!(outcomes(&samples), [outcome], "{encoding}");
    }
    let address = always("Content-Encoding: br\r\n", WELCOME.to_vec());
    let unread = samples(address, json!({}), 3).await;
    assert_eq!(outcomes(&unread), [Outcome::Good], "nothing is read from it");
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_read_and_one_over_its_limit_says_nothing() {
    let mut body = vec![b'x'; 10 << 20];
    body.extend_from_slice(WELCOME);
    let address = always("", body);
    let read = samples(address, welcome(json!({})), 3).await;
    assert_eq!(outcomes(&read), [Outcome::Good]);
    let limited = samples(address, welcome(json!({ "body_limit": "10MiB" })), 3).await;
    assert_eq!(outcomes(&limited), [Outcome::Void(Void::BodyLimit)]);
    // Its head alone shows that it is wrong.
    let wrong = json!({ "body_limit": "10MiB", "status": 302 });
    let wrong = samples(address, welcome(wrong), 3).await;
    assert_eq!(outcomes(&wrong), [Outcome::Bad(Bad::Status)]);
    assert_eq!(wrong[0].status, 200);
}

#[tokio::test]
async fn an_endless_body_is_right_once_its_text_has_come() {
    let address = serve(|_, _, stream| {
        send(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for chunk in ["3\r\nWel\r\n", "4\r\ncome\r\n"] {
            send(stream, chunk);
        }
        // Nothing more, for as long as the client stays.
        let _ = stream.read(&mut [0]);
        Then::Close
    });
    let endless = samples(address, welcome(json!({ "endless": true })), 5).await;
    assert_eq!(outcomes(&endless), [Outcome::Good]);
    let head = json!({ "answer": { "status": 200, "endless": true } });
    assert_eq!(outcomes(&samples(address, head, 5).await), [Outcome::Good]);
    let mut whole = welcome(json!({}));
    (whole["deadline"], whole["timeout"]) = ("100ms".into(), "200ms".into());
    let whole = samples(address, whole, 5).await;
    assert_eq!(outcomes(&whole), [Outcome::Bad(Bad::Timeout)]);
}

#[tokio::test]
async fn many_headers_and_folded_ones_are_read() {
    let many: String = (0..900).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let odd = "x-folded: one\r\n two\r\nx-blank : three\r\n";
    let address = always(&format!("{many}{odd}"), Vec::new());
    let wanted = json!({ "answer": { "status": 200, "header": { "x-899": "899", "x-blank": "three" } } });
    let read = samples(address, wanted, 3).await;
    assert_eq!(outcomes(&read), [Outcome::Good]);
    let limited = json!({ "answer": { "status": 200, "header_limit": 100 } });
    let limited = samples(address, limited, 3).await;
    assert_eq!(outcomes(&limited), [Outcome::Void(Void::HeaderLimit)]);
}

#[tokio::test]
async fn a_virtual_host_is_asked_for_by_its_name() {
    let address = serve(|_, head, stream| {
        let named = head
            .to_ascii_lowercase()
            .matches("\r\nhost: shop.example\r\n")
            .count()
            == 1;
        let one = head.to_ascii_lowercase().matches("\r\nhost:").count() == 1;
        send(
            stream,
            if named && one {
                OK
            } else {
                "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
            },
        );
        Then::Keep
    });
    let request = json!({ "request": { "path": "/", "header": { "Host": "shop.example" } } });
    assert_eq!(outcomes(&samples(address, request, 3).await), [Outcome::Good]);
    assert_eq!(
        outcomes(&samples(address, json!({}), 3).await),
        [Outcome::Bad(Bad::Status)]
    );
}
