//! `bandwidth`: the line is thin, or shared.

use super::Describe;
use super::on_link::OnLink;

/// A [`firedrill_proxy::Bandwidth`] on a link.
pub(super) type Bandwidth = OnLink<firedrill_proxy::Bandwidth>;

impl Describe for Bandwidth {
    const NAME: &'static str = "bandwidth";
    const SUMMARY: &'static str = "let only so many bytes a second pass a link";
    const CONFIRMED: &'static str = super::on_link::CONFIRMED;
    const FAMILY: &'static str = "network";
    const EXAMPLE: &'static str =
        r#"at = "1s", for = "1s", bandwidth = { from = "edge", to = "app", per_second = "64KiB" }"#;
    const LASTS: bool = true;
}
