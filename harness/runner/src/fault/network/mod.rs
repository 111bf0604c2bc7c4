//! Faults of the network: one toxic of [`firedrill_proxy`] each, on the link between two parts of the system.
//!
//! What they share is in [`on_link`]; a new one is one entry below and one line in the catalogue.

mod on_link;

use crate::fault::Describe;
use on_link::{CONFIRMED, OnLink};

/// Declares the faults: for each its type, its key in a step, its toxic and what `firedrill faults` says of it.
macro_rules! network_faults {
    ($(
        $(#[doc = $doc:literal])*
        $fault:ident($name:literal) = $toxic:ty, $summary:literal, confirmed: $confirmed:expr, example: $example:literal;
    )*) => {$(
        $(#[doc = $doc])*
        pub(in crate::fault) type $fault = OnLink<$toxic>;

        impl Describe for $fault {
            const NAME: &'static str = $name;
            const SUMMARY: &'static str = $summary;
            const CONFIRMED: &'static str = $confirmed;
            const FAMILY: &'static str = "network";
            const EXAMPLE: &'static str = $example;
            const LASTS: bool = true;
        }
    )*};
}

network_faults! {
    /// The network is far, or crowded: everything arrives later.
    Latency("latency") = firedrill_proxy::Latency,
        "hold everything that passes a link, each chunk from its own arrival",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", latency = { from = "edge", to = "app", delay = "50ms", jitter = "10ms" }"#;

    /// The line is thin, or shared.
    Bandwidth("bandwidth") = firedrill_proxy::Bandwidth,
        "let only so many bytes a second pass a link",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", bandwidth = { from = "edge", to = "app", per_second = "64KiB" }"#;

    /// The network is parted and nobody says so: timeouts are all that helps.
    Blackhole("blackhole") = firedrill_proxy::Blackhole,
        "let nothing pass a link; connections stay open",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", blackhole = { to = "edge" }"#;

    /// Something on the way forgets its connections: a balancer, a firewall, a NAT.
    Reset("reset") = firedrill_proxy::Reset,
        "reset the connections of a link",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", reset = { from = "edge", to = "app", share = "50%" }"#;

    /// Nobody listens where somebody did.
    Refuse("refuse") = firedrill_proxy::Refuse,
        "refuse connections on a link: nobody listens",
        confirmed: "the listener is closed; what it turned away is seen where users were refused",
        example: r#"at = "1s", for = "1s", refuse = { from = "edge", to = "app" }"#;

    /// Connections are not let go of: who waits for the end waits.
    SlowClose("slow-close") = firedrill_proxy::SlowClose,
        "hold back the close of a link's connections",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", slow-close = { to = "edge", delay = "300ms" }"#;

    /// An answer breaks off in the middle.
    DataLimit("data-limit") = firedrill_proxy::DataLimit,
        "close a link's connections after so many bytes",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", data-limit = { from = "edge", to = "app", bytes = "4KiB" }"#;

    /// What was sent at once arrives in pieces, as over a line with a small MTU.
    Slice("slice") = firedrill_proxy::Slicing,
        "cut what passes a link into small pieces",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", slice = { to = "edge", size = "16B", gap = "1ms" }"#;

    /// Something on the way answers in the service's place.
    HttpStatus("http-status") = firedrill_proxy::HttpStatus,
        "answer a share of a link's requests with a status, in the service's place",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", http-status = { from = "edge", to = "app", status = 503, share = "20%" }"#;

    /// Some requests take longer than others.
    HttpDelay("http-delay") = firedrill_proxy::HttpDelay,
        "hold a share of a link's requests",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", http-delay = { from = "edge", to = "app", delay = "100ms", share = "20%" }"#;

    /// The head of an answer is right and its body is not.
    HttpGarble("http-garble") = firedrill_proxy::HttpGarble,
        "garble the bodies of a share of a link's answers",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", http-garble = { from = "edge", to = "app", share = "20%" }"#;

    /// Something on the way takes a header out.
    HttpDropHeader("http-drop-header") = firedrill_proxy::HttpDropHeader,
        "take a header out of a share of a link's answers",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", http-drop-header = { from = "edge", to = "app", header = "location", share = "20%" }"#;
}
