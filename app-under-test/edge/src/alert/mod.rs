//! Alerts to people, through webhook receivers.
//!
//! Takes events from the control ([`Alerts`] is a [`Listener`] and never blocks it), gives HTTP requests to receivers. A
//! task turns an event that people must know of into a [`Notice`]: it reads and filters the log and compares the releases.
//! Each receiver has a bounded queue and a task of its own, so a receiver that is down delays no other. What a receiver
//! had not acknowledged when the edge was killed is sent after the restart.

mod alertmanager;
mod cursor;
mod datadog;
mod delivery;
mod jenkins;
mod json;
mod log;
mod notice;
mod pagerduty;
mod receiver;
mod request;
mod tls;
mod trigger;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firedrill_logs::{ReleaseDetails, Secret};
use serde::Deserialize;
use tokio::sync::mpsc;

pub use delivery::Patience;
pub use notice::{Notice, Severity};
pub use receiver::Receiver;
pub use request::{AlertRequest, Body};
pub use tls::Error;

use crate::event::{Event, Listener, Record};
use cursor::DeliveryCursors;

/// The `[alert]` table of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The receivers.
    pub receiver: Vec<Receiver>,
    /// The folder in which each release writes its log, as `RELEASE.log`.
    pub logs: Option<PathBuf>,
    /// A PEM file of authorities to trust in addition to the public ones.
    pub ca: Option<PathBuf>,
    /// Sources and configuration of releases, by release name, to show what changed.
    pub release: BTreeMap<String, ReleaseDetails>,
    /// How delivery is repeated.
    pub patience: Patience,
    /// Secrets from the rest of the configuration, which no alert may contain. The receivers' own are added to them.
    #[serde(skip)]
    pub secrets: Vec<Secret>,
}

/// Alerts that wait for one receiver, and events that wait to become alerts. Further ones are dropped and logged.
const QUEUE: usize = 256;

/// Sends alerts in the background.
pub struct Alerts {
    queue: mpsc::Sender<Record>,
    receivers: Vec<String>,
    cursors: Arc<DeliveryCursors>,
}

impl Alerts {
    /// Starts the sender; call it inside a tokio runtime. The delivery cursors are stored in `folder`.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up, for example because of an unusable file of certificates.
    pub fn start(settings: Settings, folder: &Path) -> Result<Self, Error> {
        let client = tls::client(settings.ca.as_deref())?;
        let cursors = Arc::new(DeliveryCursors::open(folder));
        let names = cursor::names(&settings.receiver);
        let named = names.iter().cloned().zip(settings.receiver.iter().cloned());
        let receivers = named
            .map(|(name, receiver)| {
                let (queue, notices) = mpsc::channel(QUEUE);
                let (client, cursors) = (client.clone(), Arc::clone(&cursors));
                let named = (name.clone(), receiver);
                tokio::spawn(delivery::deliver(
                    client,
                    named,
                    notices,
                    settings.patience,
                    cursors,
                ));
                (name, queue)
            })
            .collect();
        let (queue, events) = mpsc::channel(QUEUE);
        tokio::spawn(compose(
            Arc::new(settings),
            events,
            receivers,
            Arc::clone(&cursors),
        ));
        Ok(Self {
            queue,
            receivers: names,
            cursors,
        })
    }
}

impl Listener for Alerts {
    fn resume(&self, decided: &[Record]) {
        let latest = decided.last().map_or(0, |record| record.number);
        self.cursors.resume(&self.receivers, latest);
        // Everything behind the slowest cursor is composed again; faster receivers skip what they have had.
        let slowest = self.receivers.iter().map(|name| self.cursors.get(name)).min();
        decided
            .iter()
            .filter(|record| record.number > slowest.unwrap_or(latest))
            .for_each(|record| self.on_event(record));
    }

    fn on_event(&self, record: &Record) {
        if self.receivers.is_empty() || !needs_alert(&record.event) {
            return;
        }
        // Never waits: the caller writes the decisions to disk.
        if self.queue.try_send(record.clone()).is_err() {
            tracing::error!("event {}: alert dropped because the queue is full", record.number);
        }
    }
}

/// Whether people are alerted: when something went wrong, not when everything goes as planned.
fn needs_alert(event: &Event) -> bool {
    match event {
        Event::StateDamaged { .. }
        | Event::Rejected { .. }
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

/// Turns events into notices, in order, and queues each for every receiver whose cursor is before it.
async fn compose(
    settings: Arc<Settings>,
    mut events: mpsc::Receiver<Record>,
    receivers: Vec<(String, mpsc::Sender<Arc<Notice>>)>,
    cursors: Arc<DeliveryCursors>,
) {
    while let Some(record) = events.recv().await {
        let (number, settings) = (record.number, Arc::clone(&settings));
        // It reads files of any size; a panic in it ends this alert alone.
        let notice = tokio::task::spawn_blocking(move || Notice::new(&settings, &record)).await;
        let Ok(notice) = notice.map(Arc::new) else {
            tracing::error!("event {number}: alert dropped because composing it panicked");
            continue;
        };
        for (name, queue) in &receivers {
            // A faster receiver has had it before the restart.
            if cursors.get(name) < number && queue.try_send(Arc::clone(&notice)).is_err() {
                tracing::error!("event {number}: alert to {name} dropped because its queue is full");
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

    /// Waits until the server has received this many requests.
    async fn until_requests(server: &MockServer, times: usize) {
        let received = async {
            while server.received_requests().await.unwrap_or_default().len() < times {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), received)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn an_alert_is_delivered_after_two_failed_attempts() {
        let server = MockServer::start().await;
        let failing = Mock::given(any()).respond_with(ResponseTemplate::new(500));
        failing.up_to_n_times(2).mount(&server).await;
        Mock::given(body_partial_json(serde_json::json!({ "kind": "rolled-back" })))
            .respond_with(ResponseTemplate::new(200))
            .expect(1)
            .mount(&server)
            .await;
        let (_folder, alerts) = started(settings(&server.uri()));
        alerts.on_event(&rolled_back());
        until_requests(&server, 3).await;
    }

    #[tokio::test]
    async fn a_refused_alert_is_not_repeated_and_the_next_one_is_sent() {
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(400))
            .expect(2)
            .mount(&server)
            .await;
        let (_folder, alerts) = started(settings(&server.uri()));
        alerts.on_event(&numbered(1));
        alerts.on_event(&numbered(2));
        until_requests(&server, 2).await;
    }

    #[tokio::test]
    async fn a_release_that_settles_causes_no_alert() {
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
        alerts.on_event(&settled);
        alerts.on_event(&rolled_back());
        until_requests(&server, 1).await;
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
        (1..=10 * QUEUE as u64).for_each(|number| alerts.on_event(&numbered(number)));
        // A second alert would reach the receiver that hangs only after its first answer: nothing above waited for that.
        assert!(
            hangs.received_requests().await.unwrap().len() <= 1,
            "on_event must not wait for a receiver"
        );
        until_requests(&works, 10).await;
    }
}
