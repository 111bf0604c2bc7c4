//! HTTP drop header: something on the way takes a header out of answers.

use http::HeaderName;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::super::toxic::{Request, Toxic};
use super::matching::Matching;
use firedrill_model::table::Merged;

/// Takes a header out of answers. An answer that has none of that name is not hit.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(from = "Merged<Header, Matching>")]
pub struct HttpDropHeader {
    #[schemars(with = "String")]
    header: HeaderName,
    matching: Matching,
}

/// What it takes out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Header {
    /// The header's name.
    #[serde(deserialize_with = "header_name")]
    #[schemars(with = "String")]
    header: HeaderName,
}

impl From<Merged<Header, Matching>> for HttpDropHeader {
    fn from(Merged(own, matching): Merged<Header, Matching>) -> Self {
        let Header { header } = own;
        Self { header, matching }
    }
}

fn header_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderName, D::Error> {
    let name = String::deserialize(deserializer)?;
    let refused = |_| serde::de::Error::custom(format!("`{name}` is no header's name"));
    HeaderName::from_bytes(name.as_bytes()).map_err(refused)
}

impl HttpDropHeader {
    /// This header, from the answers to these requests.
    pub fn of(header: HeaderName, matching: Matching) -> Self {
        Self { header, matching }
    }
}

impl Toxic for HttpDropHeader {
    fn describe(&self) -> String {
        format!("drop `{}` from the answers to {}", self.header, self.matching)
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

    fn drops_header(&self) -> Option<&HeaderName> {
        Some(&self.header)
    }
}
