//! PagerDuty, Events API version 2: an event that triggers an incident. Tries at the same alert have one `dedup_key`,
//! so that an answer that got lost does not page twice.

use serde::Deserialize;
use serde_json::json;

use super::receiver::address;
use super::{Notice, Outgoing};
use crate::redact::Secret;

/// `kind = "pagerduty"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where to: `https://events.pagerduty.com/v2/enqueue`, or what passes it on.
    #[serde(deserialize_with = "address")]
    pub url: Secret,
    /// The integration's key.
    pub routing_key: Secret,
}

/// Longer summaries are refused.
const SUMMARY: usize = 1024;

pub(super) fn request(settings: &Settings, notice: &Notice) -> Outgoing {
    let summary: String = format!("{}: {}", notice.title, notice.reason)
        .chars()
        .take(SUMMARY)
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
                "reading": notice.reading(),
                "excerpt": notice.excerpt,
                "difference": notice.changes(),
            },
        },
    });
    Outgoing::json(&settings.url, body)
}

#[cfg(test)]
mod tests {
    use super::super::{Body, receiver::tests::sent};

    #[test]
    fn the_body_is_an_event_of_version_2() {
        let text = "kind = \"pagerduty\"\nurl = \"http://relay:9000/v2/enqueue\"\nrouting_key = \"hunter2\"";
        let (receiver, request) = sent(text);
        assert_eq!(receiver.shown(), "http://relay:9000");
        let Body::Json(body) = request.body else {
            panic!("no JSON")
        };
        insta::assert_json_snapshot!(body, { ".**.excerpt" => "[excerpt]", ".**.difference" => "[difference]" });
    }
}
