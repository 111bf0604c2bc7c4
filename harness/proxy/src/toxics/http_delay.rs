//! HTTP delay: some requests take longer.

use std::time::Duration;

use firedrill_model::units::{Share, Span};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Matching, all};
use crate::{InvalidToxic, Toxic};

/// Delays requests before the service sees them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpDelay {
    /// The delay.
    delay: Span,
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

impl HttpDelay {
    /// Delays matching requests.
    pub fn new(delay: Duration, matching: Matching<'_>) -> Self {
        Self {
            delay: Span(delay),
            method: matching.method.map(str::to_owned),
            path: matching.path.map(str::to_owned),
            share: matching.share,
        }
    }

    fn requests(&self) -> Matching<'_> {
        Matching::of(self.method.as_deref(), self.path.as_deref(), self.share)
    }
}

impl Toxic for HttpDelay {
    fn describe(&self) -> String {
        format!("delay {} by {}", self.requests(), self.delay)
    }

    fn validate(&self) -> Result<(), InvalidToxic> {
        if self.delay.0.is_zero() {
            return Err(InvalidToxic::ZeroDelay);
        }
        self.requests().validate()
    }

    fn matching(&self) -> Option<Matching<'_>> {
        Some(self.requests())
    }

    fn request_delay(&self) -> Duration {
        self.delay.0
    }
}
