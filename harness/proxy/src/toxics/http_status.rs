//! HTTP status: something between client and service responds with an error.

use firedrill_model::units::Share;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Matching, all};
use crate::{InvalidToxic, Toxic};

/// Answers requests with a status and no body. The service does not see them, as behind a failing gateway.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpStatus {
    /// The status [default: 503].
    #[serde(default = "unavailable")]
    status: u16,
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

fn unavailable() -> u16 {
    503
}

impl HttpStatus {
    /// Answers matching requests with this status.
    pub fn new(status: u16, matching: Matching<'_>) -> Self {
        Self {
            status,
            method: matching.method.map(str::to_owned),
            path: matching.path.map(str::to_owned),
            share: matching.share,
        }
    }

    fn requests(&self) -> Matching<'_> {
        Matching::of(self.method.as_deref(), self.path.as_deref(), self.share)
    }
}

impl Toxic for HttpStatus {
    fn describe(&self) -> String {
        format!("answer {} to {}", self.status, self.requests())
    }

    fn validate(&self) -> Result<(), InvalidToxic> {
        // 1xx is not final: a client would go on waiting.
        if !(200..=599).contains(&self.status) {
            return Err(InvalidToxic::Status(self.status));
        }
        self.requests().validate()
    }

    fn matching(&self) -> Option<Matching<'_>> {
        Some(self.requests())
    }

    fn status(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.status).ok()
    }
}
