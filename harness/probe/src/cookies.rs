//! The cookies of one probe: those that answers set, sent with later requests, as a browser does.

use cookie_store::{CookieStore, RawCookie};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri, header};
use url::Url;

/// The cookies of one user, who has none at first.
#[derive(Debug, Default)]
pub(super) struct Cookies(CookieStore);

impl Cookies {
    /// Keeps what the answer to a request sets, and forgets what it deletes.
    pub(super) fn keep(&mut self, asked: &Url, answer: &HeaderMap) {
        for cookie in set(answer) {
            // One for another host, or that is damaged, is not kept; browsers do not tell either.
            let _ = self.0.insert_raw(&cookie, asked);
        }
    }

    /// Adds the cookies for this address to a request.
    pub(super) fn send(&self, asked: &Url, headers: &mut HeaderMap) {
        let mut values: Vec<String> = self
            .0
            .get_request_values(asked)
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if values.is_empty() {
            return;
        }
        // Same order in every probe.
        values.sort_unstable();
        // A request has one line of cookies (RFC 6265, 5.4): that of the file goes first.
        let own = headers.get(header::COOKIE).map(HeaderValue::as_bytes);
        let mut line = own.map_or_else(Vec::new, |own| [own, b"; "].concat());
        line.extend_from_slice(values.join("; ").as_bytes());
        if let Ok(line) = HeaderValue::from_bytes(&line) {
            headers.insert(header::COOKIE, line);
        }
    }
}

/// The value of a cookie that an answer sets.
pub(super) fn value(answer: &HeaderMap, name: &str) -> Option<String> {
    // The last one of a name wins, as in a browser.
    let cookie = set(answer).filter(|cookie| cookie.name() == name).last();
    cookie.map(|cookie| cookie.value().to_owned())
}

fn set(answer: &HeaderMap) -> impl Iterator<Item = RawCookie<'_>> {
    let lines = answer.get_all(header::SET_COOKIE).iter();
    lines.filter_map(|line| RawCookie::parse(line.to_str().ok()?).ok())
}

/// The address that a user asks for: at the host of the request, or at the entry. As if over TLS, so that `Secure` cookies
/// are sent: in production TLS may end in front of the entry.
pub(super) fn asked(entry: &Authority, headers: &HeaderMap, uri: &Uri) -> Option<Url> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.map_or_else(|| entry.to_string(), str::to_owned);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Url::parse(&format!("https://{host}{path}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::SET_COOKIE, HeaderValue::from_static(line));
        }
        headers
    }

    fn at(path: &str, host: Option<&'static str>) -> Url {
        let mut headers = HeaderMap::new();
        headers.extend(host.map(|host| (header::HOST, HeaderValue::from_static(host))));
        let entry = "127.0.0.1:8080".parse().unwrap();
        asked(&entry, &headers, &path.parse().unwrap()).unwrap()
    }

    fn sent(cookies: &Cookies, to: &Url) -> String {
        let mut headers = HeaderMap::new();
        cookies.send(to, &mut headers);
        let line = headers.get(header::COOKIE);
        line.map_or_else(String::new, |line| line.to_str().unwrap().to_owned())
    }

    #[test]
    fn cookies_are_kept_replaced_and_deleted() {
        let (mut cookies, here) = (Cookies::default(), at("/", None));
        cookies.keep(&here, &answer(&["sid=1; HttpOnly; Secure", "theme=dark; Path=/"]));
        assert_eq!(sent(&cookies, &here), "sid=1; theme=dark");
        cookies.keep(&here, &answer(&["sid=2", "theme=; Max-Age=0"]));
        assert_eq!(sent(&cookies, &here), "sid=2");
    }

    #[test]
    fn a_cookie_goes_only_where_it_belongs() {
        let (mut cookies, here) = (Cookies::default(), at("/login", Some("shop.example")));
        let set = [
            "a=1; Path=/admin",
            "b=2; Domain=shop.example",
            "c=3; Domain=other.example",
        ];
        cookies.keep(&here, &answer(&set));
        assert_eq!(sent(&cookies, &at("/", Some("shop.example"))), "b=2");
        assert_eq!(
            sent(&cookies, &at("/admin/users", Some("shop.example"))),
            "a=1; b=2"
        );
        assert_eq!(sent(&cookies, &at("/admin", Some("other.example"))), "");
    }

    #[test]
    fn cookies_join_those_of_the_file() {
        let (mut cookies, here) = (Cookies::default(), at("/", None));
        cookies.keep(&here, &answer(&["sid=1"]));
        let mut headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static("lang=de"))]);
        cookies.send(&here, &mut headers);
        assert_eq!(headers[header::COOKIE], "lang=de; sid=1");
    }

    #[test]
    fn a_damaged_cookie_is_none() {
        assert_eq!(
            value(&answer(&["=; =", "sid", "sid=a=b"]), "sid").as_deref(),
            Some("a=b")
        );
        assert_eq!(value(&answer(&[]), "sid"), None);
    }
}
