//! HTTP garble: the head of a response is right, its body is not.

use firedrill_model::units::Share;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Matching, all};
use crate::{InvalidToxic, Toxic};

/// Changes every byte of response bodies and leaves their length. A response without a body is not hit.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpGarble {
    /// Only requests with this method [default: any].
    #[serde(default)]
    method: Option<String>,
    /// Only paths that begin with this [default: any].
    #[serde(default)]
    path: Option<String>,
    /// The share of these requests [default: 100%].
    #[serde(default = "all")]
    share: Share,
}

impl HttpGarble {
    /// Garbles the responses to matching requests.
    pub fn new(matching: Matching<'_>) -> Self {
        Self {
            method: matching.method.map(str::to_owned),
            path: matching.path.map(str::to_owned),
            share: matching.share,
        }
    }

    fn requests(&self) -> Matching<'_> {
        Matching::of(self.method.as_deref(), self.path.as_deref(), self.share)
    }
}

impl Toxic for HttpGarble {
    fn describe(&self) -> String {
        format!("garble the answers to {}", self.requests())
    }

    fn validate(&self) -> Result<(), InvalidToxic> {
        self.requests().validate()
    }

    fn matching(&self) -> Option<Matching<'_>> {
        Some(self.requests())
    }

    fn garbles_body(&self) -> bool {
        true
    }
}
