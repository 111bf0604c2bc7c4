//! Delivery to one receiver: tried again with growing pauses until it is taken, refused, or too old.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::told::Told;
use super::{Body, Notice, Outgoing, Receiver, tls};
use crate::config::span;
use crate::form;
use crate::upstream::said;

/// How delivery is tried; times as people write them: "100ms".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Patience {
    /// The pause after the first failure; it doubles with each further one.
    #[serde(deserialize_with = "span")]
    pub first_pause: Duration,
    /// The longest pause.
    #[serde(deserialize_with = "span")]
    pub longest_pause: Duration,
    /// How long a try may take.
    #[serde(deserialize_with = "span")]
    pub timeout: Duration,
    /// An alert that could not be delivered for so long is given up.
    #[serde(deserialize_with = "span")]
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
    /// The pause after so many failures, from 1.
    fn pause(self, failures: u32) -> Duration {
        let doubled = self.first_pause.saturating_mul(1 << (failures - 1).min(20));
        doubled.min(self.longest_pause)
    }
}

/// What a try came to.
enum Try {
    Taken,
    /// It may work later.
    Again(String),
    /// The receiver will never take it.
    Refused(String),
}

/// Delivers what comes out of the queue, one alert at a time and in order, until the queue is closed. What is done with,
/// delivered or given up, is written down: after a kill the others are delivered again.
pub(super) async fn deliver(
    client: tls::Client,
    (name, receiver): (String, Receiver),
    mut notices: mpsc::Receiver<Arc<Notice>>,
    patience: Patience,
    told: Arc<Told>,
) {
    let whom = receiver.shown();
    while let Some(notice) = notices.recv().await {
        let request = receiver.request(&notice);
        let what = format!("alert {} ({})", notice.number, notice.kind);
        match persist(&client, &request, patience, &what).await {
            Ok(tries) => tracing::info!("{what} was taken by {whom} at try {tries}"),
            Err(why) => tracing::error!("{what} was not taken by {whom}: {why}"),
        }
        let (told, name, number) = (Arc::clone(&told), name.clone(), notice.number);
        drop(tokio::task::spawn_blocking(move || told.done(&name, number)).await);
    }
}

/// Tries until it is taken; how many tries that took, or why it is given up.
async fn persist(
    client: &tls::Client,
    request: &Outgoing,
    patience: Patience,
    what: &str,
) -> Result<u32, String> {
    let give_up = Instant::now() + patience.give_up;
    for tries in 1u32.. {
        let why = match attempt(client, request, patience.timeout).await {
            Try::Taken => return Ok(tries),
            Try::Refused(why) => return Err(why),
            Try::Again(why) => why,
        };
        let next = Instant::now() + patience.pause(tries);
        if next >= give_up {
            return Err(format!("given up after {tries} tries: {why}"));
        }
        tracing::warn!("{what}: try {tries}: {why}");
        // The pause between two tries is a time by its nature: nothing tells when a receiver is back.
        tokio::time::sleep_until(next).await;
    }
    Err("given up".into())
}

async fn attempt(client: &tls::Client, request: &Outgoing, within: Duration) -> Try {
    let call = match posted(request) {
        Ok(call) => call,
        Err(error) => return Try::Refused(error.to_string()),
    };
    match timeout(within, client.request(call)).await {
        Err(_) => Try::Again(format!("no answer within {within:?}")),
        // The address is not in the error's text: it may have a token in it.
        Ok(Err(error)) => Try::Again(said(&error)),
        Ok(Ok(answer)) => match answer.status() {
            status if status.is_success() => Try::Taken,
            status if status.is_server_error() || matches!(status.as_u16(), 408 | 429) => {
                Try::Again(format!("{status}"))
            }
            status => Try::Refused(format!("{status}")),
        },
    }
}

fn posted(request: &Outgoing) -> http::Result<Request<Full<Bytes>>> {
    let (media_type, body) = match &request.body {
        Body::Json(body) => ("application/json", body.to_string()),
        Body::Form(fields) => (
            form::MEDIA_TYPE,
            form::encode(fields.iter().map(|(name, text)| (name, text))),
        ),
    };
    let mut call = Request::post(request.url.expose()).header(header::CONTENT_TYPE, media_type);
    if let Some(authorization) = &request.authorization {
        call = call.header(header::AUTHORIZATION, authorization.expose());
    }
    call.body(Full::new(Bytes::from(body)))
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
