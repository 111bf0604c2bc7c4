//! The HTML pages. They work without JavaScript.

use std::fmt::Write;

/// Escapes text for HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{}</title>\
         <style>body{{font:1rem/1.5 system-ui;max-width:40rem;margin:2rem auto;padding:0 1rem}}\
         label{{display:block;margin:.5rem 0}}</style></head><body>\n{body}\n</body></html>\n",
        escape(title)
    )
}

/// The form, with a message about the last attempt.
pub(crate) fn form(flash: Option<&str>, codes: &[String]) -> String {
    let mut body = String::from("<h1>URL shortener</h1>\n");
    if let Some(flash) = flash {
        let _ = writeln!(body, "<p role=\"alert\"><strong>{}</strong></p>", escape(flash));
    }
    body.push_str(
        "<form action=\"/your-url\" method=\"post\">\
         <label>Website URL <input type=\"url\" name=\"url\" required></label>\
         <label>Short name <input type=\"text\" name=\"code\" pattern=\"[A-Za-z0-9_\\-]+\" required></label>\
         <button>Shorten</button></form>\n<hr>\n\
         <form action=\"/your-url\" method=\"post\" enctype=\"multipart/form-data\">\
         <label>File <input type=\"file\" name=\"file\" required></label>\
         <label>Short name <input type=\"text\" name=\"code\" pattern=\"[A-Za-z0-9_\\-]+\" required></label>\
         <button>Shorten</button></form>\n",
    );
    if !codes.is_empty() {
        body.push_str("<h2>Your links</h2><ul>\n");
        for code in codes {
            let _ = writeln!(body, "<li><a href=\"/{0}\">{0}</a></li>", escape(code));
        }
        body.push_str("</ul>\n");
    }
    page("URL shortener", &body)
}

/// The page of a new link.
pub(crate) fn created(link: &str) -> String {
    let link = escape(link);
    page(
        "Your short link",
        &format!(
            "<h1>Your short link</h1>\n<p><a href=\"{link}\">{link}</a></p>\n<p><a href=\"/\">Shorten another link</a></p>"
        ),
    )
}

/// An error page.
pub(crate) fn error(title: &str, text: &str) -> String {
    page(
        title,
        &format!(
            "<h1>{}</h1>\n<p>{}</p>\n<p><a href=\"/\">Home</a></p>",
            escape(title),
            escape(text)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_input_is_never_interpreted_as_html() {
        let page = form(Some("<script>alert('1')</script>"), &["\"><img>".into()]);
        assert!(!page.contains("<script>") && !page.contains("<img>"), "{page}");
    }
}
