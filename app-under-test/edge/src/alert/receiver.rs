//! Receivers by kind, and what is sent to them. One kind, one small file with a pure function: notice → request.

use std::fmt;

use serde::{Deserialize, Deserializer};

use super::{Notice, alertmanager, datadog, jenkins, json, pagerduty, trigger};
use crate::redact::{Secret, endpoint};

/// A receiver, as the configuration names it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Receiver {
    /// The notice itself, as JSON.
    Json(json::Settings),
    /// A JSON text of one's own with `$VARIABLES`, as Datadog's webhooks have them.
    Datadog(datadog::Settings),
    /// What Prometheus' Alertmanager sends to its webhooks, version 4.
    Alertmanager(alertmanager::Settings),
    /// PagerDuty, Events API version 2.
    Pagerduty(pagerduty::Settings),
    /// A parameterised Jenkins job.
    Jenkins(jenkins::Settings),
    /// Jenkins' generic webhook trigger.
    WebhookTrigger(trigger::Settings),
}

/// A receiver's address: `http` or `https`, without credentials, which would not be sent.
pub(super) fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
    use serde::de::Error;
    let url = Secret::deserialize(from)?;
    let parsed: http::Uri = url
        .expose()
        .parse()
        .map_err(|error| D::Error::custom(format!("the receiver's url: {error}")))?;
    if !matches!(parsed.scheme_str(), Some("http" | "https")) || parsed.host().is_none_or(str::is_empty) {
        return Err(D::Error::custom(
            "receivers are reached at `http://HOST/…` or `https://HOST/…`",
        ));
    }
    if parsed
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err(D::Error::custom(
            "a receiver's url takes no user and password: name a token",
        ));
    }
    Ok(url)
}

/// What is posted.
#[derive(Clone, PartialEq)]
pub enum Body {
    /// As `application/json`.
    Json(serde_json::Value),
    /// As `application/x-www-form-urlencoded`.
    Form(Vec<(&'static str, String)>),
}

/// A request to a receiver: always POST. It may hold secrets anywhere, so it prints only whom it is for.
#[derive(Clone, PartialEq)]
pub struct Outgoing {
    /// The whole address.
    pub url: Secret,
    /// `Authorization`, where the receiver wants it.
    pub authorization: Option<Secret>,
    /// The body.
    pub body: Body,
}

impl Outgoing {
    /// A JSON body without credentials.
    pub(super) fn json(url: &Secret, body: serde_json::Value) -> Self {
        Self {
            url: url.clone(),
            authorization: None,
            body: Body::Json(body),
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "POST to {}", endpoint(self.url.expose()))
    }
}

impl Receiver {
    /// The request that tells a receiver.
    pub fn request(&self, notice: &Notice) -> Outgoing {
        match self {
            Self::Json(settings) => json::request(settings, notice),
            Self::Datadog(settings) => datadog::request(settings, notice),
            Self::Alertmanager(settings) => alertmanager::request(settings, notice),
            Self::Pagerduty(settings) => pagerduty::request(settings, notice),
            Self::Jenkins(settings) => jenkins::request(settings, notice),
            Self::WebhookTrigger(settings) => trigger::request(settings, notice),
        }
    }

    /// Its kind, as the configuration names it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Json(_) => "json",
            Self::Datadog(_) => "datadog",
            Self::Alertmanager(_) => "alertmanager",
            Self::Pagerduty(_) => "pagerduty",
            Self::Jenkins(_) => "jenkins",
            Self::WebhookTrigger(_) => "webhook-trigger",
        }
    }

    /// Whom to tell, without anything secret.
    pub fn shown(&self) -> String {
        endpoint(self.url().expose())
    }

    fn url(&self) -> &Secret {
        match self {
            Self::Json(settings) => &settings.url,
            Self::Datadog(settings) => &settings.url,
            Self::Alertmanager(settings) => &settings.url,
            Self::Pagerduty(settings) => &settings.url,
            Self::Jenkins(settings) => &settings.url,
            Self::WebhookTrigger(settings) => &settings.url,
        }
    }

    /// What must not be printed of its settings.
    pub(super) fn secrets(&self) -> Vec<&Secret> {
        let mut secrets = vec![self.url()];
        match self {
            Self::Json(json::Settings { token, .. }) => secrets.extend(token),
            Self::Datadog(_) | Self::Alertmanager(_) => {}
            Self::Pagerduty(settings) => secrets.push(&settings.routing_key),
            Self::Jenkins(settings) => {
                secrets.extend([&settings.api_token, &settings.token].into_iter().flatten())
            }
            Self::WebhookTrigger(settings) => secrets.push(&settings.token),
        }
        secrets
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const ALL: &str = r#"
        [[receiver]]
        kind = "json"
        url = "http://hunter2.example/"
        token = "hunter2"
        [[receiver]]
        kind = "datadog"
        url = "http://hunter2.example/"
        [[receiver]]
        kind = "alertmanager"
        url = "http://hunter2.example/"
        [[receiver]]
        kind = "pagerduty"
        url = "http://hunter2.example/"
        routing_key = "hunter2"
        [[receiver]]
        kind = "jenkins"
        url = "http://hunter2.example/job/filter-logs"
        user = "edge"
        api_token = "hunter2"
        token = "hunter2"
        [[receiver]]
        kind = "webhook-trigger"
        url = "http://hunter2.example/"
        token = "hunter2"
    "#;

    #[test]
    fn no_kind_of_receiver_prints_its_secrets() {
        let settings: super::super::Settings = toml::from_str(ALL).unwrap();
        assert_eq!(settings.receiver.len(), 6);
        for receiver in &settings.receiver {
            let printed = format!(
                "{receiver:?} {:?}",
                receiver.request(&super::super::notice::tests::notice())
            );
            assert!(
                !printed.contains("token: Some(\"hunter2") && !printed.contains("hunter2\""),
                "{printed}"
            );
        }
    }

    #[test]
    fn an_address_that_cannot_be_told_is_refused_when_the_configuration_is_read() {
        let read =
            |url: &str| toml::from_str::<Receiver>(&format!("kind = \"alertmanager\"\nurl = \"{url}\""));
        assert!(read("https://hooks.example/hunter2").is_ok());
        for url in [
            "ftp://hooks.example/",
            "hooks.example",
            "/hook",
            "http://",
            "https://me:hunter2@hooks.example/",
        ] {
            let error = read(url).unwrap_err().to_string();
            assert!(error.contains("receiver"), "{url}: {error}");
        }
    }

    /// What a receiver of this text gets, for snapshots.
    pub(in super::super) fn sent(text: &str) -> (Receiver, Outgoing) {
        let receiver: Receiver = toml::from_str(text).unwrap();
        let request = receiver.request(&super::super::notice::tests::notice());
        (receiver, request)
    }
}
