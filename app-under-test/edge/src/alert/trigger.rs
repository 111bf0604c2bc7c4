//! Jenkins' generic webhook trigger: `POST JENKINS/generic-webhook-trigger/invoke`, JSON from which the job takes what
//! it wants. The token goes into the header, where no access log keeps it.

use serde::Deserialize;
use serde_json::json;

use super::receiver::address;
use super::{Notice, Outgoing};
use crate::redact::Secret;

/// `kind = "webhook-trigger"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Jenkins itself: `https://jenkins`.
    #[serde(deserialize_with = "address")]
    pub url: Secret,
    /// Which jobs are meant.
    pub token: Secret,
}

pub(super) fn request(settings: &Settings, notice: &Notice) -> Outgoing {
    let jenkins = settings.url.expose().trim_end_matches('/');
    let url = Secret::new(format!("{jenkins}/generic-webhook-trigger/invoke"));
    let body = json!({
        "kind": notice.kind,
        "id": notice.id(),
        "release": notice.release,
        "last_working": notice.last_working,
        "reason": notice.reason,
        "decided_at": notice.decided_at.to_string(),
        "reading": notice.reading(),
        "excerpt": notice.excerpt,
        "difference": notice.changes(),
    });
    Outgoing {
        authorization: Some(Secret::new(format!("Bearer {}", settings.token.expose()))),
        ..Outgoing::json(&url, body)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Body, receiver::tests::sent};

    #[test]
    fn the_token_is_in_the_header_alone() {
        let (_, request) = sent("kind = \"webhook-trigger\"\nurl = \"http://ci\"\ntoken = \"hunter2\"");
        assert_eq!(request.url.expose(), "http://ci/generic-webhook-trigger/invoke");
        assert_eq!(request.authorization.unwrap().expose(), "Bearer hunter2");
        let Body::Json(body) = request.body else {
            panic!("no JSON")
        };
        assert!(!body.to_string().contains("hunter2"));
        assert_eq!(body["kind"], "rolled-back");
    }
}
