//! Which requests an HTTP toxic is for.

use std::fmt;

use http::Method;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::toxic::Request;
use super::all;
use firedrill_model::units::Share;

/// A share of the requests of a method and of paths that begin alike. Which ones is drawn from the seed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Matching {
    /// Only this method (any).
    #[serde(default)]
    method: Option<String>,
    /// Only paths that begin so (any).
    #[serde(default)]
    path: Option<String>,
    /// Which share of them (100%).
    #[serde(default = "all")]
    share: Share,
}

impl Default for Matching {
    fn default() -> Self {
        Self {
            method: None,
            path: None,
            share: all(),
        }
    }
}

impl Matching {
    /// A share of all requests.
    pub fn share(share: f64) -> Self {
        Self {
            share: Share(share),
            ..Self::default()
        }
    }

    /// The same for paths that begin so.
    #[must_use]
    pub fn path(self, path: &str) -> Self {
        Self {
            path: Some(path.to_owned()),
            ..self
        }
    }

    pub(super) fn applies(&self, request: Request<'_>, random: &mut ChaCha8Rng) -> bool {
        let method = self
            .method
            .as_deref()
            .is_none_or(|method| request.method == method);
        let path = self
            .path
            .as_deref()
            .is_none_or(|path| request.path.starts_with(path));
        method && path && random.random::<f64>() < self.share.0
    }

    pub(super) fn flaw(&self) -> Option<String> {
        if self.share.0 == 0.0 {
            return Some("a share of nothing".into());
        }
        let method = self.method.as_ref()?;
        let known = Method::from_bytes(method.as_bytes()).is_ok() && *method == method.to_ascii_uppercase();
        (!known).then(|| format!("`{method}` is no method; write it in capitals, such as GET"))
    }
}

impl fmt::Display for Matching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.method.as_deref().unwrap_or("all");
        write!(f, "{} of {method} requests", self.share)?;
        match &self.path {
            Some(path) => write!(f, " to {path}…"),
            None => Ok(()),
        }
    }
}
