//! `kind = "alertmanager"`: the webhook format of Prometheus' Alertmanager, version 4, for receivers that already read it.

use firedrill_logs::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Notice;
use super::request::{AlertRequest, address};
use crate::durable_file::fnv_1a;

/// `kind = "alertmanager"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address.
    #[serde(deserialize_with = "address")]
    pub url: Secret,
}

/// The request that carries an alert.
pub(super) fn request(settings: &Settings, notice: &Notice) -> AlertRequest {
    let labels = json!({
        "alertname": "release",
        "kind": notice.kind,
        "release": notice.release,
        "severity": notice.severity.name(),
        "id": notice.id(),
    });
    let annotations = json!({
        "summary": notice.title,
        "description": notice.reason,
        "reading": notice.explanation(),
        "excerpt": notice.excerpt,
        "difference": notice.changes(),
    });
    let started = notice.decided_at.to_string();
    let alert = json!({
        "status": "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": started,
        // Alertmanager's value for an alert that has not ended.
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": fingerprint(&labels),
    });
    let body = json!({
        "version": "4",
        // A group for each alert: receivers drop repeats within a group.
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
    AlertRequest::json(&settings.url, body)
}

/// Identifies an alert: Prometheus' FNV-1a over the sorted labels. The byte 0xff, which UTF-8 never contains, ends each
/// name and value.
fn fingerprint(labels: &Value) -> String {
    let mut labels: Vec<(&str, &str)> = labels
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()))
        .collect();
    // As Prometheus does: sorted, with a byte between that no UTF-8 text has.
    labels.sort_unstable();
    let bytes = labels
        .into_iter()
        .flat_map(|(name, value)| [name, value])
        .flat_map(|text| text.bytes().chain([0xff]));
    format!("{:016x}", fnv_1a(bytes))
}

#[cfg(test)]
mod tests {
    use super::super::{receiver::tests::request_of, request::Body};

    /// Prometheus' `model.LabelSet.Fingerprint` of no labels is FNV-1a's offset basis.
    #[test]
    fn a_fingerprint_depends_on_the_labels_alone() {
        let of = super::fingerprint;
        assert_eq!(of(&serde_json::json!({})), "cbf29ce484222325");
        let (one, same) = (
            serde_json::json!({"a": "1", "b": "2"}),
            serde_json::json!({"b": "2", "a": "1"}),
        );
        assert_eq!(of(&one), of(&same));
        assert_ne!(of(&one), of(&serde_json::json!({"a": "1", "b": "3"})));
    }

    #[test]
    fn the_body_is_alertmanagers_version_4() {
        let Body::Json(body) = request_of("kind = \"alertmanager\"\nurl = \"http://sink/\"")
            .1
            .body
        else {
            panic!("not JSON")
        };
        insta::assert_json_snapshot!(body, { ".**.excerpt" => "[excerpt]", ".**.difference" => "[difference]" });
    }
}
