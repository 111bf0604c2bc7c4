//! `slow-close`: connections are not let go of: who waits for the end waits.

use super::Describe;
use super::on_link::OnLink;

/// A [`firedrill_proxy::SlowClose`] on a link.
pub(super) type SlowClose = OnLink<firedrill_proxy::SlowClose>;

impl Describe for SlowClose {
    const NAME: &'static str = "slow-close";
    const SUMMARY: &'static str = "hold back the close of a link's connections";
    const CONFIRMED: &'static str = super::on_link::CONFIRMED;
    const FAMILY: &'static str = "network";
    const EXAMPLE: &'static str = r#"at = "1s", for = "1s", slow-close = { to = "edge", delay = "300ms" }"#;
    const LASTS: bool = true;
}
