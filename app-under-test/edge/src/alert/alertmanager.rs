//! What Prometheus' Alertmanager sends to its webhooks, version 4 of that format, so that whatever understands it
//! understands us.

use serde::Deserialize;
use serde_json::json;

use super::receiver::address;
use super::{Notice, Outgoing};
use crate::redact::Secret;

/// `kind = "alertmanager"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where to.
    #[serde(deserialize_with = "address")]
    pub url: Secret,
}

pub(super) fn request(settings: &Settings, notice: &Notice) -> Outgoing {
    let labels = json!({
        "alertname": "release",
        "kind": notice.kind,
        "release": notice.release,
        "severity": notice.severity.name(),
    });
    let annotations = json!({
        "summary": notice.title,
        "description": notice.reason,
        "reading": notice.reading(),
        "excerpt": notice.excerpt,
        "difference": notice.changes(),
    });
    let started = notice.decided_at.to_string();
    let alert = json!({
        "status": "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": started,
        // Alertmanager's own way to say that it has not ended.
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": format!("{:016x}", notice.number),
    });
    let body = json!({
        "version": "4",
        "groupKey": format!("{{}}:{{alertname=\"release\", id=\"{}\"}}", notice.id()),
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "edge",
        "groupLabels": { "alertname": "release" },
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [alert],
    });
    Outgoing::json(&settings.url, body)
}

#[cfg(test)]
mod tests {
    use super::super::{Body, receiver::tests::sent};

    #[test]
    fn the_body_is_alertmanagers_version_4() {
        let Body::Json(body) = sent("kind = \"alertmanager\"\nurl = \"http://sink/\"").1.body else {
            panic!("no JSON")
        };
        insta::assert_json_snapshot!(body, { ".**.excerpt" => "[excerpt]", ".**.difference" => "[difference]" });
    }
}
