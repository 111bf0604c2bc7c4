//! `kind = "pagerduty"`: PagerDuty's Events API version 2, an event that triggers an incident.
//!
//! All attempts at one alert have the same `dedup_key`: a lost answer does not page twice.

use firedrill_logs::Secret;
use serde::Deserialize;
use serde_json::json;

use super::Notice;
use super::request::{AlertRequest, address};

/// `kind = "pagerduty"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address: `https://events.pagerduty.com/v2/enqueue`, or a relay.
    #[serde(deserialize_with = "address")]
    pub url: Secret,
    /// The integration key.
    pub routing_key: Secret,
}

/// PagerDuty refuses a longer summary, in characters.
const MAX_SUMMARY: usize = 1024;

/// The request that carries an alert.
pub(super) fn request(settings: &Settings, notice: &Notice) -> AlertRequest {
    // PagerDuty refuses an event with a longer summary.
    let summary: String = format!("{}: {}", notice.title, notice.reason)
        .chars()
        .take(MAX_SUMMARY)
        .collect();
    let body = json!({
        "routing_key": settings.routing_key.expose(),
        "event_action": "trigger",
        "dedup_key": notice.id(),
        "client": "edge",
        "payload": {
            "summary": summary,
            "source": "edge",
            "severity": notice.severity.name(),
            "timestamp": notice.decided_at.to_string(),
            "component": notice.release,
            "class": notice.kind,
            "custom_details": {
                "kind": notice.kind,
                "release": notice.release,
                "last_working": notice.last_working,
                "reason": notice.reason,
                "evidence": notice.evidence,
                "reading": notice.explanation(),
                "excerpt": notice.excerpt,
                "difference": notice.changes(),
            },
        },
    });
    AlertRequest::json(&settings.url, body)
}

#[cfg(test)]
mod tests {
    use super::super::{receiver::tests::request_of, request::Body};

    #[test]
    fn the_body_is_an_event_of_version_2() {
        let text = "kind = \"pagerduty\"\nurl = \"http://relay:9000/v2/enqueue\"\nrouting_key = \"hunter2\"";
        let (receiver, request) = request_of(text);
        assert_eq!(receiver.origin(), "http://relay:9000");
        let Body::Json(body) = request.body else {
            panic!("not JSON")
        };
        insta::assert_json_snapshot!(body, { ".**.excerpt" => "[excerpt]", ".**.difference" => "[difference]" });
    }
}
