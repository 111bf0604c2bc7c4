//! Measured quantities as text: what [`firedrill_model::format`] has, and the forms of bounds and shares.

pub(crate) use firedrill_model::format::*;

use firedrill_judge::Share;
use firedrill_judge::measure::Bounds;

/// A measured duration with its bounds: `none`, `626 ms to 899 ms`, `≥ 4.79 s` for one that had not ended.
///
/// The bounds know how many digits they support, so their own text is taken.
pub(crate) fn bounds(bounds: Bounds) -> String {
    bounds.to_string()
}

/// [`bounds`] in a sentence, where `≥` alone does not say why there is no upper bound.
pub(crate) fn downtime(downtime: Bounds) -> String {
    match downtime.high {
        Some(_) => bounds(downtime),
        None => format!("{}, still down when the drill ended", bounds(downtime)),
    }
}

/// A share of the budget between its bounds: `0.07 to 0.10 %`; nothing without an upper bound.
pub(crate) fn share(share: Share) -> Option<String> {
    Some(percent_range(share.low, share.high?))
}
