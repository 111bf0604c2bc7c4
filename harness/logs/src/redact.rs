//! Secrets: a type that never prints its value, and a filter that removes secrets from a text.
//!
//! The filter knows some secrets by value and finds others by the name before them (`token=…`) or by their shape.

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Deserializer};

/// Replaces a secret in a text.
pub const HIDDEN: &str = "[redacted]";

/// A text that `Debug` and `Display` never print. In a configuration file it is a string, or `{ env = "NAME" }` for the
/// value of an environment variable.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Variable { env: String },
        }
        match Written::deserialize(deserializer)? {
            Written::Text(text) => Ok(Self(text)),
            Written::Variable { env } => std::env::var(&env)
                .map(Self)
                .map_err(|_| serde::de::Error::custom(format!("environment variable {env} is not set"))),
        }
    }
}

/// Words in the names of settings that hold secrets.
const SECRET_NAMES: &str =
    r"token|secret|passw(?:or)?d|passphrase|api[-_]?key|routing[-_]?key|authorization|credential|cookie";

static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!("(?i){SECRET_NAMES}")).ok());

/// `NAME=value`, `NAME: value`, `"NAME": "value"`, `Authorization: Bearer value`.
static ASSIGNED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let named = format!(
        r#"(?i)([\w-]*(?:{SECRET_NAMES})[\w-]*["']?\s*[:=]\s*["']?)((?:bearer|basic|token)\s+)?[^\s"'&,;]+"#
    );
    Regex::new(&named).ok()
});

/// `https://user:password@host`.
static IN_URL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(://)[^\s/@]+@").ok());

/// Whether a setting of this name probably holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    NAME.as_ref().is_none_or(|secret| secret.is_match(name))
}

/// A text without the known secrets, and without anything that looks like a secret.
///
/// ```
/// use firedrill_logs::redact::{Secret, redacted};
///
/// let secret = Secret::new("hunter2");
/// assert_eq!(redacted("hunter2, API_KEY=abc", [&secret]), "[redacted], API_KEY=[redacted]");
/// ```
pub fn redacted<'s>(text: &str, known: impl IntoIterator<Item = &'s Secret>) -> String {
    let mut text = text.to_owned();
    // A secret of up to three characters would also match inside ordinary words.
    for secret in known.into_iter().filter(|secret| secret.0.len() > 3) {
        text = text.replace(&secret.0, HIDDEN);
    }
    if let Some(assigned) = &*ASSIGNED {
        text = assigned
            .replace_all(&text, format!("${{1}}${{2}}{HIDDEN}"))
            .into_owned();
    }
    if let Some(in_url) = &*IN_URL {
        text = in_url.replace_all(&text, format!("${{1}}{HIDDEN}@")).into_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret} {secret:?} {:#?}", Some(&secret))
                .matches("hunter2")
                .count(),
            0
        );
    }

    #[test]
    fn known_secrets_are_removed_everywhere() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            redacted("cannot log in as x/hunter2.", [&secret]),
            "cannot log in as x/[redacted]."
        );
    }

    #[test]
    fn text_that_looks_like_a_secret_is_removed() {
        let plain = |text: &str| redacted(text, []);
        assert_eq!(plain("DB_PASSWORD=s3cret&x=1"), "DB_PASSWORD=[redacted]&x=1");
        assert_eq!(plain(r#"{"api_key": "abc"}"#), r#"{"api_key": "[redacted]"}"#);
        assert_eq!(
            plain("Authorization: Bearer abc.def"),
            "Authorization: Bearer [redacted]"
        );
        assert_eq!(plain("postgres://me:pw@db/x"), "postgres://[redacted]@db/x");
        assert_eq!(
            plain("expected value at line 1 column 1"),
            "expected value at line 1 column 1"
        );
    }
}
