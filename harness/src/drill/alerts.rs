//! The drill's alert receiver: a real HTTP server (wiremock) that stamps what arrives. Its stamps are the time to detect.

use std::net::{IpAddr, TcpListener};
use std::sync::Arc;

use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::record::Recorder;
use crate::history::Event;

/// Cut here: an alert is a message, not an archive.
const LONGEST: usize = 64 << 10;

/// A running receiver; it ends when this is dropped.
pub(super) struct Receiver {
    server: MockServer,
    host: String,
}

struct Stamp {
    recorder: Arc<Recorder>,
}

impl Respond for Stamp {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body = &request.body[..request.body.len().min(LONGEST)];
        let body = if body.is_empty() {
            request.url.query().unwrap_or_default().to_owned()
        } else {
            String::from_utf8_lossy(body).into_owned()
        };
        let answered = 200;
        // A full disk is found by the next event of the drill itself; the sender must not suffer for it.
        let _ = self.recorder.event(Event::Alert {
            kind: kind(&body),
            answered,
            body,
        });
        ResponseTemplate::new(answered)
    }
}

/// The field `kind` of a JSON body, at the top or one level down; empty when there is none.
fn kind(body: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let of = |value: &serde_json::Value| {
        value
            .get("kind")
            .and_then(|kind| kind.as_str())
            .map(str::to_owned)
    };
    of(&json)
        .or_else(|| json.as_object()?.values().find_map(of))
        .unwrap_or_default()
}

impl Receiver {
    /// Listens on an address that the services can reach.
    pub(super) async fn start(bind: IpAddr, host: String, recorder: Recorder) -> std::io::Result<Self> {
        let listener = TcpListener::bind((bind, 0))?;
        let server = MockServer::builder()
            .listener(listener)
            .disable_request_recording()
            .start()
            .await;
        Mock::given(any())
            .respond_with(Stamp {
                recorder: Arc::new(recorder),
            })
            .mount(&server)
            .await;
        Ok(Self { server, host })
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
    fn the_kind_is_found_at_the_top_and_one_level_down() {
        assert_eq!(kind(r#"{"kind":"rolled-back"}"#), "rolled-back");
        assert_eq!(kind(r#"{"custom_details":{"kind":"rejected"}}"#), "rejected");
        assert_eq!((kind("not json"), kind("[1]")), (String::new(), String::new()));
    }
}
