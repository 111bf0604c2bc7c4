//! Form bodies: `name=value&…`, everything but letters and digits escaped.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The media type of [`encode`]d fields.
pub(crate) const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// Fields as one text.
pub(crate) fn encode<N: AsRef<str>, V: AsRef<str>>(fields: impl IntoIterator<Item = (N, V)>) -> String {
    let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let fields: Vec<String> = fields
        .into_iter()
        .map(|(name, value)| format!("{}={}", escaped(name.as_ref()), escaped(value.as_ref())))
        .collect();
    fields.join("&")
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_value_breaks_out_of_its_field() {
        assert_eq!(
            super::encode([("a", "1&b=2"), ("text", "x y\n+é")]),
            "a=1%26b%3D2&text=x%20y%0A%2B%C3%A9"
        );
    }
}
