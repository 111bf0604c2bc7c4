//! Secrets: a type that never prints its value, and a filter that removes secrets from a text.
//!
//! The filter knows some secrets by value and finds others by the name before them (`token=…`) or by their shape.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex, bytes};
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
            Variable(Variable),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Variable {
            env: String,
        }
        match Written::deserialize(deserializer)? {
            Written::Text(text) => Ok(Self(text)),
            Written::Variable(Variable { env }) => std::env::var(&env)
                .map(Self)
                .map_err(|_| serde::de::Error::custom(format!("environment variable {env} is not set"))),
        }
    }
}

/// The secrets that a run knows by value. It finds them however they are written: as they are, percent-encoded as in
/// addresses and forms, or escaped as in JSON.
#[derive(Clone, Default)]
pub struct Secrets {
    any: Option<bytes::Regex>,
    longest: usize,
}

impl Secrets {
    /// These values.
    ///
    /// # Errors
    /// When they are too large for a search.
    pub fn of(values: impl IntoIterator<Item = String>) -> Result<Self, regex::Error> {
        let mut values: Vec<String> = values.into_iter().filter(|value| !value.is_empty()).collect();
        // Longest first: a secret may be the beginning of another one.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let Some(first) = values.first() else {
            return Ok(Self::default());
        };
        let longest = first.len() * LONGEST_SPELLING;
        let spellings = values
            .iter()
            .map(|value| value.bytes().map(spelling).collect::<String>());
        let any = spellings.collect::<Vec<_>>().join("|");
        Ok(Self {
            any: Some(bytes::Regex::new(&format!("(?-u){any}"))?),
            longest,
        })
    }

    /// Most bytes that one of them takes.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Bytes without them.
    pub fn hide<'t>(&self, bytes: &'t [u8]) -> Cow<'t, [u8]> {
        match &self.any {
            Some(any) => any.replace_all(bytes, HIDDEN.as_bytes()),
            None => Cow::Borrowed(bytes),
        }
    }

    /// A text without them.
    pub fn hide_in<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.hide(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
        }
    }

    /// A text without them, and without anything that looks like a secret.
    pub fn redacted(&self, text: &str) -> String {
        redacted(&self.hide_in(text), [])
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// A byte takes at most so many: `%2B`.
const LONGEST_SPELLING: usize = 3;

/// The ways in which a byte is written, as a regular expression.
fn spelling(byte: u8) -> String {
    // An escaped backslash must be tried before a single one.
    let escaped = match byte {
        b' ' => r"\+|",
        b'"' => r#"\\"|"#,
        b'\\' => r"\\\\|",
        b'\n' => r"\\n|",
        b'\t' => r"\\t|",
        _ => "",
    };
    format!("(?:{escaped}%(?i:{byte:02x})|\\x{byte:02x})")
}

/// Words in the names of settings that hold secrets.
const SECRET_NAMES: &str = r"token|secret|passw(?:or)?d|passphrase|(?:api|routing|access|private|signing|account)[-_]?key|authorization|credential|cookie|signature|session[-_]?id";

static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!("(?i){SECRET_NAMES}")).ok());

/// `NAME=value`, `NAME: value`, `"NAME": "value"`, `Authorization: Bearer value`. The value is one word, or quoted.
static ASSIGNED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let name = format!(r#"[\w-]*(?:{SECRET_NAMES})[\w-]*["']?\s*[:=]\s*"#);
    let value = r#""[^"\n]*"|'[^'\n]*'|[^\s"'&,;]+"#;
    Regex::new(&format!("(?i)({name})((?:bearer|basic|token)\\s+)?({value})")).ok()
});

/// `https://user:password@host`.
static IN_URL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(://)[^\s/@]+@").ok());

/// Keys and tokens that are recognised by their shape, whatever stands before them. Their characters are ASCII: a repeated
/// `\w` of Unicode takes tens of milliseconds to compile, in which the edge would keep users waiting.
static SHAPED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let shapes = [
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
        r"(?-u:\b)eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]*", // JSON Web Token
        r"(?-u:\b)(?:AKIA|ASIA)[0-9A-Z]{16}(?-u:\b)",                       // AWS
        r"(?-u:\b)gh[oprsu]_[0-9A-Za-z_]{20,}|(?-u:\b)github_pat_[0-9A-Za-z_]{20,}", // GitHub
        r"(?-u:\b)glpat-[0-9A-Za-z_-]{16,}",                                // GitLab
        r"(?-u:\b)xox[abeoprs]-[0-9A-Za-z_-]{10,}",                         // Slack
        r"(?-u:\b)[rs]k_(?:live|test)_[0-9A-Za-z_]{10,}",                   // Stripe
        r"(?-u:\b)sk-[0-9A-Za-z_-]{20,}",                                   // OpenAI and others
        r"(?-u:\b)AIza[0-9A-Za-z_-]{30,}",                                  // Google
        r"(?i:(?-u:\b)bearer\s+)[0-9A-Za-z_.~+/-]{16,}=*",
    ];
    Regex::new(&shapes.join("|")).ok()
});

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
    // By shape first: a private key has several lines, of which the rules below would see one.
    if let Some(shaped) = &*SHAPED {
        text = shaped.replace_all(&text, HIDDEN).into_owned();
    }
    if let Some(assigned) = &*ASSIGNED {
        text = assigned.replace_all(&text, hide_value).into_owned();
    }
    if let Some(in_url) = &*IN_URL {
        text = in_url.replace_all(&text, format!("${{1}}{HIDDEN}@")).into_owned();
    }
    text
}

/// Keeps the name, the scheme and the quotes of an assignment.
fn hide_value(found: &Captures<'_>) -> String {
    let part = |number| found.get(number).map_or("", |part| part.as_str());
    let quote = part(3).chars().next().filter(|c| matches!(c, '"' | '\''));
    let quote = quote.map(String::from).unwrap_or_default();
    format!("{}{}{quote}{HIDDEN}{quote}", part(1), part(2))
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
    fn a_variable_of_a_secret_has_no_other_key() {
        let read = |json| serde_json::from_value::<Secret>(json).is_ok();
        assert!(read(serde_json::json!({ "env": "PATH" })));
        assert!(!read(serde_json::json!({ "env": "PATH", "defalt": "x" })));
    }

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let secrets = Secrets::of(["a \"b\\ü".to_owned(), "a \"b".to_owned()]).unwrap();
        for written in [
            "a \"b\\ü",
            "a+%22b%5C%C3%BC",
            "a%20%22b%5c%c3%bc",
            r#"a \"b\\ü"#,
            "a+%22b",
        ] {
            assert_eq!(
                secrets.hide_in(&format!("<{written}>")),
                "<[redacted]>",
                "{written}"
            );
        }
        assert_eq!(secrets.hide_in("a b"), "a b");
        assert_eq!(Secrets::default().hide_in("a b"), "a b");
        assert!(!format!("{secrets:?}").contains('b'));
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

    #[test]
    fn common_tokens_are_recognised_by_their_shape() {
        for secret in [
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_0123456789abcdefghijABCDEFGHIJ012345",
            "glpat-0123456789abcdefghij",
            "xoxb-123456789012-abcdefGHIJKL",
            "sk_live_0123456789abcdef",
            "AIzaSyA0123456789abcdefghijABCDEFGHIJ012",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----",
        ] {
            let text = redacted(&format!("login with {secret} failed"), []);
            assert_eq!(text, "login with [redacted] failed");
        }
        for (text, expected) in [
            ("password: \"two words\", x", "password: \"[redacted]\", x"),
            ("AWS_ACCESS_KEY=abc next", "AWS_ACCESS_KEY=[redacted] next"),
            ("sent Bearer abcdefghijklmnop0123", "sent [redacted]"),
            ("the task-list is empty", "the task-list is empty"),
        ] {
            assert_eq!(redacted(text, []), expected);
        }
    }
}
