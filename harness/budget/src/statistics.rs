//! What a few drills prove, and what they do not: order statistics and the rule of three.

use firedrill_judge::statistics::as_f64;

/// With so many samples the largest covers the 95th percentile with 95 % confidence: 1 − 0.95^n ≥ 0.95 (H. A. David,
/// *Order Statistics*).
pub const ENOUGH_FOR_P95: usize = 59;

/// The confidence with which the largest of `n` samples covers the 95th percentile: 1 − 0.95^n.
pub fn confidence_of_p95(n: usize) -> f64 {
    1.0 - 0.95f64.powf(as_f64(n))
}

/// The largest share of events that `n` samples can all have missed, at 95 % confidence: 1 − 0.05^(1/n), about 3/n (the
/// rule of three). Without a sample, 1.
pub fn unseen_share(n: usize) -> f64 {
    if n == 0 {
        1.0
    } else {
        1.0 - 0.05f64.powf(1.0 / as_f64(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_59_samples_the_largest_covers_the_95th_percentile() {
        assert!(confidence_of_p95(ENOUGH_FOR_P95) >= 0.95 && confidence_of_p95(ENOUGH_FOR_P95 - 1) < 0.95);
        assert_eq!(unseen_share(0), 1.0);
        assert!((unseen_share(100) - 0.03).abs() < 0.001, "the rule of three");
    }
}
