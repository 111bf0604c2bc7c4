//! `reset`: something on the way forgets its connections: a balancer, a firewall, a NAT.

use super::Describe;
use super::on_link::OnLink;

/// A [`firedrill_proxy::Reset`] on a link.
pub(super) type Reset = OnLink<firedrill_proxy::Reset>;

impl Describe for Reset {
    const NAME: &'static str = "reset";
    const SUMMARY: &'static str = "reset the connections of a link";
    const CONFIRMED: &'static str = super::on_link::CONFIRMED;
    const FAMILY: &'static str = "network";
    const EXAMPLE: &'static str =
        r#"at = "1s", for = "1s", reset = { from = "edge", to = "app", share = "50%" }"#;
    const LASTS: bool = true;
}
