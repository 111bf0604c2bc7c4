//! `http-status`: something on the way answers in the service's place.

use super::Describe;
use super::on_link::OnLink;

/// A [`firedrill_proxy::HttpStatus`] on a link.
pub(super) type HttpStatus = OnLink<firedrill_proxy::HttpStatus>;

impl Describe for HttpStatus {
    const NAME: &'static str = "http-status";
    const SUMMARY: &'static str = "answer a share of a link's requests with a status, in the service's place";
    const CONFIRMED: &'static str = super::on_link::CONFIRMED;
    const FAMILY: &'static str = "network";
    const EXAMPLE: &'static str =
        r#"at = "1s", for = "1s", http-status = { from = "edge", to = "app", status = 503, share = "20%" }"#;
    const LASTS: bool = true;
}
