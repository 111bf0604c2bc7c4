//! Faults of the network: one toxic of [`firedrill_proxy`] each, on the link between two parts of the system.
//!
//! What they share is in [`on_link`]; a new one is one entry below and one line in the catalogue.

mod on_link;

use crate::fault::{Describe, Family};
use firedrill_model::scenario::Requirement;
use on_link::{CONFIRMED, OnLink};

/// What faults need that act on requests and answers.
const READS_REQUESTS: &[Requirement] = &[Requirement::ReadableLink];

/// Declares the faults: for each its type, its key in a step, its toxic and what `firedrill faults` says of it.
macro_rules! network_faults {
    ($(
        $(#[doc = $doc:literal])*
        $fault:ident($name:literal) = $toxic:ty, $summary:literal, confirmed: $confirmed:expr, example: $example:literal
            $(, requires: $requires:expr)?;
    )*) => {$(
        $(#[doc = $doc])*
        pub(in crate::fault) type $fault = OnLink<$toxic>;

        impl Describe for $fault {
            const NAME: &'static str = $name;
            const SUMMARY: &'static str = $summary;
            const CONFIRMED: &'static str = $confirmed;
            const FAMILY: Family = Family::Network;
            const EXAMPLE: &'static str = $example;
            const LASTS: bool = true;
            $(const REQUIRES: &'static [Requirement] = $requires;)?
        }
    )*};
}

network_faults! {
    /// The network is far away or congested: everything arrives later.
    Latency("latency") = firedrill_proxy::Latency,
        "add latency to all data between two services",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", latency = { from = "edge", to = "app", delay = "50ms", jitter = "10ms" }"#;

    /// The line is slow, or shared.
    Bandwidth("bandwidth") = firedrill_proxy::Bandwidth,
        "limit the bytes per second on a link",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", bandwidth = { from = "edge", to = "app", per_second = "64KiB" }"#;

    /// The network is partitioned and reports no error: only timeouts help.
    Blackhole("blackhole") = firedrill_proxy::Blackhole,
        "drop everything on a link; connections stay open",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", blackhole = { to = "edge" }"#;

    /// A load balancer, firewall or NAT on the way loses its connections.
    Reset("reset") = firedrill_proxy::Reset,
        "reset the connections of a link",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", reset = { from = "edge", to = "app", share = "50%" }"#;

    /// The service's port is closed.
    Refuse("refuse") = firedrill_proxy::Refuse,
        "refuse connections on a link",
        confirmed: "the listener is closed; refused connections show in the users' probes alone",
        example: r#"at = "1s", for = "1s", refuse = { from = "edge", to = "app" }"#;

    /// Connections close late: clients that wait for the end wait longer.
    SlowClose("slow-close") = firedrill_proxy::SlowClose,
        "delay the close of a link's connections",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", slow-close = { to = "edge", delay = "300ms" }"#;

    /// An answer is cut off in the middle.
    DataLimit("data-limit") = firedrill_proxy::DataLimit,
        "close a link's connections after so many bytes",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", data-limit = { from = "edge", to = "app", bytes = "4KiB" }"#;

    /// What was sent at once arrives in small pieces, as over a line with a small MTU.
    Slice("slice") = firedrill_proxy::Slicing,
        "split the data on a link into small pieces",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", slice = { to = "edge", size = "16B", gap = "1ms" }"#;

    /// A proxy on the way answers instead of the service.
    HttpStatus("http-status") = firedrill_proxy::HttpStatus,
        "answer a share of a link's requests with a status, instead of the service",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", http-status = { from = "edge", to = "app", status = 503, share = "20%" }"#,
        requires: READS_REQUESTS;

    /// Some requests take longer than others.
    HttpDelay("http-delay") = firedrill_proxy::HttpDelay,
        "delay a share of a link's requests",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", http-delay = { from = "edge", to = "app", delay = "100ms", share = "20%" }"#,
        requires: READS_REQUESTS;

    /// An answer has the right status and headers, and a corrupt body.
    HttpGarble("http-garble") = firedrill_proxy::HttpGarble,
        "corrupt the bodies of a share of a link's answers",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", http-garble = { from = "edge", to = "app", share = "20%" }"#,
        requires: READS_REQUESTS;

    /// A proxy on the way removes a header.
    HttpDropHeader("http-drop-header") = firedrill_proxy::HttpDropHeader,
        "remove a header from a share of a link's answers",
        confirmed: CONFIRMED,
        example: r#"at = "1s", for = "1s", http-drop-header = { from = "edge", to = "app", header = "location", share = "20%" }"#,
        requires: READS_REQUESTS;
}
