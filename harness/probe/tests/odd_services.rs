//! Services that are odd, but that every client gets along with: what they do is no outage.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use firedrill_model::sample::{Bad, Clock, Labels, Outcome, Sample};
use firedrill_probe::{Seen, Users};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What a service does after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Keep,
    Close,
}

/// Starts a service. It is called with the number of the request on its connection, from 0, and the request's head.
fn serve(answer: impl Fn(usize, &str, &mut TcpStream) -> Then + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), Arc::clone(&answer));
            std::thread::spawn(move || {
                for n in 0.. {
                    let Some(head) = head(&mut stream) else { return };
                    if answer(n, &head, &mut stream) == Then::Close {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

fn send(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    // A client that is gone has seen enough.
    let _ = stream.write_all(bytes.as_ref());
}

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
    let probing = firedrill_probe::probe(users, 7, address, clock, labels, sink, stop.clone());
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
