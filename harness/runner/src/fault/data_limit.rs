//! `data-limit`: an answer breaks off in the middle.

use super::Describe;
use super::on_link::OnLink;

/// A [`firedrill_proxy::DataLimit`] on a link.
pub(super) type DataLimit = OnLink<firedrill_proxy::DataLimit>;

impl Describe for DataLimit {
    const NAME: &'static str = "data-limit";
    const SUMMARY: &'static str = "close a link's connections after so many bytes";
    const CONFIRMED: &'static str = super::on_link::CONFIRMED;
    const FAMILY: &'static str = "network";
    const EXAMPLE: &'static str =
        r#"at = "1s", for = "1s", data-limit = { from = "edge", to = "app", bytes = "4KiB" }"#;
    const LASTS: bool = true;
}
