//! The kinds of receivers. Each kind is one small file with its settings and a pure function from a notice to a request.

use firedrill_logs::Secret;
use serde::Deserialize;

use super::request::{AlertRequest, origin};
use super::{Notice, alertmanager, datadog, jenkins, json, pagerduty, trigger};

/// A receiver of alerts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Receiver {
    /// The notice itself, as JSON.
    Json(json::Settings),
    /// A JSON template with `$VARIABLES`, as in Datadog's webhooks.
    Datadog(datadog::Settings),
    /// The webhook format of Prometheus' Alertmanager, version 4.
    Alertmanager(alertmanager::Settings),
    /// PagerDuty, Events API version 2.
    Pagerduty(pagerduty::Settings),
    /// A parameterised Jenkins job.
    Jenkins(jenkins::Settings),
    /// Jenkins' generic webhook trigger.
    WebhookTrigger(trigger::Settings),
}

impl Receiver {
    /// The request that carries an alert to this receiver.
    pub fn request(&self, notice: &Notice) -> AlertRequest {
        match self {
            Self::Json(settings) => json::request(settings, notice),
            Self::Datadog(settings) => datadog::request(settings, notice),
            Self::Alertmanager(settings) => alertmanager::request(settings, notice),
            Self::Pagerduty(settings) => pagerduty::request(settings, notice),
            Self::Jenkins(settings) => jenkins::request(settings, notice),
            Self::WebhookTrigger(settings) => trigger::request(settings, notice),
        }
    }

    /// Its kind, as written in the configuration.
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

    /// The scheme, host and port of its address, which contain no secret.
    pub fn origin(&self) -> String {
        origin(self.url().expose())
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

    /// The secrets in its settings.
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
    fn an_invalid_address_is_refused_when_the_configuration_is_read() {
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

    /// The receiver of this configuration, and its request for a sample notice.
    pub(in super::super) fn request_of(text: &str) -> (Receiver, AlertRequest) {
        let receiver: Receiver = toml::from_str(text).unwrap();
        let request = receiver.request(&super::super::notice::tests::notice());
        (receiver, request)
    }
}
