//! What must not be printed: secrets by their value, where we know it, and by the look of what stands around them.

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Deserializer};

/// What stands where a secret was.
pub const HIDDEN: &str = "[redacted]";

/// A text that is never printed: `Debug` and `Display` say nothing of it. In configuration files it is a string, or
/// `{ env = "NAME" }` for the value of an environment variable.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, to be sent to whom it is meant for.
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
            Here(String),
            There { env: String },
        }
        match Written::deserialize(deserializer)? {
            Written::Here(text) => Ok(Self(text)),
            Written::There { env } => std::env::var(&env)
                .map(Self)
                .map_err(|_| serde::de::Error::custom(format!("there is no environment variable {env}"))),
        }
    }
}

/// The scheme, host and port of a URL: what may be said of one that may hold a token.
pub fn endpoint(url: &str) -> String {
    let Ok(url) = url.parse::<http::Uri>() else {
        return "an address that is no URL".into();
    };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!(
        "{}://{}{port}",
        url.scheme_str().unwrap_or("http"),
        url.host().unwrap_or_default()
    )
}

/// Words in the names of settings whose values are secrets.
const NAMES: &str =
    r"token|secret|passw(?:or)?d|passphrase|api[-_]?key|routing[-_]?key|authorization|credential|cookie";

static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!("(?i){NAMES}")).ok());

/// `NAME=value`, `NAME: value`, `"NAME": "value"`, `Authorization: Bearer value`.
static ASSIGNED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let named = format!(
        r#"(?i)([\w-]*(?:{NAMES})[\w-]*["']?\s*[:=]\s*["']?)((?:bearer|basic|token)\s+)?[^\s"'&,;]+"#
    );
    Regex::new(&named).ok()
});

/// `https://user:password@host`.
static IN_URL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(://)[^\s/@]+@").ok());

/// Whether the value of a setting of that name is likely a secret.
pub fn sounds_secret(name: &str) -> bool {
    NAME.as_ref().is_none_or(|secret| secret.is_match(name))
}

/// A text without the secrets that we know, and without what looks like one.
pub fn redacted<'s>(text: &str, known: impl IntoIterator<Item = &'s Secret>) -> String {
    let mut text = text.to_owned();
    // A text of three letters would tear holes into words, and is no secret.
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
    fn known_secrets_are_taken_out_wherever_they_stand() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            redacted("cannot log in as x/hunter2.", [&secret]),
            "cannot log in as x/[redacted]."
        );
    }

    #[test]
    fn what_looks_like_a_secret_is_taken_out() {
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

    #[test]
    fn only_the_origin_of_an_address_is_said() {
        assert_eq!(
            endpoint("https://u:p@hooks.example.org:8443/T000/xyz?token=1"),
            "https://hooks.example.org:8443"
        );
    }
}
