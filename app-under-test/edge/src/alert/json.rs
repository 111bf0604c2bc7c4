//! `kind = "json"`: the notice itself as JSON, for receivers that are written for it.

use firedrill_logs::Secret;
use serde::Deserialize;

use super::Notice;
use super::request::{AlertRequest, address};

/// `kind = "json"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address.
    #[serde(deserialize_with = "address")]
    pub url: Secret,
    /// The token, sent as `Authorization: Bearer …`.
    #[serde(default)]
    pub token: Option<Secret>,
}

/// The request that carries an alert.
pub(super) fn request(settings: &Settings, notice: &Notice) -> AlertRequest {
    let mut body = serde_json::to_value(notice).unwrap_or_default();
    body["id"] = notice.id().into();
    body["text"] = notice.text().into();
    AlertRequest {
        authorization: settings
            .token
            .as_ref()
            .map(|token| Secret::new(format!("Bearer {}", token.expose()))),
        ..AlertRequest::json(&settings.url, body)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{receiver::tests::request_of, request::Body};

    #[test]
    fn the_body_is_the_notice_and_the_token_is_in_the_header() {
        let (_, request) = request_of("kind = \"json\"\nurl = \"http://sink/\"\ntoken = \"hunter2\"");
        assert_eq!(request.authorization.as_ref().unwrap().expose(), "Bearer hunter2");
        let Body::Json(body) = request.body else {
            panic!("not JSON")
        };
        assert_eq!(
            (&body["kind"], &body["release"], &body["last_working"]),
            (&"rolled-back".into(), &"v2".into(), &"v1".into())
        );
        assert_eq!(body["id"], "edge-rolled-back-v2-7-0");
        assert!(
            !body.to_string().contains("hunter2"),
            "the body contains a secret"
        );
    }
}
