//! Links: a checked code and what it leads to.

use serde::{Deserialize, Serialize};

/// Paths that are the service's own.
const RESERVED: [&str; 6] = ["api", "healthz", "readyz", "static", "your-url", "favicon.ico"];
/// A longer URL is refused.
const LONGEST_URL: usize = 2048;

/// A code: 1 to 64 letters, digits, `-` or `_`, and none of the service's own paths.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Code(String);

impl Code {
    /// The code, if it is one.
    pub fn new(text: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let fits = (1..=64).contains(&text.len()) && text.chars().all(plain) && !RESERVED.contains(&text);
        fits.then(|| Self(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a code leads to, as the store writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Entry {
    /// A web address.
    Url(String),
    /// An uploaded file's name.
    File(String),
}

impl Entry {
    /// A web address: http or https, a host, no spaces and no control characters, not too long.
    pub fn url(text: &str) -> Option<Self> {
        let text = text.trim();
        let uri: http::Uri = text.parse().ok()?;
        let web = matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty());
        let printable = text.chars().all(|c| c.is_ascii_graphic());
        (web && printable && text.len() <= LONGEST_URL).then(|| Self::Url(text.to_owned()))
    }

    /// An uploaded file: its name without anything that could lead elsewhere.
    pub fn file(name: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let name: String = name
            .rsplit(['/', '\\'])
            .next()?
            .chars()
            .filter(|c| plain(*c))
            .take(100)
            .collect();
        let fits = !name.is_empty() && !name.starts_with('.');
        fits.then_some(Self::File(name))
    }

    /// Where a browser is sent.
    pub fn location(&self) -> String {
        match self {
            Self::Url(url) => url.clone(),
            Self::File(name) => format!("/static/user_files/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_are_taken() {
        for good in [
            "http://a.example/",
            "https://a.example/x?y=z#f",
            " https://a.example ",
        ] {
            assert!(Entry::url(good).is_some(), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "ftp://a/",
            "http://",
            "//a.example",
            "/x",
            "http://a/\r\nset-cookie: x",
            "",
        ] {
            assert_eq!(Entry::url(bad), None, "{bad}");
        }
    }

    #[test]
    fn codes_are_plain_and_not_our_own_paths() {
        assert!(Code::new("nike-2_B").is_some());
        for bad in ["", "a b", "../x", "api", "readyz", "~x", "ü", &"a".repeat(65)] {
            assert_eq!(Code::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_file_name_leads_nowhere_else() {
        assert_eq!(
            Entry::file("../../etc/pass wd.txt"),
            Some(Entry::File("passwd.txt".into()))
        );
        assert_eq!(Entry::file(".."), None);
    }

    #[test]
    fn entries_are_written_as_in_the_incident() {
        assert_eq!(
            serde_json::to_string(&Entry::Url("http://google.com".into())).unwrap(),
            r#"{"url":"http://google.com"}"#
        );
    }
}
