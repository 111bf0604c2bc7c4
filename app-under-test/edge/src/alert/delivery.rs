//! Delivery to one receiver, in order: each alert is repeated with growing pauses until it is accepted, refused, or given
//! up.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::cursor::DeliveryCursors;
use super::request::AlertRequest;
use super::{Notice, Receiver, tls};
use crate::duration::{with_unit, words};
use crate::upstream::with_causes;

/// How delivery is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Patience {
    /// The pause after the first failed attempt; it doubles with each further one.
    #[serde(deserialize_with = "with_unit")]
    pub first_pause: Duration,
    /// The longest pause.
    #[serde(deserialize_with = "with_unit")]
    pub longest_pause: Duration,
    /// How long one attempt may take.
    #[serde(deserialize_with = "with_unit")]
    pub timeout: Duration,
    /// An alert is given up when it cannot be delivered for this long.
    #[serde(deserialize_with = "with_unit")]
    pub give_up: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            give_up: Duration::from_secs(900),
        }
    }
}

impl Patience {
    /// The pause after this many failures, at least 1.
    fn pause(self, failures: u32) -> Duration {
        // The shift is limited because 1 << 32 overflows; the longest pause is reached long before that.
        let doubled = self.first_pause.saturating_mul(1 << (failures - 1).min(20));
        doubled.min(self.longest_pause)
    }
}

/// How one attempt ended.
enum Attempt {
    Accepted,
    /// It failed for a reason that may pass.
    Retry(String),
    /// The receiver will never accept this alert.
    Refused(String),
}

/// Delivers the alerts of a queue, one at a time and in order, until the queue is closed. After each one, accepted or
/// given up, the receiver's cursor is advanced; after a kill, delivery continues behind the cursor.
pub(super) async fn deliver(
    client: tls::Client,
    (name, receiver): (String, Receiver),
    mut notices: mpsc::Receiver<Arc<Notice>>,
    patience: Patience,
    cursors: Arc<DeliveryCursors>,
) {
    let origin = receiver.origin();
    while let Some(notice) = notices.recv().await {
        let request = receiver.request(&notice);
        let alert = format!("alert {} ({})", notice.number, notice.kind);
        match deliver_one(&client, &request, patience, &alert).await {
            Ok(1) => tracing::info!("{alert}: accepted by {origin}"),
            Ok(attempts) => tracing::info!("{alert}: accepted by {origin} after {attempts} attempts"),
            Err(reason) => tracing::error!("{alert}: not delivered to {origin}: {reason}"),
        }
        // Also after an alert that was given up: it would stop those behind it after every restart.
        let (cursors, name, number) = (Arc::clone(&cursors), name.clone(), notice.number);
        drop(tokio::task::spawn_blocking(move || cursors.advance(&name, number)).await);
    }
}

/// Why an alert was not delivered.
#[derive(Debug, thiserror::Error)]
enum Undelivered {
    /// The receiver will never accept it.
    #[error("{0}")]
    Refused(String),
    /// It was not accepted in time; the last failure.
    #[error("given up after {attempts} attempts: {last}")]
    GivenUp { attempts: u32, last: String },
}

/// Repeats until the alert is accepted; the number of attempts.
async fn deliver_one(
    client: &tls::Client,
    request: &AlertRequest,
    patience: Patience,
    alert: &str,
) -> Result<u32, Undelivered> {
    let give_up = Instant::now() + patience.give_up;
    let mut attempts = 1;
    loop {
        let last = match attempt(client, request, patience.timeout).await {
            Attempt::Accepted => return Ok(attempts),
            Attempt::Refused(reason) => return Err(Undelivered::Refused(reason)),
            Attempt::Retry(reason) => reason,
        };
        let next = Instant::now() + patience.pause(attempts);
        if next >= give_up {
            return Err(Undelivered::GivenUp { attempts, last });
        }
        tracing::warn!("{alert}: attempt {attempts} failed: {last}");
        // There is no condition to wait for: nothing signals when a receiver is back.
        tokio::time::sleep_until(next).await;
        attempts += 1;
    }
}

async fn attempt(client: &tls::Client, request: &AlertRequest, within: Duration) -> Attempt {
    let request = match request.to_http() {
        Ok(request) => request,
        Err(error) => return Attempt::Refused(error.to_string()),
    };
    match timeout(within, client.request(request)).await {
        Err(_) => Attempt::Retry(format!("no answer within {}", words(within))),
        // The error does not contain the address, which may hold a token.
        Ok(Err(error)) => Attempt::Retry(with_causes(&error)),
        Ok(Ok(answer)) => match answer.status() {
            status if status.is_success() => Attempt::Accepted,
            // 408 and 429 ask for a later attempt; any other 4xx would be refused again.
            status if status.is_server_error() || matches!(status.as_u16(), 408 | 429) => {
                Attempt::Retry(format!("{status}"))
            }
            status => Attempt::Refused(format!("{status}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pauses_grow_and_stay_below_the_longest(failures in 1u32..200) {
            let patience = Patience::default();
            let (this, next) = (patience.pause(failures), patience.pause(failures + 1));
            prop_assert!(this <= next && next <= patience.longest_pause);
        }
    }
}
