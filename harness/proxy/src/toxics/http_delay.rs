//! HTTP delay: some requests take longer.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::toxic::{Request, Toxic};
use super::matching::Matching;
use firedrill_model::table::Merged;
use firedrill_model::units::Span;

/// Holds requests before the service sees them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(from = "Merged<Delay, Matching>")]
pub struct HttpDelay {
    delay: Span,
    matching: Matching,
}

/// How long it holds.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Delay {
    /// How long.
    delay: Span,
}

impl From<Merged<Delay, Matching>> for HttpDelay {
    fn from(Merged(own, matching): Merged<Delay, Matching>) -> Self {
        let Delay { delay } = own;
        Self { delay, matching }
    }
}

impl HttpDelay {
    /// So long for these requests.
    pub fn of(delay: Duration, matching: Matching) -> Self {
        Self {
            delay: Span(delay),
            matching,
        }
    }
}

impl Toxic for HttpDelay {
    fn describe(&self) -> String {
        format!("hold {} for {}", self.matching, self.delay)
    }

    fn flaw(&self) -> Option<String> {
        let nothing = self.delay.0.is_zero().then(|| "a delay of nothing".to_owned());
        nothing.or_else(|| self.matching.flaw())
    }

    fn needs_http(&self) -> bool {
        true
    }

    fn applies(&self, request: Request<'_>, random: &mut ChaCha8Rng) -> bool {
        self.matching.applies(request, random)
    }

    fn hold_request(&self) -> Duration {
        self.delay.0
    }
}
