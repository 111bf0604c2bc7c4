//! A parameterised Jenkins job: `POST JOB/buildWithParameters`, the parameters as a form. The job declares those it
//! wants; Jenkins drops the others.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::receiver::address;
use super::{Body, Notice, Outgoing};
use crate::redact::Secret;

/// `kind = "jenkins"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The job: `https://jenkins/job/NAME`.
    #[serde(deserialize_with = "address")]
    pub url: Secret,
    /// The user whose API token it is.
    #[serde(default)]
    pub user: Option<String>,
    /// The API token: with the user, basic authentication, which needs no crumb.
    #[serde(default)]
    pub api_token: Option<Secret>,
    /// The job's own token for remote builds.
    #[serde(default)]
    pub token: Option<Secret>,
}

pub(super) fn request(settings: &Settings, notice: &Notice) -> Outgoing {
    let mut form = vec![
        ("kind", notice.kind.clone()),
        ("id", notice.id()),
        ("release", notice.release.clone()),
        ("last_working", notice.last_working.clone().unwrap_or_default()),
        ("reason", notice.reason.clone()),
        ("decided_at", notice.decided_at.to_string()),
        ("reading", notice.reading()),
        ("excerpt", notice.excerpt.clone()),
        ("difference", notice.changes()),
    ];
    form.extend(
        settings
            .token
            .as_ref()
            .map(|token| ("token", token.expose().to_owned())),
    );
    let basic = settings
        .user
        .as_ref()
        .zip(settings.api_token.as_ref())
        .map(|(user, token)| {
            let pair = BASE64_STANDARD.encode(format!("{user}:{}", token.expose()));
            Secret::new(format!("Basic {pair}"))
        });
    let job = settings.url.expose().trim_end_matches('/');
    Outgoing {
        url: Secret::new(format!("{job}/buildWithParameters")),
        authorization: basic,
        body: Body::Form(form),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Body, receiver::tests::sent};

    #[test]
    fn the_parameters_go_as_a_form_and_the_api_token_into_the_header() {
        let text = "kind = \"jenkins\"\nurl = \"http://ci/job/filter-logs/\"\nuser = \"edge\"\napi_token = \"hunter2\"\ntoken = \"job\"";
        let (_, request) = sent(text);
        assert_eq!(
            request.url.expose(),
            "http://ci/job/filter-logs/buildWithParameters"
        );
        assert_eq!(request.authorization.unwrap().expose(), "Basic ZWRnZTpodW50ZXIy");
        let Body::Form(form) = request.body else {
            panic!("no form")
        };
        assert_eq!(form[0], ("kind", "rolled-back".to_owned()));
        assert!(form.contains(&("token", "job".to_owned())));
    }
}
