//! `kind = "webhook-trigger"`: Jenkins' generic webhook trigger, `POST JENKINS/generic-webhook-trigger/invoke` with JSON.
//!
//! The token is sent in the header, because access logs contain the query.

use firedrill_logs::Secret;
use serde::Deserialize;
use serde_json::json;

use super::Notice;
use super::request::{AlertRequest, address};

/// `kind = "webhook-trigger"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address of Jenkins: `https://jenkins`.
    #[serde(deserialize_with = "address")]
    pub url: Secret,
    /// The token that selects the jobs.
    pub token: Secret,
}

/// The request that carries an alert.
pub(super) fn request(settings: &Settings, notice: &Notice) -> AlertRequest {
    let jenkins = settings.url.expose().trim_end_matches('/');
    let url = Secret::new(format!("{jenkins}/generic-webhook-trigger/invoke"));
    let body = json!({
        "kind": notice.kind,
        "id": notice.id(),
        "release": notice.release,
        "last_working": notice.last_working,
        "reason": notice.reason,
        "decided_at": notice.decided_at.to_string(),
        "reading": notice.explanation(),
        "excerpt": notice.excerpt,
        "difference": notice.changes(),
    });
    AlertRequest {
        authorization: Some(Secret::new(format!("Bearer {}", settings.token.expose()))),
        ..AlertRequest::json(&url, body)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{receiver::tests::request_of, request::Body};

    #[test]
    fn the_token_is_in_the_header_alone() {
        let (_, request) = request_of("kind = \"webhook-trigger\"\nurl = \"http://ci\"\ntoken = \"hunter2\"");
        assert_eq!(request.url.expose(), "http://ci/generic-webhook-trigger/invoke");
        assert_eq!(request.authorization.unwrap().expose(), "Bearer hunter2");
        let Body::Json(body) = request.body else {
            panic!("not JSON")
        };
        assert!(!body.to_string().contains("hunter2"));
        assert_eq!(body["kind"], "rolled-back");
    }
}
