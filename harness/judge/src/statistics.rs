//! What a few samples prove, and what they do not: the median and the Mann-Whitney test.
//!
//! Sources: H. B. Mann and D. R. Whitney, "On a Test of Whether one of Two Random Variables is Stochastically Larger than the
//! Other" (1947); ties as in E. L. Lehmann, *Nonparametrics*, chapter 1.

/// The exact test costs `O(n³)`; with more samples than this in all, the normal approximation is as good.
const EXACT_UP_TO: usize = 60;

/// A count as a floating-point number, for formulas.
#[expect(clippy::cast_precision_loss, reason = "counts of samples are below 2^53")]
pub fn as_f64(n: usize) -> f64 {
    n as f64
}

/// The median; `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        // Two infinities have no midpoint, but they are equal.
        _ if sorted[middle - 1] == sorted[middle] => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The two-sided p of the Mann-Whitney test: how likely ranks at least so uneven are when both samples are of one
/// distribution. Tied values get the mean of their ranks, and p is exact for ties, too. 1 when a side is empty.
pub fn mann_whitney(a: &[f64], b: &[f64]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 1.0;
    }
    let ranks = doubled_ranks(a, b);
    let sum: usize = ranks[..a.len()].iter().sum();
    if ranks.len() <= EXACT_UP_TO {
        exact(&ranks, a.len(), sum)
    } else {
        approximate(&ranks, a.len(), sum)
    }
}

/// Twice the rank of each value, those of `a` first. Ties share their mean rank, which is half a whole number at worst.
fn doubled_ranks(a: &[f64], b: &[f64]) -> Vec<usize> {
    let all: Vec<f64> = a.iter().chain(b).copied().collect();
    let rank = |value: &f64| {
        let below = all.iter().filter(|other| other.total_cmp(value).is_lt()).count();
        let equal = all.iter().filter(|other| other.total_cmp(value).is_eq()).count();
        2 * below + equal + 1
    };
    all.iter().map(rank).collect()
}

/// The exact p: of all choices of `n` ranks, each as likely as any other, the share whose sum is at least as far from the
/// mean. Counted by dynamic programming over the ranks.
fn exact(ranks: &[usize], n: usize, sum: usize) -> f64 {
    let most: usize = ranks.iter().sum();
    // ways[k][s]: choices of k ranks with the sum s.
    let mut ways = vec![vec![0.0f64; most + 1]; n + 1];
    ways[0][0] = 1.0;
    for (seen, rank) in ranks.iter().enumerate() {
        // From many to few, so that no rank is chosen twice.
        for chosen in (1..=n.min(seen + 1)).rev() {
            let (fewer, more) = ways.split_at_mut(chosen);
            let (from, to) = (&fewer[chosen - 1], &mut more[0]);
            for total in *rank..=most {
                to[total] += from[total - rank];
            }
        }
    }
    let all: f64 = ways[n].iter().sum();
    // The mean of the sum is n/N of all ranks; times N it stays a whole number.
    let away = |total: usize| (total * ranks.len()).abs_diff(n * most);
    let as_far = ways[n]
        .iter()
        .enumerate()
        .filter(|(total, _)| away(*total) >= away(sum));
    (as_far.map(|(_, ways)| ways).sum::<f64>() / all).min(1.0)
}

/// The p of the normal approximation, with the variance of the tied ranks and a continuity correction.
fn approximate(ranks: &[usize], n: usize, sum: usize) -> f64 {
    let (whole, part) = (as_f64(ranks.len()), as_f64(n));
    let mean = ranks.iter().map(|rank| as_f64(*rank)).sum::<f64>() / whole;
    let spread = ranks
        .iter()
        .map(|rank| (as_f64(*rank) - mean).powi(2))
        .sum::<f64>()
        / (whole - 1.0);
    let deviation = (spread * part * (whole - part) / whole).sqrt();
    if deviation == 0.0 {
        return 1.0;
    }
    // Half a rank of correction is 1 in doubled ranks.
    let z = ((as_f64(sum) - part * mean).abs() - 1.0).max(0.0) / deviation;
    libm::erfc(z / std::f64::consts::SQRT_2).min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every way to deal the values out to two sides, by brute force.
    fn by_brute_force(a: &[f64], b: &[f64]) -> f64 {
        let all: Vec<f64> = a.iter().chain(b).copied().collect();
        // U without ranks: pairs won, ties half.
        let u = |chosen: &[usize]| -> f64 {
            let rest = (0..all.len()).filter(|at| !chosen.contains(at));
            rest.flat_map(|other| chosen.iter().map(move |one| (*one, other)))
                .map(|(one, other)| match all[one].total_cmp(&all[other]) {
                    std::cmp::Ordering::Less => 0.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Greater => 1.0,
                })
                .sum()
        };
        let middle = as_f64(a.len()) * as_f64(b.len()) / 2.0;
        let seen = (u(&(0..a.len()).collect::<Vec<_>>()) - middle).abs();
        let (mut all_ways, mut as_far) = (0.0, 0.0);
        for mask in 0u32..1 << all.len() {
            if mask.count_ones() as usize == a.len() {
                let chosen: Vec<usize> = (0..all.len()).filter(|at| mask & (1 << at) != 0).collect();
                all_ways += 1.0;
                as_far += f64::from(u8::from((u(&chosen) - middle).abs() >= seen - 1e-9));
            }
        }
        as_far / all_ways
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        let value = prop_oneof![(0u8..6).prop_map(f64::from), Just(f64::INFINITY)];
        prop::collection::vec(value, 1..6)
    }

    proptest! {
        #[test]
        fn the_exact_test_is_that_of_brute_force(a in values(), b in values()) {
            prop_assert!((mann_whitney(&a, &b) - by_brute_force(&a, &b)).abs() < 1e-9);
        }

        #[test]
        fn the_sides_can_be_swapped_and_values_shifted(a in values(), b in values(), by in 1u8..9) {
            let p = mann_whitney(&a, &b);
            prop_assert!((p - mann_whitney(&b, &a)).abs() < 1e-9);
            let shifted = |values: &[f64]| values.iter().map(|v| v + f64::from(by)).collect::<Vec<_>>();
            prop_assert!((p - mann_whitney(&shifted(&a), &shifted(&b))).abs() < 1e-9);
            prop_assert!((0.0..=1.0).contains(&p));
        }

    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn the_approximation_is_near_the_exact_test(
            a in prop::collection::vec(0u16..500, 20..30), b in prop::collection::vec(0u16..500, 20..30),
        ) {
            let floats = |values: &[u16]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
            let ranks = doubled_ranks(&floats(&a), &floats(&b));
            let sum = ranks[..a.len()].iter().sum();
            prop_assert!((exact(&ranks, a.len(), sum) - approximate(&ranks, a.len(), sum)).abs() < 0.01);
        }
    }

    proptest! {
        #[test]
        fn half_lie_on_each_side_of_a_median(values in prop::collection::vec(0.0f64..100.0, 1..30)) {
            let median = median(&values).unwrap();
            let half = values.len().div_ceil(2);
            prop_assert!(values.iter().filter(|v| **v <= median).count() >= half);
            prop_assert!(values.iter().filter(|v| **v >= median).count() >= half);
        }
    }

    #[test]
    fn five_a_side_can_just_show_a_difference_and_four_cannot() {
        let side = |from: u8, n: u8| (from..from + n).map(f64::from).collect::<Vec<_>>();
        assert!((mann_whitney(&side(0, 5), &side(10, 5)) - 2.0 / 252.0).abs() < 1e-12);
        assert!(mann_whitney(&side(0, 5), &side(10, 5)) < 0.01);
        assert!(mann_whitney(&side(0, 4), &side(10, 4)) > 0.01);
    }
}
