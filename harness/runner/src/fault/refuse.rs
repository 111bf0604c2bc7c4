//! `refuse`: nobody listens where somebody did.

use super::Describe;
use super::on_link::OnLink;

/// A [`firedrill_proxy::Refuse`] on a link.
pub(super) type Refuse = OnLink<firedrill_proxy::Refuse>;

impl Describe for Refuse {
    const NAME: &'static str = "refuse";
    const SUMMARY: &'static str = "refuse connections on a link: nobody listens";
    const CONFIRMED: &'static str =
        "the listener is closed; what it turned away is seen where users were refused";
    const FAMILY: &'static str = "network";
    const EXAMPLE: &'static str = r#"at = "1s", for = "1s", refuse = { from = "edge", to = "app" }"#;
    const LASTS: bool = true;
}
