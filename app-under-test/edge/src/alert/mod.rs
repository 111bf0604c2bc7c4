//! Telling people: alerts to webhook receivers.
//!
//! Faces the control on one side (events, through [`Alerts`], which is a [`Listener`] and never blocks) and receivers
//! on the other. An event that people must know of becomes a [`Notice`] in a task of its own: that is where the log is
//! read and filtered and the releases are compared. Each receiver then has a bounded queue and a task: one that is down
//! delays nobody else. What a receiver has not been told of when the edge is killed, it is told after the restart.

mod alertmanager;
mod datadog;
mod delivery;
mod jenkins;
mod json;
mod log;
mod notice;
mod pagerduty;
mod receiver;
mod tls;
mod told;
mod trigger;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::mpsc;

pub use delivery::Patience;
pub use notice::{Notice, Severity};
pub use receiver::{Body, Outgoing, Receiver};
pub use tls::Error;

use crate::difference;
use crate::event::{Event, Listener, Record};
use crate::redact::Secret;
use told::Told;

/// The `[alert]` table of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whom to tell.
    pub receiver: Vec<Receiver>,
    /// The folder in which each release writes its log, as `RELEASE.log`.
    pub logs: Option<PathBuf>,
    /// A file of certificates (PEM) of authorities that receivers' certificates may come from, besides the public ones.
    pub ca: Option<PathBuf>,
    /// What is known of releases, by name: to show what changed.
    pub release: BTreeMap<String, difference::Release>,
    /// How delivery is tried.
    pub patience: Patience,
    /// What must not be told besides the receivers' own secrets: filled in from the rest of the configuration.
    #[serde(skip)]
    pub secrets: Vec<Secret>,
}

/// Alerts that wait for one receiver, and events that wait to become alerts. What does not fit is said in the log.
const QUEUE: usize = 256;

/// Sends alerts in the background.
pub struct Alerts {
    queue: mpsc::Sender<Record>,
    receivers: Vec<String>,
    told: Arc<Told>,
}

impl Alerts {
    /// Starts the sender; call it inside a tokio runtime. In `folder` it keeps how far everybody has been told.
    ///
    /// # Errors
    /// When no client can be made: a file of certificates that cannot be used, say.
    pub fn start(settings: Settings, folder: &Path) -> Result<Self, Error> {
        let client = tls::client(settings.ca.as_deref())?;
        let told = Arc::new(Told::open(folder));
        let names = told::names(&settings.receiver);
        let named = names.iter().cloned().zip(settings.receiver.iter().cloned());
        let receivers = named
            .map(|(name, receiver)| {
                let (queue, notices) = mpsc::channel(QUEUE);
                let (client, told) = (client.clone(), Arc::clone(&told));
                let whom = (name.clone(), receiver);
                tokio::spawn(delivery::deliver(client, whom, notices, settings.patience, told));
                (name, queue)
            })
            .collect();
        let (queue, events) = mpsc::channel(QUEUE);
        tokio::spawn(compose(Arc::new(settings), events, receivers, Arc::clone(&told)));
        Ok(Self {
            queue,
            receivers: names,
            told,
        })
    }
}

impl Listener for Alerts {
    fn resume(&self, decided: &[Record]) {
        let latest = decided.last().map_or(0, |record| record.number);
        self.told.resume(&self.receivers, latest);
        let everybody = self.receivers.iter().map(|name| self.told.up_to(name));
        let done = everybody.min().unwrap_or(latest);
        decided
            .iter()
            .filter(|record| record.number > done)
            .for_each(|record| self.hear(record));
    }

    fn hear(&self, record: &Record) {
        if self.receivers.is_empty() || !is_news(&record.event) {
            return;
        }
        if self.queue.try_send(record.clone()).is_err() {
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

/// Makes notices of events, in order, and puts each into the queue of every receiver that has not had it before.
async fn compose(
    settings: Arc<Settings>,
    mut events: mpsc::Receiver<Record>,
    receivers: Vec<(String, mpsc::Sender<Arc<Notice>>)>,
    told: Arc<Told>,
) {
    while let Some(record) = events.recv().await {
        let (number, settings) = (record.number, Arc::clone(&settings));
        let notice = tokio::task::spawn_blocking(move || Notice::new(&settings, &record)).await;
        let Ok(notice) = notice.map(Arc::new) else {
            tracing::error!("event {number} is not told to anybody: its alert could not be written");
            continue;
        };
        for (name, queue) in &receivers {
            if told.up_to(name) < number && queue.try_send(Arc::clone(&notice)).is_err() {
                tracing::error!("event {number} is not told to {name}: too many alerts wait for it");
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

    fn numbered(number: u64) -> Record {
        Record {
            number,
            ..rolled_back()
        }
    }

    fn started(settings: Settings) -> (tempfile::TempDir, Alerts) {
        let folder = tempfile::tempdir().unwrap();
        let alerts = Alerts::start(settings, folder.path()).unwrap();
        (folder, alerts)
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
        let (_folder, alerts) = started(settings(&server.uri()));
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
        let (_folder, alerts) = started(settings(&server.uri()));
        alerts.hear(&numbered(1));
        alerts.hear(&numbered(2));
        until_heard(&server, 2).await;
    }

    #[tokio::test]
    async fn what_goes_as_it_should_is_not_told() {
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(200))
            .mount(&server)
            .await;
        let (_folder, alerts) = started(settings(&server.uri()));
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
        let (_folder, alerts) = started(settings);
        let before = std::time::Instant::now();
        (1..=10 * QUEUE as u64).for_each(|number| alerts.hear(&numbered(number)));
        assert!(
            before.elapsed() < Duration::from_secs(1),
            "hearing returns at once"
        );
        until_heard(&works, 10).await;
    }
}
