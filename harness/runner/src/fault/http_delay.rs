//! `http-delay`: some requests take longer than others.

use super::Describe;
use super::on_link::OnLink;

/// A [`firedrill_proxy::HttpDelay`] on a link.
pub(super) type HttpDelay = OnLink<firedrill_proxy::HttpDelay>;

impl Describe for HttpDelay {
    const NAME: &'static str = "http-delay";
    const SUMMARY: &'static str = "hold a share of a link's requests";
    const CONFIRMED: &'static str = super::on_link::CONFIRMED;
    const FAMILY: &'static str = "network";
    const EXAMPLE: &'static str = r#"at = "1s", for = "1s", http-delay = { from = "edge", to = "app", delay = "100ms", share = "20%" }"#;
    const LASTS: bool = true;
}
