//! Bodies of HTML forms, for journeys and for deploys by request.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The content type of a form.
pub const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// The body of a form: `name=value` pairs. A space is `%20`, which every decoder reads; some read `+` as a plus.
///
/// ```
/// let fields = [("url", "http://a.example/ b"), ("code", "nike")];
/// assert_eq!(firedrill_probe::form::body(fields), "url=http%3A%2F%2Fa%2Eexample%2F%20b&code=nike");
/// ```
pub fn body<N: AsRef<str>, V: AsRef<str>>(fields: impl IntoIterator<Item = (N, V)>) -> String {
    let encode = |(name, value): (N, V)| {
        let name = utf8_percent_encode(name.as_ref(), NON_ALPHANUMERIC);
        format!("{name}={}", utf8_percent_encode(value.as_ref(), NON_ALPHANUMERIC))
    };
    let pairs: Vec<String> = fields.into_iter().map(encode).collect();
    pairs.join("&")
}
