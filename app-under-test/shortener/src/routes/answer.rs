//! The answers of the routes: pages, redirects, errors, and the headers that say where an answer comes from.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::link::Code;
use crate::pages;
use crate::store::{Rung, StoreError};

/// The header that says where an answer comes from.
pub(super) static SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");
static SHORT_LINK: HeaderName = HeaderName::from_static("x-short-link");

/// The newest links of a visitor that the cookie remembers.
const MAX_VISITOR_CODES: usize = 50;

/// An answer that says where it comes from.
pub(super) fn served_by(rung: Rung, mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(SERVED_BY.clone(), HeaderValue::from_static(rung.name()));
    response
}

/// An error page.
pub(super) fn error(status: StatusCode, text: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    (status, Html(pages::error(title, text))).into_response()
}

/// Status 500. The cause is logged and not shown to the visitor.
pub(super) fn internal_error(operation: &str, cause: &StoreError) -> Response {
    tracing::error!("{operation} failed: {cause}");
    error(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Something went wrong on our side. Please try again.",
    )
}

/// Status 404.
pub(super) fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "There is no page at this address.")
}

/// Status 302.
pub(super) fn redirect(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        // A damaged store may hold any bytes, and a header may not.
        Err(_) => error(StatusCode::INTERNAL_SERVER_ERROR, "This link is damaged."),
    }
}

/// The page of a new link. The cookie remembers the visitor's links.
pub(super) fn created(rung: Rung, link: &str, mut codes: Vec<String>, code: &Code) -> Response {
    codes.push(code.as_str().to_owned());
    // The newest ones: browsers refuse a cookie of more than 4 KiB.
    let codes = codes.split_off(codes.len().saturating_sub(MAX_VISITOR_CODES));
    let mut response = served_by(rung, Html(pages::created(link)).into_response());
    let headers = response.headers_mut();
    if let Ok(link) = HeaderValue::from_str(link) {
        headers.insert(SHORT_LINK.clone(), link);
    }
    let cookie = format!("codes={}; Max-Age=31536000; Path=/; HttpOnly", codes.join("."));
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// Back to the form, which then says that the code is taken.
pub(super) fn taken() -> Response {
    let mut response = redirect("/");
    response.headers_mut().append(
        header::SET_COOKIE,
        HeaderValue::from_static("flash=taken; Max-Age=60; Path=/; HttpOnly"),
    );
    response
}

/// The value of a cookie.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies
        .split(';')
        .find_map(|cookie| cookie.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The codes of the visitor's links, from the cookie.
pub(super) fn visitor_codes(headers: &HeaderMap) -> Vec<String> {
    let codes = cookie(headers, "codes").unwrap_or_default().split('.');
    codes
        .filter(|code| Code::new(code).is_some())
        .map(str::to_owned)
        .collect()
}
