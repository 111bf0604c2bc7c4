//! The notice itself, as JSON: for receivers that are written for it.

use serde::Deserialize;

use super::receiver::address;
use super::{Notice, Outgoing};
use crate::redact::Secret;

/// `kind = "json"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where to.
    #[serde(deserialize_with = "address")]
    pub url: Secret,
    /// Sent as `Authorization: Bearer …`.
    #[serde(default)]
    pub token: Option<Secret>,
}

pub(super) fn request(settings: &Settings, notice: &Notice) -> Outgoing {
    let mut body = serde_json::to_value(notice).unwrap_or_default();
    body["id"] = notice.id().into();
    body["text"] = notice.text().into();
    Outgoing {
        authorization: settings
            .token
            .as_ref()
            .map(|token| Secret::new(format!("Bearer {}", token.expose()))),
        ..Outgoing::json(&settings.url, body)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Body, receiver::tests::sent};

    #[test]
    fn the_body_is_the_notice_and_the_token_goes_into_the_header() {
        let (_, request) = sent("kind = \"json\"\nurl = \"http://sink/\"\ntoken = \"hunter2\"");
        assert_eq!(request.authorization.as_ref().unwrap().expose(), "Bearer hunter2");
        let Body::Json(body) = request.body else {
            panic!("no JSON")
        };
        assert_eq!(
            (&body["kind"], &body["release"], &body["last_working"]),
            (&"rolled-back".into(), &"v2".into(), &"v1".into())
        );
        assert_eq!(body["id"], "edge-rolled-back-v2-7-0");
        assert!(
            !body.to_string().contains("hunter2"),
            "neither ours nor the one in the log"
        );
    }
}
