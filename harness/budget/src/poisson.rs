//! Poisson numbers by inversion of a table: one table a rate, then one look-up a draw.
//!
//! A hundred thousand years of forty scenarios are some ten million draws, all with the same forty rates; `rand_distr`'s
//! `Poisson` computes each from scratch.

use rand::RngCore;

/// Rates above this are split into equal parts, whose draws add up: e^−λ of the whole would be too small.
const SPLIT_ABOVE: f64 = 400.0;

/// Rates above this are not drawn at all: their standard deviation, √λ, is below 1 % of them.
const FIXED_ABOVE: f64 = 20_000.0;

/// One slot for each value of a draw's highest byte.
const SLOTS: usize = 256;

/// A Poisson distribution, ready to be drawn from.
#[derive(Debug, Clone)]
pub(super) struct Poisson {
    /// Added to every draw: the whole rate, where it is not drawn.
    fixed: u64,
    /// How many draws from the table make one draw.
    parts: u32,
    /// `P(N ≤ k)`, in 2^−32.
    cumulative: Vec<u32>,
    /// Where to begin in the table for a draw with this highest byte.
    slots: [u16; SLOTS],
}

impl Poisson {
    /// The distribution with this mean, which is finite and not below zero.
    pub(super) fn new(mean: f64) -> Self {
        if mean > FIXED_ABOVE {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "above zero; saturates"
            )]
            let fixed = mean.round() as u64;
            return Self {
                fixed,
                parts: 0,
                cumulative: Vec::new(),
                slots: [0; SLOTS],
            };
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 1 to 50"
        )]
        let parts = (mean / SPLIT_ABOVE).ceil().max(1.0) as u32;
        let cumulative = cumulative(mean / f64::from(parts));
        let mut slots = [0; SLOTS];
        for (slot, first) in (0u32..).zip(&mut slots) {
            let below = cumulative.partition_point(|until| *until <= slot << 24);
            *first = u16::try_from(below).unwrap_or(u16::MAX);
        }
        Self {
            fixed: 0,
            parts,
            cumulative,
            slots,
        }
    }

    /// A draw.
    pub(super) fn draw(&self, rng: &mut impl RngCore) -> u64 {
        let mut sum = self.fixed;
        for _ in 0..self.parts {
            let draw = rng.next_u32();
            let mut at = usize::from(self.slots[(draw >> 24) as usize]);
            // The last number takes what is left of the probability, so that every draw has one.
            while at + 1 < self.cumulative.len() && self.cumulative[at] <= draw {
                at += 1;
            }
            sum += at as u64;
        }
        sum
    }
}

/// `P(N ≤ k)` for k = 0, 1, …, in 2^−32: `P(N = 0) = e^−λ`, `P(N = k) = P(N = k − 1) · λ / k`.
fn cumulative(mean: f64) -> Vec<u32> {
    let whole = f64::from(u32::MAX);
    let mut table = Vec::new();
    let (mut chance, mut sum) = ((-mean).exp(), 0.0);
    for k in 1u32.. {
        sum += chance;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates"
        )]
        table.push((sum * whole) as u32);
        chance *= mean / f64::from(k);
        // Beyond the mean the rest shrinks fast; below this, 32 bits cannot show it.
        if f64::from(k) > mean && chance * whole < 0.01 {
            break;
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_mean_and_the_variance_of_the_draws_are_the_rate(rate in prop_oneof![0.0f64..3.0, 3.0f64..2000.0], seed: u64) {
            let (poisson, mut rng) = (Poisson::new(rate), ChaCha8Rng::seed_from_u64(seed));
            let n = 20_000;
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let draws: Vec<f64> = (0..n).map(|_| poisson.draw(&mut rng) as f64).collect();
            let mean = draws.iter().sum::<f64>() / f64::from(n);
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
            let error = (rate / f64::from(n)).sqrt();
            prop_assert!((mean - rate).abs() <= 6.0 * error, "{} for {}", mean, rate);
            // The variance of the sample variance is (2λ² + λ)/n.
            let error = ((2.0 * rate * rate + rate) / f64::from(n)).sqrt();
            prop_assert!((variance - rate).abs() <= 6.0 * error + 1e-9, "{} for {}", variance, rate);
        }
    }

    #[test]
    fn small_numbers_are_as_frequent_as_the_formula_says() {
        let (poisson, mut rng) = (Poisson::new(1.5), ChaCha8Rng::seed_from_u64(1));
        let mut counts = [0u32; 4];
        for _ in 0..100_000 {
            if let Some(count) = usize::try_from(poisson.draw(&mut rng))
                .ok()
                .and_then(|k| counts.get_mut(k))
            {
                *count += 1;
            }
        }
        for (count, chance) in counts.into_iter().zip([0.22313, 0.33470, 0.25102, 0.12551]) {
            assert!((f64::from(count) / 100_000.0 - chance).abs() < 0.006);
        }
    }

    /// A random source that always gives the highest number.
    struct Highest;

    impl rand::RngCore for Highest {
        fn next_u32(&mut self) -> u32 {
            u32::MAX
        }

        fn next_u64(&mut self) -> u64 {
            u64::MAX
        }

        fn fill_bytes(&mut self, bytes: &mut [u8]) {
            bytes.fill(u8::MAX);
        }
    }

    #[test]
    fn a_rate_of_zero_draws_zero_and_a_huge_one_its_mean() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(Poisson::new(0.0).draw(&mut rng), 0);
        // The highest number that there is: one draw in 2^32.
        assert_eq!(Poisson::new(0.0).draw(&mut Highest), 0);
        assert_eq!(Poisson::new(1e6).draw(&mut rng), 1_000_000);
    }
}
