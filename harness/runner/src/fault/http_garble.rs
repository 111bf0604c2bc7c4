//! `http-garble`: the head of an answer is right and its body is not.

use super::Describe;
use super::on_link::OnLink;

/// A [`firedrill_proxy::HttpGarble`] on a link.
pub(super) type HttpGarble = OnLink<firedrill_proxy::HttpGarble>;

impl Describe for HttpGarble {
    const NAME: &'static str = "http-garble";
    const SUMMARY: &'static str = "garble the bodies of a share of a link's answers";
    const CONFIRMED: &'static str = super::on_link::CONFIRMED;
    const FAMILY: &'static str = "network";
    const EXAMPLE: &'static str =
        r#"at = "1s", for = "1s", http-garble = { from = "edge", to = "app", share = "20%" }"#;
    const LASTS: bool = true;
}
