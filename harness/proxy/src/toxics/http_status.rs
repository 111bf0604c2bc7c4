//! HTTP status: something on the way answers in the service's place.

use http::StatusCode;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::toxic::{Request, Toxic};
use super::matching::Matching;
use firedrill_model::table::Merged;

/// Answers requests with a status and no body; the service does not see them, as behind a gateway that is in trouble.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(from = "Merged<Status, Matching>")]
pub struct HttpStatus {
    status: u16,
    matching: Matching,
}

/// What it answers.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Status {
    /// The status (503).
    #[serde(default = "unavailable")]
    status: u16,
}

impl From<Merged<Status, Matching>> for HttpStatus {
    fn from(Merged(own, matching): Merged<Status, Matching>) -> Self {
        let Status { status } = own;
        Self { status, matching }
    }
}

fn unavailable() -> u16 {
    503
}

impl HttpStatus {
    /// This status for these requests.
    pub fn of(status: u16, matching: Matching) -> Self {
        Self { status, matching }
    }
}

impl Toxic for HttpStatus {
    fn describe(&self) -> String {
        format!("answer {} to {}", self.status, self.matching)
    }

    fn flaw(&self) -> Option<String> {
        if !(200..=599).contains(&self.status) {
            return Some(format!("{} is no status of an answer", self.status));
        }
        self.matching.flaw()
    }

    fn needs_http(&self) -> bool {
        true
    }

    fn applies(&self, request: Request<'_>, random: &mut ChaCha8Rng) -> bool {
        self.matching.applies(request, random)
    }

    fn status(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.status).ok()
    }
}
