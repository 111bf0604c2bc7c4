//! HTTP drop header: something between client and service removes a header from responses.

use firedrill_model::units::Share;
use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{Matching, all};
use crate::{InvalidToxic, Toxic};

/// Removes a header from responses. A response without this header is not hit.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpDropHeader {
    /// The header's name.
    #[serde(deserialize_with = "header_name")]
    #[schemars(with = "String")]
    header: HeaderName,
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

fn header_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderName, D::Error> {
    let name = String::deserialize(deserializer)?;
    let refused = |_| serde::de::Error::custom(format!("`{name}` is not a header name"));
    HeaderName::from_bytes(name.as_bytes()).map_err(refused)
}

impl HttpDropHeader {
    /// Removes this header from the responses to matching requests.
    pub fn new(header: HeaderName, matching: Matching<'_>) -> Self {
        Self {
            header,
            method: matching.method.map(str::to_owned),
            path: matching.path.map(str::to_owned),
            share: matching.share,
        }
    }

    fn requests(&self) -> Matching<'_> {
        Matching::of(self.method.as_deref(), self.path.as_deref(), self.share)
    }
}

impl Toxic for HttpDropHeader {
    fn describe(&self) -> String {
        format!("drop `{}` from the answers to {}", self.header, self.requests())
    }

    fn validate(&self) -> Result<(), InvalidToxic> {
        self.requests().validate()
    }

    fn matching(&self) -> Option<Matching<'_>> {
        Some(self.requests())
    }

    fn dropped_header(&self) -> Option<&HeaderName> {
        Some(&self.header)
    }
}
