//! `blackhole`: the network is parted and nobody says so: timeouts are all that helps.

use super::Describe;
use super::on_link::OnLink;

/// A [`firedrill_proxy::Blackhole`] on a link.
pub(super) type Blackhole = OnLink<firedrill_proxy::Blackhole>;

impl Describe for Blackhole {
    const NAME: &'static str = "blackhole";
    const SUMMARY: &'static str = "let nothing pass a link; connections stay open";
    const CONFIRMED: &'static str = super::on_link::CONFIRMED;
    const FAMILY: &'static str = "network";
    const EXAMPLE: &'static str = r#"at = "1s", for = "1s", blackhole = { to = "edge" }"#;
    const LASTS: bool = true;
}
