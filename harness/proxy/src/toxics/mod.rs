//! The toxics: one small file each, with the parameters as a scenario file spells them.

mod bandwidth;
mod blackhole;
mod data_limit;
mod http_delay;
mod http_drop_header;
mod http_garble;
mod http_status;
mod latency;
mod matching;
mod refuse;
mod reset;
mod slicing;
mod slow_close;

pub use bandwidth::Bandwidth;
pub use blackhole::Blackhole;
pub use data_limit::DataLimit;
pub use http_delay::HttpDelay;
pub use http_drop_header::HttpDropHeader;
pub use http_garble::HttpGarble;
pub use http_status::HttpStatus;
pub use latency::{Distribution, Latency};
pub use matching::Matching;
pub use refuse::{OpenConnections, Refuse};
pub use reset::Reset;
pub use slicing::Slicing;
pub use slow_close::SlowClose;

use firedrill_model::units::Share;

use crate::Directions;

/// The default of toxics on speed and size: answers are what is slow or cut short in practice.
fn answers() -> Directions {
    Directions::Answers
}

fn both() -> Directions {
    Directions::Both
}

fn all() -> Share {
    Share(1.0)
}
