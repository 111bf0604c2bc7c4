//! Telling people: alerts to webhook receivers.
//!
//! Faces the control on one side (events, through [`Alerts`], which is a [`Listener`] and never blocks) and receivers
//! on the other. An event that people must know of becomes a [`Notice`] in a task of its own: that is where the log is
//! read and filtered and the releases are compared. Each receiver then has a bounded queue and a task: one that is down
//! delays nobody else.

mod alertmanager;
mod datadog;
mod delivery;
mod jenkins;
mod json;
mod log;
mod notice;
mod pagerduty;
mod receiver;
mod trigger;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::mpsc;

pub use delivery::Patience;
pub use notice::{Notice, Severity};
pub use receiver::{Body, Outgoing, Receiver};

use crate::difference;
use crate::event::{Event, Listener, Record};

/// The `[alert]` table of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whom to tell.
    pub receiver: Vec<Receiver>,
    /// The folder in which each release writes its log, as `RELEASE.log`.
    pub logs: Option<PathBuf>,
    /// What is known of releases, by name: to show what changed.
    pub release: BTreeMap<String, difference::Release>,
    /// How delivery is tried.
    pub patience: Patience,
}

/// Alerts that wait for one receiver, and events that wait to become alerts. What does not fit is said in the log.
const QUEUE: usize = 64;

/// Sends alerts in the background.
#[derive(Debug)]
pub struct Alerts {
    queue: Option<mpsc::Sender<Record>>,
}

impl Alerts {
    /// Starts the sender; call it inside a tokio runtime. It ends, after a last try at each alert, when this is dropped.
    pub fn start(settings: Settings) -> Self {
        if settings.receiver.is_empty() {
            return Self { queue: None };
        }
        let client = match delivery::client(settings.patience) {
            Ok(client) => client,
            Err(error) => {
                tracing::error!("nobody is alerted: no HTTP client can be made: {error}");
                return Self { queue: None };
            }
        };
        let receivers: Vec<mpsc::Sender<Arc<Notice>>> = settings
            .receiver
            .iter()
            .map(|receiver| {
                let (queue, notices) = mpsc::channel(QUEUE);
                let (client, patience) = (client.clone(), settings.patience);
                tokio::spawn(delivery::deliver(client, receiver.clone(), notices, patience));
                queue
            })
            .collect();
        let (queue, events) = mpsc::channel(QUEUE);
        tokio::spawn(compose(Arc::new(settings), events, receivers));
        Self { queue: Some(queue) }
    }
}

impl Listener for Alerts {
    fn hear(&self, record: &Record) {
        let Some(queue) = self.queue.as_ref().filter(|_| is_news(&record.event)) else {
            return;
        };
        if queue.try_send(record.clone()).is_err() {
            tracing::error!(
                "event {} is not told to anybody: too many alerts wait",
                record.number
            );
        }
    }
}

/// Whether people are told: of what went wrong, not of what goes as it should.
fn is_news(event: &Event) -> bool {
    match event {
        Event::Rejected { .. }
        | Event::RolledBack { .. }
        | Event::SharedCause { .. }
        | Event::Failing { .. }
        | Event::StandbyAnswers { .. } => true,
        Event::Started { .. }
        | Event::Registered { .. }
        | Event::GatePassed { .. }
        | Event::GateSkipped { .. }
        | Event::Promoted { .. }
        | Event::Settled { .. } => false,
    }
}

/// Makes notices of events, in order, and puts each into every receiver's queue.
async fn compose(
    settings: Arc<Settings>,
    mut events: mpsc::Receiver<Record>,
    receivers: Vec<mpsc::Sender<Arc<Notice>>>,
) {
    while let Some(record) = events.recv().await {
        let (number, settings) = (record.number, Arc::clone(&settings));
        let notice = tokio::task::spawn_blocking(move || Notice::new(&settings, &record)).await;
        let Ok(notice) = notice.map(Arc::new) else {
            tracing::error!("event {number} is not told to anybody: its alert could not be written");
            continue;
        };
        for (receiver, queue) in receivers.iter().enumerate() {
            if queue.try_send(Arc::clone(&notice)).is_err() {
                tracing::error!(
                    "event {number} is not told to receiver {}: too many alerts wait for it",
                    receiver + 1
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wiremock::matchers::{any, body_partial_json};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    pub(super) fn rolled_back() -> Record {
        let event = Event::RolledBack {
            release: "v2".into(),
            slot: "green".into(),
            to: "v1".into(),
            reason: "3 requests failed on v2 that v1 answered".into(),
            pairs: vec![crate::event::Pair {
                at: jiff::Timestamp::UNIX_EPOCH,
                request: "POST /your-url".into(),
                new: "500 Internal Server Error".into(),
                old: 200,
            }],
            after_ms: 130,
        };
        Record {
            number: 7,
            at: jiff::Timestamp::UNIX_EPOCH,
            event,
        }
    }

    fn settings(url: &str) -> Settings {
        let patience = "first_pause = \"1ms\"\nlongest_pause = \"5ms\"\ntimeout = \"2s\"\ngive_up = \"5s\"\n";
        let text = format!("[[receiver]]\nkind = \"json\"\nurl = \"{url}\"\n[patience]\n{patience}");
        toml::from_str(&text).unwrap()
    }

    /// Waits until the server has had so many requests.
    async fn until_heard(server: &MockServer, times: usize) {
        let heard = async {
            while server.received_requests().await.unwrap_or_default().len() < times {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), heard)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn an_alert_arrives_although_its_receiver_fails_twice_first() {
        let server = MockServer::start().await;
        let failing = Mock::given(any()).respond_with(ResponseTemplate::new(500));
        failing.up_to_n_times(2).mount(&server).await;
        Mock::given(body_partial_json(serde_json::json!({ "kind": "rolled-back" })))
            .respond_with(ResponseTemplate::new(200))
            .expect(1)
            .mount(&server)
            .await;
        let alerts = Alerts::start(settings(&server.uri()));
        alerts.hear(&rolled_back());
        until_heard(&server, 3).await;
    }

    #[tokio::test]
    async fn a_refused_alert_is_not_sent_again_and_the_next_one_is() {
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(400))
            .expect(2)
            .mount(&server)
            .await;
        let alerts = Alerts::start(settings(&server.uri()));
        alerts.hear(&rolled_back());
        alerts.hear(&rolled_back());
        until_heard(&server, 2).await;
    }

    #[tokio::test]
    async fn what_goes_as_it_should_is_not_told() {
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(200))
            .mount(&server)
            .await;
        let alerts = Alerts::start(settings(&server.uri()));
        let settled = Record {
            event: Event::Settled {
                release: "v3.1".into(),
            },
            ..rolled_back()
        };
        alerts.hear(&settled);
        alerts.hear(&rolled_back());
        until_heard(&server, 1).await;
        let body = String::from_utf8(server.received_requests().await.unwrap()[0].body.clone()).unwrap();
        assert!(body.contains("rolled-back"), "{body}");
    }

    #[tokio::test]
    async fn a_receiver_that_hangs_blocks_neither_the_control_nor_the_others() {
        let (hangs, works) = (MockServer::start().await, MockServer::start().await);
        let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
        Mock::given(any()).respond_with(slow).mount(&hangs).await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(200))
            .mount(&works)
            .await;
        let mut settings = settings(&hangs.uri());
        settings.receiver.extend(self::settings(&works.uri()).receiver);
        let alerts = Alerts::start(settings);
        let before = std::time::Instant::now();
        (0..10 * QUEUE).for_each(|_| alerts.hear(&rolled_back()));
        assert!(
            before.elapsed() < Duration::from_secs(1),
            "hearing returns at once"
        );
        until_heard(&works, 10).await;
    }
}
