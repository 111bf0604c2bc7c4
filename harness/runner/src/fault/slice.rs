//! `slice`: what was sent at once arrives in pieces, as over a line with a small MTU.

use super::Describe;
use super::on_link::OnLink;

/// A [`firedrill_proxy::Slicing`] on a link.
pub(super) type Slice = OnLink<firedrill_proxy::Slicing>;

impl Describe for Slice {
    const NAME: &'static str = "slice";
    const SUMMARY: &'static str = "cut what passes a link into small pieces";
    const CONFIRMED: &'static str = super::on_link::CONFIRMED;
    const FAMILY: &'static str = "network";
    const EXAMPLE: &'static str =
        r#"at = "1s", for = "1s", slice = { to = "edge", size = "16B", gap = "1ms" }"#;
    const LASTS: bool = true;
}
