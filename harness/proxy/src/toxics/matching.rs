//! Which requests an HTTP toxic affects.

use std::fmt;

use firedrill_model::units::Share;
use http::Method;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::all;
use crate::{InvalidToxic, Request};

/// A share of the requests with a method and a path prefix. Which ones is a random choice from the proxy's seed.
#[derive(Debug, Clone, Copy)]
pub struct Matching<'m> {
    pub(super) method: Option<&'m str>,
    pub(super) path: Option<&'m str>,
    pub(super) share: Share,
}

impl Default for Matching<'_> {
    fn default() -> Self {
        Self::all()
    }
}

impl<'m> Matching<'m> {
    /// All requests.
    pub fn all() -> Self {
        Self::of(None, None, all())
    }

    pub(super) fn of(method: Option<&'m str>, path: Option<&'m str>, share: Share) -> Self {
        Self { method, path, share }
    }

    /// Only requests with this method, in capitals.
    #[must_use]
    pub fn method(self, method: &'m str) -> Self {
        Self {
            method: Some(method),
            ..self
        }
    }

    /// Only paths that begin with this.
    #[must_use]
    pub fn path(self, prefix: &'m str) -> Self {
        Self {
            path: Some(prefix),
            ..self
        }
    }

    /// Only this share of them, from 0 to 1.
    #[must_use]
    pub fn share(self, share: f64) -> Self {
        Self {
            share: Share(share),
            ..self
        }
    }

    /// Whether a request is one of these.
    pub(crate) fn includes(&self, request: Request<'_>, random: &mut ChaCha8Rng) -> bool {
        self.method.is_none_or(|method| request.method == method)
            && self.path.is_none_or(|prefix| request.path.starts_with(prefix))
            && random.random::<f64>() < self.share.0
    }

    pub(super) fn validate(&self) -> Result<(), InvalidToxic> {
        if self.share.0 == 0.0 {
            return Err(InvalidToxic::ZeroShare);
        }
        match self.method {
            Some(method) if !is_method(method) => Err(InvalidToxic::Method(method.to_owned())),
            _ => Ok(()),
        }
    }
}

/// Methods are case-sensitive: `get` would match no request.
fn is_method(text: &str) -> bool {
    Method::from_bytes(text.as_bytes()).is_ok() && text == text.to_ascii_uppercase()
}

impl fmt::Display for Matching<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.method.unwrap_or("all");
        write!(f, "{} of {method} requests", self.share)?;
        match self.path {
            Some(prefix) => write!(f, " to {prefix}…"),
            None => Ok(()),
        }
    }
}
