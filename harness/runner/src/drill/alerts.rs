//! The drill's alert receiver: an HTTP server (wiremock) that records what arrives and when, which gives the time to
//! detect. A fault can make it misbehave: before every answer it asks its [`Switch`].

use std::net::{IpAddr, TcpListener};
use std::sync::Arc;

use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::record::Recorder;
use crate::fault::receiver::{Behaviour, PROBE, Switch};
use firedrill_model::history::Event;

/// Longer alerts are cut off here.
const LONGEST: usize = 64 << 10;

/// Bytes that no format accepts.
const GARBAGE: &[u8] = b"\x00\xff{[<\xfe";

/// A running receiver; it ends when this is dropped.
pub(super) struct Receiver {
    server: MockServer,
    host: String,
    switch: Switch,
}

struct Stamp {
    recorder: Arc<Recorder>,
    switch: Switch,
}

impl Stamp {
    /// A full disk is reported by the next event of the drill itself: the sender of an alert must not notice.
    fn record(&self, request: &Request, answered: u16) {
        if !is_alert(request, &self.switch) {
            return;
        }
        let body = &request.body[..request.body.len().min(LONGEST)];
        // An alert without a body has its fields in the query.
        let body = if body.is_empty() {
            request.url.query().unwrap_or_default().to_owned()
        } else {
            String::from_utf8_lossy(body).into_owned()
        };
        // A full disk is found by the next event of the drill itself.
        let _ = self.recorder.event(Event::Alert {
            kind: kind(&body),
            answered,
            body,
        });
    }
}

impl Respond for Stamp {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let behaviour = self.switch.behaviour();
        let answered = behaviour.status().unwrap_or(503);
        self.record(request, answered);
        let answer = ResponseTemplate::new(answered);
        match behaviour {
            Behaviour::Slow(delay) => answer.set_delay(delay),
            Behaviour::Garbage => answer.set_body_raw(GARBAGE, "application/json"),
            Behaviour::Well | Behaviour::Down | Behaviour::Status(_) => answer,
        }
    }
}

/// Whether a request is an alert. If so, it is counted as hit by the fault in effect.
fn is_alert(request: &Request, switch: &Switch) -> bool {
    let alert = !request.headers.contains_key(PROBE);
    if alert {
        switch.count_alert();
    }
    alert
}

/// Why a connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the alert receiver is down: a fault of this drill")]
struct Down;

/// The field `kind` of a JSON body, at the top or up to two levels down, or of a form; empty when there is none.
fn kind(body: &str) -> String {
    fn of(value: &serde_json::Value, depth: u8) -> Option<&str> {
        let here = value.get("kind").and_then(|kind| kind.as_str());
        here.or_else(|| match (value, depth) {
            (_, 0) => None,
            (serde_json::Value::Object(table), _) => table.values().find_map(|value| of(value, depth - 1)),
            (serde_json::Value::Array(list), _) => list.iter().find_map(|value| of(value, depth - 1)),
            _ => None,
        })
    }
    // Receivers have envelopes of their own: the alert may be a field of an object or an item of a list.
    match serde_json::from_str(body) {
        Ok(json) => of(&json, 2).unwrap_or_default().to_owned(),
        Err(_) => {
            let mut fields = form_urlencoded::parse(body.as_bytes());
            let kind = fields.find(|(name, _)| name == "kind");
            kind.map(|(_, kind)| kind.into_owned()).unwrap_or_default()
        }
    }
}

impl Receiver {
    /// Listens on an address that the services can reach.
    pub(super) async fn start(bind: IpAddr, host: String, recorder: Recorder) -> std::io::Result<Self> {
        let listener = TcpListener::bind((bind, 0))?;
        let server = MockServer::builder()
            .listener(listener)
            // Recorded requests would stay in memory for the whole drill.
            .disable_request_recording()
            .start()
            .await;
        let switch = Switch::new(*server.address());
        // A mock of its own, because closing the connection is an error in wiremock and not an answer.
        let down = {
            let switch = switch.clone();
            move |_: &Request| switch.behaviour() == Behaviour::Down
        };
        let hang_up = {
            let switch = switch.clone();
            move |request: &Request| {
                is_alert(request, &switch);
                Down
            }
        };
        Mock::given(down)
            .respond_with_err(hang_up)
            .with_priority(1)
            .mount(&server)
            .await;
        Mock::given(any())
            .respond_with(Stamp {
                recorder: Arc::new(recorder),
                switch: switch.clone(),
            })
            .mount(&server)
            .await;
        Ok(Self { server, host, switch })
    }

    /// What makes it misbehave.
    pub(super) fn switch(&self) -> Switch {
        self.switch.clone()
    }

    /// Its URL as services see it.
    pub(super) fn url(&self) -> String {
        format!("http://{}:{}", self.host, self.server.address().port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_found_at_the_top_and_below_and_in_forms() {
        assert_eq!(
            kind(r#"{"payload":{"custom_details":{"kind":"rejected"}}}"#),
            "rejected"
        );
        assert_eq!(kind("release=v2&kind=rolled-back"), "rolled-back");
        assert_eq!(kind(r#"{"kind":"rolled-back"}"#), "rolled-back");
        assert_eq!(kind(r#"{"custom_details":{"kind":"rejected"}}"#), "rejected");
        assert_eq!((kind("not json"), kind("[1]")), (String::new(), String::new()));
    }

    /// A receiver that records into a folder, and what it has recorded.
    async fn receiver() -> (Receiver, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let writer = firedrill_model::history::Writer::create(
            folder.path(),
            firedrill_model::sample::Clock::start(),
            firedrill_model::sample::Labels::default(),
        );
        let recorder = Recorder::new(writer.unwrap(), Arc::new(|_| {}));
        let local = IpAddr::from([127, 0, 0, 1]);
        let receiver = Receiver::start(local, "127.0.0.1".into(), recorder).await;
        (receiver.unwrap(), folder)
    }

    fn alerts(folder: &tempfile::TempDir) -> usize {
        let events = std::fs::read_to_string(folder.path().join(firedrill_model::history::EVENTS)).unwrap();
        events.matches(r#""event":"alert""#).count()
    }

    #[tokio::test]
    async fn the_receiver_behaves_as_its_switch_says_and_records_what_it_answered() {
        let (receiver, folder) = receiver().await;
        let tell = async || {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let answer = client.post(receiver.url()).body("{}").send().await;
            answer.ok().map(|answer| answer.status().as_u16())
        };
        assert_eq!(tell().await, Some(200));
        receiver.switch().set(Some((0, Behaviour::Status(500))));
        assert_eq!(tell().await, Some(500));
        assert_eq!(alerts(&folder), 2);
        receiver.switch().set(Some((0, Behaviour::Down)));
        assert_eq!(
            (tell().await, alerts(&folder)),
            (None, 2),
            "down: nothing is recorded"
        );
        receiver.switch().set(Some((0, Behaviour::Garbage)));
        assert_eq!((tell().await, alerts(&folder)), (Some(200), 3));
    }

    #[tokio::test]
    async fn a_look_at_the_receiver_is_no_alert() {
        let (receiver, folder) = receiver().await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let look = client.get(receiver.url()).header(PROBE, "1").send().await;
        assert_eq!((look.unwrap().status().as_u16(), alerts(&folder)), (200, 0));
    }
}
