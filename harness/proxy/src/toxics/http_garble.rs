//! HTTP garble: the head of an answer is right, its body is not.

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::toxic::{Request, Toxic};
use super::matching::Matching;

/// Changes every byte of answers' bodies, and leaves their length. An answer without a body is not hit.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(from = "Matching")]
pub struct HttpGarble {
    matching: Matching,
}

impl From<Matching> for HttpGarble {
    fn from(matching: Matching) -> Self {
        Self { matching }
    }
}

impl HttpGarble {
    /// The answers to these requests.
    pub fn of(matching: Matching) -> Self {
        Self { matching }
    }
}

impl Toxic for HttpGarble {
    fn describe(&self) -> String {
        format!("garble the answers to {}", self.matching)
    }

    fn flaw(&self) -> Option<String> {
        self.matching.flaw()
    }

    fn needs_http(&self) -> bool {
        true
    }

    fn applies(&self, request: Request<'_>, random: &mut ChaCha8Rng) -> bool {
        self.matching.applies(request, random)
    }

    fn garbles(&self) -> bool {
        true
    }
}
