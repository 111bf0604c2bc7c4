//! Journeys of several requests: cookies and captured values go from answer to request, and the probe has one outcome.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod service;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use firedrill_model::sample::{Ack, Bad, Clock, Found, Labels, Outcome, Sample};
use firedrill_probe::{Obstacle, Seen, Users, Write};
use serde_json::{Value, json};
use service::{Then, send, serve};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A service that is asked `METHOD /path`, and answers with a status, header lines and a body.
fn service(
    answer: impl Fn(&str, &str) -> (u16, String, String) + Send + Sync + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let address = serve(move |_, request, stream| {
        let what = request.split(" HTTP/").next().unwrap().to_owned();
        let (status, headers, body) = answer(&what, request);
        seen.lock().unwrap().push(what);
        let length = body.len();
        send(
            stream,
            format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\n\r\n{body}"),
        );
        Then::Keep
    });
    (address, asked)
}

fn step(method: &str, path: &str, more: &Value) -> Value {
    let mut step = json!({ "request": { "method": method, "path": path }, "answer": { "status": "2xx" } });
    for (key, value) in more.as_object().unwrap() {
        for (inner, value) in value.as_object().unwrap() {
            step[key][inner] = value.clone();
        }
    }
    step
}

fn users(steps: &[Value], more: &Value) -> Arc<Users> {
    let mut journey = json!({
        "name": "notes", "rate": "20/s", "connections": ["reused"], "step": steps,
        "fallback": { "header": "x-served-by", "normal": ["store"] },
        // Generous: a busy machine is no subject here.
        "deadline": "5s", "timeout": "10s",
    });
    for (key, value) in more.as_object().unwrap() {
        journey[key] = value.clone();
    }
    let system = json!({
        "summary": "notes",
        "service": { "app": { "build": { "image": "app" }, "port": 80 } },
        "records": { "note": { "fields": { "text": "note {n}" } } },
        "journey": [journey],
    });
    Arc::new(Users {
        system: serde_json::from_value(system).unwrap(),
        seeded: true,
    })
}

/// The first so many samples, and the writes beside them.
async fn probed(users: &Arc<Users>, address: SocketAddr, wanted: usize) -> (Vec<Sample>, Vec<Write>) {
    let (sink, mut seen) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let (clock, labels) = (Clock::start(), Labels::default());
    let probing = firedrill_probe::probe(
        Arc::clone(users),
        7,
        address.into(),
        clock,
        labels,
        sink,
        stop.clone(),
    );
    let reading = async {
        let (mut samples, mut writes) = (Vec::new(), Vec::new());
        while let Some(seen) = seen.recv().await {
            match seen {
                Seen::Sample(sample) => samples.push(sample),
                Seen::Write(write) => writes.push(write),
                _ => {}
            }
            if samples.len() >= wanted {
                stop.cancel();
            }
        }
        (samples, writes)
    };
    let (probed, seen) = tokio::join!(probing, reading);
    probed.unwrap();
    seen
}

fn outcomes(samples: &[Sample]) -> Vec<(Outcome, u16)> {
    let mut outcomes: Vec<_> = samples
        .iter()
        .map(|sample| (sample.outcome, sample.status))
        .collect();
    outcomes.sort();
    outcomes.dedup();
    outcomes
}

fn none() -> Value {
    json!({})
}

#[tokio::test]
async fn cookies_and_captured_values_go_from_answer_to_request() {
    let (address, asked) = service(|what, request| match what {
        "GET /login" => (200, "Set-Cookie: visit=1\r\n".into(), "<i value=\"t-1\">".into()),
        "POST /login" if request.contains("visit=1") && request.ends_with("csrf=t%2D1") => (
            200,
            "Set-Cookie: sid=s; Secure\r\nLocation: http://x/notes/new\r\n".into(),
            String::new(),
        ),
        "PUT /notes/new" if request.contains("sid=s") && request.ends_with(r#"{"text":"t-1"}"#) => {
            (201, String::new(), r#"{"note":{"id":17}}"#.into())
        }
        "GET /notes/17" => (
            200,
            "X-Id: 17\r\n".into(),
            r#"{"id":17,"list":[1,{"a":true}]}"#.into(),
        ),
        _ => (500, String::new(), String::new()),
    });
    let capture = |name: &str, from: Value| json!({ "capture": { name: from } });
    let mut login = step(
        "POST",
        "/login",
        &json!({ "request": { "form": { "csrf": "{capture.csrf}" } } }),
    );
    login["capture"] = json!({ "next": { "header": "location" } });
    let mut create = step(
        "PUT",
        "{capture.next}",
        &json!({ "request": { "json": { "text": "{capture.csrf}" } } }),
    );
    create["capture"] = json!({ "id": { "json": "/note/id" } });
    let read = json!({ "answer": {
        "json": { "/id": "{capture.id}", "/list": [1, { "a": true }] },
        "body_matches": "\"id\":[0-9]+", "header_contains": { "x-id": "7" }, "header_present": ["x-id"],
    } });
    let steps = [
        step(
            "GET",
            "/login",
            &capture("csrf", json!({ "regex": "value=\"([^\"]+)" })),
        ),
        login,
        create,
        step("GET", "/notes/{capture.id}", &read),
    ];
    let (samples, writes) = probed(&users(&steps, &none()), address, 5).await;
    assert_eq!(
        outcomes(&samples),
        [(Outcome::Good, 200)],
        "{:?}",
        asked.lock().unwrap()
    );
    assert_eq!(writes, []);
    let asked = asked.lock().unwrap();
    assert_eq!(
        asked[..4],
        ["GET /login", "POST /login", "PUT /notes/new", "GET /notes/17"]
    );
}

#[tokio::test]
async fn a_probe_ends_with_the_first_answer_that_is_not_good() {
    let (address, asked) = service(|what, _| match what {
        "GET /a" => (200, "X-Served-By: memory\r\n".into(), String::new()),
        "GET /b" => (404, String::new(), String::new()),
        _ => (200, String::new(), String::new()),
    });
    let steps = ["/a", "/b", "/c"].map(|path| step("GET", path, &none()));
    let (samples, _) = probed(&users(&steps, &none()), address, 3).await;
    assert_eq!(outcomes(&samples), [(Outcome::Bad(Bad::Status), 404)]);
    assert!(!asked.lock().unwrap().contains(&"GET /c".to_owned()));
    // Without the bad one: one fallback makes the probe one.
    let (samples, _) = probed(&users(&[steps[0].clone(), steps[2].clone()], &none()), address, 3).await;
    assert_eq!(outcomes(&samples), [(Outcome::Fallback, 200)]);
}

#[tokio::test]
async fn a_value_that_cannot_be_captured_is_bad_content() {
    let (address, _) = service(|_, _| (200, String::new(), r#"{"id":null}"#.into()));
    let capture = json!({ "capture": { "id": { "json": "/id" } } });
    let steps = [step("GET", "/a", &capture), step("GET", "/{capture.id}", &none())];
    let (samples, _) = probed(&users(&steps, &none()), address, 3).await;
    assert_eq!(outcomes(&samples), [(Outcome::Bad(Bad::Content), 200)]);
}

#[tokio::test]
async fn the_timeout_is_that_of_all_steps_together() {
    let (address, _) = service(|_, _| {
        // Each of them alone would be in time.
        #[expect(clippy::disallowed_methods, reason = "a service that is slow takes its time")]
        std::thread::sleep(Duration::from_millis(150));
        (200, String::new(), String::new())
    });
    let steps = ["/a", "/b", "/c"].map(|path| step("GET", path, &none()));
    let limits = json!({ "deadline": "200ms", "timeout": "250ms", "rate": "5/s" });
    // A busy machine makes samples void; none may be good.
    let judged = |samples: &[Sample]| {
        let mut outcomes = outcomes(samples);
        outcomes.retain(|(outcome, _)| !outcome.is_void());
        outcomes
    };
    let (samples, _) = probed(&users(&steps, &limits), address, 5).await;
    assert_eq!(judged(&samples), [(Outcome::Bad(Bad::Timeout), 0)]);
    let two = json!({ "deadline": "200ms", "timeout": "5s", "rate": "5/s" });
    let (samples, _) = probed(&users(&steps[..2], &two), address, 5).await;
    assert_eq!(judged(&samples), [(Outcome::Bad(Bad::Late), 200)]);
}

/// Writes are acknowledged by the step that writes, whatever comes after it, and read back by what it captured.
#[tokio::test]
async fn a_write_is_acknowledged_by_its_own_step_and_read_back_by_its_captured_id() {
    let (address, asked) = service(|what, request| match what {
        "POST /notes" => {
            let n = request.rsplit("note ").next().unwrap();
            (201, String::new(), format!(r#"{{"id":"id-{n}","csrf":"x"}}"#))
        }
        "GET /notes/id-0" => (404, String::new(), String::new()),
        "GET /session" => (200, "Set-Cookie: sid=1\r\n".into(), String::new()),
        read if read.starts_with("GET /read/") && request.contains("sid=1") => {
            if read == "GET /read/id-1" {
                return (404, String::new(), String::new());
            }
            (200, String::new(), String::new())
        }
        _ => (401, String::new(), String::new()),
    });
    let mut create = step("POST", "/notes", &json!({ "request": { "body": "{note.text}" } }));
    create["capture"] = json!({ "id": { "json": "/id" }, "csrf": { "json": "/csrf" } });
    let steps = [create, step("GET", "/notes/{capture.id}", &none())];
    let remember = json!({ "remember": { "step": [
        step("GET", "/session", &none()),
        step("GET", "/read/{capture.id}", &none()),
    ] } });
    let users = users(&steps, &remember);
    let (samples, writes) = probed(&users, address, 4).await;
    // The first note is gone at once; the others need a session, which this user has not.
    let wrong = Outcome::Bad(Bad::Status);
    assert_eq!(outcomes(&samples), [(wrong, 401), (wrong, 404)]);
    assert!(
        writes.iter().all(|write| write.ack == Ack::Acknowledged),
        "{writes:?}"
    );
    assert_eq!(writes[0].captures, [("id".to_owned(), "id-0".to_owned())].into());
    // On another thread, as a drill does it.
    let reading =
        async move { firedrill_probe::read_back(&users, 7, &address.into(), Obstacle::None, &writes).await };
    let found = tokio::spawn(reading).await.unwrap();
    let found: Vec<Found> = found.into_iter().map(|(_, found)| found).collect();
    assert_eq!(
        found[..3],
        [Found::Intact, Found::Lost, Found::Intact],
        "{:?}",
        asked.lock().unwrap()
    );
}

#[tokio::test]
async fn a_probe_that_never_came_to_its_write_has_written_nothing() {
    let (address, _) = service(|_, _| (403, String::new(), String::new()));
    let steps = [step("GET", "/login", &none()), step("POST", "/notes", &none())];
    let remember =
        json!({ "remember": { "link": "/x", "request": { "path": "{link}" }, "answer": { "status": 200 } } });
    let (samples, writes) = probed(&users(&steps, &remember), address, 3).await;
    assert_eq!(outcomes(&samples), [(Outcome::Bad(Bad::Status), 403)]);
    assert_eq!(writes, []);
}

#[tokio::test]
async fn a_login_that_fails_says_nothing_about_a_record() {
    let (address, _) = service(|_, _| (403, String::new(), String::new()));
    let steps = [step("POST", "/notes", &none())];
    let remember =
        json!({ "remember": { "step": [step("GET", "/login", &none()), step("GET", "/x", &none())] } });
    let users = users(&steps, &remember);
    let write = Write {
        stream: firedrill_model::sample::StreamId(0),
        journey: "notes".into(),
        n: 0,
        ack: Ack::Acknowledged,
        link: None,
        captures: std::collections::BTreeMap::new(),
    };
    let found = firedrill_probe::read_back(&users, 7, &address.into(), Obstacle::None, &[write]).await;
    assert_eq!(found[0].1, Found::Unknown);
}

/// The session comes first: without it nobody has asked for the record.
#[tokio::test]
async fn a_login_that_fails_says_nothing_about_what_was_written() {
    let (address, _) = service(|what, _| match what {
        "POST /notes" => (201, String::new(), r#"{"id":"1"}"#.into()),
        _ => (500, String::new(), String::new()),
    });
    let mut create = step("POST", "/notes", &json!({ "request": { "body": "{note.text}" } }));
    create["capture"] = json!({ "id": { "json": "/id" } });
    let remember = json!({ "remember": { "step": [
        step("GET", "/session", &none()),
        step("GET", "/read/{capture.id}", &none()),
    ] } });
    let users = users(&[create], &remember);
    let (_, writes) = probed(&users, address, 1).await;
    let reading =
        async move { firedrill_probe::read_back(&users, 7, &address.into(), Obstacle::None, &writes).await };
    let found = tokio::spawn(reading).await.unwrap();
    assert!(
        !found.is_empty() && found.iter().all(|(_, found)| *found == Found::Unknown),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_value_of_the_service_that_makes_no_request_is_its_own_fault() {
    let (address, _) = service(|_, _| (200, String::new(), r#"{"id":"a b"}"#.into()));
    let mut first = step("GET", "/", &none());
    first["capture"] = json!({ "id": { "json": "/id" } });
    let users = users(&[first, step("GET", "/notes/{capture.id}", &none())], &none());
    let (samples, _) = probed(&users, address, 1).await;
    assert_eq!(outcomes(&samples), [(Outcome::Bad(Bad::Content), 0)]);
}
