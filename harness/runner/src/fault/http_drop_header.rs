//! `http-drop-header`: something on the way takes a header out.

use super::Describe;
use super::on_link::OnLink;

/// A [`firedrill_proxy::HttpDropHeader`] on a link.
pub(super) type HttpDropHeader = OnLink<firedrill_proxy::HttpDropHeader>;

impl Describe for HttpDropHeader {
    const NAME: &'static str = "http-drop-header";
    const SUMMARY: &'static str = "take a header out of a share of a link's answers";
    const CONFIRMED: &'static str = super::on_link::CONFIRMED;
    const FAMILY: &'static str = "network";
    const EXAMPLE: &'static str = r#"at = "1s", for = "1s", http-drop-header = { from = "edge", to = "app", header = "location", share = "20%" }"#;
    const LASTS: bool = true;
}
