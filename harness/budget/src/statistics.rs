//! What a few samples prove, and what they do not: order statistics and the rule of three.

/// With so many samples the largest of them covers the 95th percentile with 95 % confidence: 1 − 0.95^n ≥ 0.95.
pub const ENOUGH_FOR_P95: usize = 59;

/// The confidence with which the largest of `n` samples covers the 95th percentile.
pub fn confidence_of_p95(n: usize) -> f64 {
    1.0 - 0.95f64.powf(count(n))
}

/// How often something may happen that was not seen in `n` samples, at 95 % confidence: 1 − 0.05^(1/n), about 3/n.
/// Without a sample, always.
pub fn unseen(n: usize) -> f64 {
    if n == 0 {
        1.0
    } else {
        1.0 - 0.05f64.powf(1.0 / count(n))
    }
}

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "counts of samples")]
pub(super) fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_nine_is_the_least_number_whose_largest_covers_p95() {
        assert!(confidence_of_p95(ENOUGH_FOR_P95) >= 0.95 && confidence_of_p95(ENOUGH_FOR_P95 - 1) < 0.95);
        assert_eq!(unseen(0), 1.0);
        assert!((unseen(100) - 0.03).abs() < 0.001, "the rule of three");
    }
}
