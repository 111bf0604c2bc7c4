//! `latency`: the network is far, or crowded: everything arrives later.

use super::Describe;
use super::on_link::OnLink;

/// A [`firedrill_proxy::Latency`] on a link.
pub(super) type Latency = OnLink<firedrill_proxy::Latency>;

impl Describe for Latency {
    const NAME: &'static str = "latency";
    const SUMMARY: &'static str = "hold everything that passes a link, each chunk from its own arrival";
    const CONFIRMED: &'static str = super::on_link::CONFIRMED;
    const FAMILY: &'static str = "network";
    const EXAMPLE: &'static str =
        r#"at = "1s", for = "1s", latency = { from = "edge", to = "app", delay = "50ms", jitter = "10ms" }"#;
    const LASTS: bool = true;
}
