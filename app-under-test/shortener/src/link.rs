//! Links: a checked code, and where it leads.

use serde::{Deserialize, Serialize};

/// Paths of the service itself.
const RESERVED: [&str; 6] = ["api", "healthz", "readyz", "static", "your-url", "favicon.ico"];
/// The longest URL, in bytes.
const MAX_URL: usize = 2048;

/// A code: 1 to 64 letters, digits, `-` or `_`, and not a path of the service itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(String);

impl Code {
    /// Checks a code.
    pub fn new(text: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let valid = (1..=64).contains(&text.len()) && text.chars().all(allowed) && !RESERVED.contains(&text);
        valid.then(|| Self(text.to_owned()))
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is not a [`Code`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a code")]
pub struct InvalidCode(String);

impl TryFrom<String> for Code {
    type Error = InvalidCode;

    fn try_from(text: String) -> Result<Self, InvalidCode> {
        Self::new(&text).ok_or(InvalidCode(text))
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.0
    }
}

/// Where a code leads, as the store writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum LinkTarget {
    /// A web address.
    Url(String),
    /// An uploaded file's name.
    File(String),
}

impl LinkTarget {
    /// Checks a web address: http or https, with a host, without spaces and control characters, not too long.
    pub fn url(text: &str) -> Option<Self> {
        let text = text.trim();
        let uri: http::Uri = text.parse().ok()?;
        let web = matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty());
        // A line break in it would end the header in which it is sent.
        let printable = text.chars().all(|c| c.is_ascii_graphic());
        (web && printable && text.len() <= MAX_URL).then(|| Self::Url(text.to_owned()))
    }

    /// Takes the name of an uploaded file, without its folders and without unusual characters.
    pub fn file(name: &str) -> Option<Self> {
        let name: String = name
            .rsplit(['/', '\\'])
            .next()?
            .chars()
            .filter(|c| in_file_name(*c))
            .take(100)
            .collect();
        // Neither `.` nor `..`, and no hidden file.
        let valid = !name.is_empty() && !name.starts_with('.');
        valid.then_some(Self::File(name))
    }

    /// Whether a name can be that of an uploaded file. It then leads nowhere but into its folder.
    pub fn is_file_name(name: &str) -> bool {
        !name.is_empty() && !name.starts_with('.') && name.chars().all(in_file_name)
    }

    /// The address for a redirect.
    pub fn location(&self) -> String {
        match self {
            Self::Url(url) => url.clone(),
            Self::File(name) => format!("/static/user_files/{name}"),
        }
    }
}

fn in_file_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_are_accepted() {
        for good in [
            "http://a.example/",
            "https://a.example/x?y=z#f",
            " https://a.example ",
        ] {
            assert!(LinkTarget::url(good).is_some(), "{good}");
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
            assert_eq!(LinkTarget::url(bad), None, "{bad}");
        }
    }

    #[test]
    fn codes_are_simple_and_not_paths_of_the_service() {
        assert!(Code::new("nike-2_B").is_some());
        for bad in ["", "a b", "../x", "api", "readyz", "~x", "ü", &"a".repeat(65)] {
            assert_eq!(Code::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_file_name_cannot_leave_its_folder() {
        assert_eq!(
            LinkTarget::file("../../etc/pass wd.txt"),
            Some(LinkTarget::File("passwd.txt".into()))
        );
        assert_eq!(LinkTarget::file(".."), None);
    }

    #[test]
    fn targets_are_written_as_in_the_incident() {
        assert_eq!(
            serde_json::to_string(&LinkTarget::Url("http://google.com".into())).unwrap(),
            r#"{"url":"http://google.com"}"#
        );
    }
}
