//! `kind = "jenkins"`: a parameterised Jenkins job, `POST JOB/buildWithParameters` with the parameters as a form.
//!
//! Jenkins ignores parameters that the job does not declare.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use firedrill_logs::Secret;
use serde::Deserialize;

use super::Notice;
use super::request::{AlertRequest, Body, address};

/// `kind = "jenkins"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address of the job: `https://jenkins/job/NAME`.
    #[serde(deserialize_with = "address")]
    pub url: Secret,
    /// The user that owns the API token.
    #[serde(default)]
    pub user: Option<String>,
    /// The API token. With the user it is sent as basic authentication, which needs no CSRF crumb.
    #[serde(default)]
    pub api_token: Option<Secret>,
    /// The token for remote builds of this job.
    #[serde(default)]
    pub token: Option<Secret>,
}

/// The request that carries an alert.
pub(super) fn request(settings: &Settings, notice: &Notice) -> AlertRequest {
    let mut form = vec![
        ("kind", notice.kind.to_owned()),
        ("id", notice.id()),
        ("release", notice.release.clone()),
        ("last_working", notice.last_working.clone().unwrap_or_default()),
        ("reason", notice.reason.clone()),
        ("decided_at", notice.decided_at.to_string()),
        ("reading", notice.explanation()),
        ("excerpt", notice.excerpt.clone()),
        ("difference", notice.changes()),
    ];
    // In the body, because servers log addresses.
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
    AlertRequest {
        url: Secret::new(format!("{job}/buildWithParameters")),
        authorization: basic,
        body: Body::Form(form),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{receiver::tests::request_of, request::Body};

    #[test]
    fn the_parameters_are_a_form_and_the_api_token_is_in_the_header() {
        let text = "kind = \"jenkins\"\nurl = \"http://ci/job/filter-logs/\"\nuser = \"edge\"\napi_token = \"hunter2\"\ntoken = \"job\"";
        let (_, request) = request_of(text);
        assert_eq!(
            request.url.expose(),
            "http://ci/job/filter-logs/buildWithParameters"
        );
        assert_eq!(request.authorization.unwrap().expose(), "Basic ZWRnZTpodW50ZXIy");
        let Body::Form(form) = request.body else {
            panic!("not a form")
        };
        assert_eq!(form[0], ("kind", "rolled-back".to_owned()));
        assert!(form.contains(&("token", "job".to_owned())));
    }
}
