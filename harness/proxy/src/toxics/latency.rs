//! Latency: everything arrives later.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::toxic::{Toxic, Ways};
use super::answers;
use firedrill_model::units::Span;

/// Holds every chunk for a time that counts from its own arrival: a kept connection does not dodge it, and many chunks
/// do not add up. The order stays.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// How long.
    delay: Span,
    /// How far from that (0).
    #[serde(default)]
    jitter: Span,
    /// How the jitter is spread (uniform).
    #[serde(default)]
    distribution: Distribution,
    /// In which direction (answers).
    #[serde(default = "answers")]
    on: Ways,
}

/// How jitter is spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// Evenly from `delay - jitter` to `delay + jitter`.
    #[default]
    Uniform,
    /// Around `delay`, with `jitter` as the standard deviation.
    Normal,
    /// Never less than `delay`; `jitter` more on average, now and then far more.
    LongTail,
}

impl Latency {
    /// So much on the answers, always the same.
    pub fn of(delay: Duration) -> Self {
        Self {
            delay: Span(delay),
            jitter: Span::default(),
            distribution: Distribution::Uniform,
            on: Ways::Answers,
        }
    }

    /// The same with jitter.
    #[must_use]
    pub fn jitter(self, jitter: Duration, distribution: Distribution) -> Self {
        Self {
            jitter: Span(jitter),
            distribution,
            ..self
        }
    }

    /// The same in other directions.
    #[must_use]
    pub fn on(self, on: Ways) -> Self {
        Self { on, ..self }
    }
}

impl Toxic for Latency {
    fn describe(&self) -> String {
        if self.jitter.0.is_zero() {
            return format!("{} on {}", self.delay, self.on);
        }
        let spread = match self.distribution {
            Distribution::Uniform => "±",
            Distribution::Normal => "with a deviation of",
            Distribution::LongTail => "and a tail of",
        };
        format!("{} {spread} {} on {}", self.delay, self.jitter, self.on)
    }

    fn flaw(&self) -> Option<String> {
        let nothing = self.delay.0.is_zero() && self.jitter.0.is_zero();
        nothing.then(|| "a delay of nothing".into())
    }

    fn ways(&self) -> Ways {
        self.on
    }

    fn touches(&self, _: usize) -> bool {
        true
    }

    fn hold(&self, random: &mut ChaCha8Rng) -> Duration {
        let (delay, jitter) = (self.delay.0.as_secs_f64(), self.jitter.0.as_secs_f64());
        if jitter == 0.0 {
            return self.delay.0;
        }
        let even: f64 = random.random();
        let off = match self.distribution {
            Distribution::Uniform => 2.0 * even - 1.0,
            Distribution::Normal => {
                let angle: f64 = random.random();
                (-2.0 * (1.0 - even).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
            }
            Distribution::LongTail => -(1.0 - even).ln(),
        };
        Duration::from_secs_f64((delay + jitter * off).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::*;

    fn mean_and_range(distribution: Distribution) -> (f64, f64, f64) {
        let latency = Latency::of(Duration::from_millis(100)).jitter(Duration::from_millis(20), distribution);
        let holds: Vec<f64> = (0..4000)
            .map(|seed| latency.hold(&mut ChaCha8Rng::seed_from_u64(seed)).as_secs_f64() * 1e3)
            .collect();
        let mean = holds.iter().sum::<f64>() / 4000.0;
        let (min, max) = holds.iter().fold((f64::MAX, 0.0f64), |(min, max), hold| {
            (min.min(*hold), max.max(*hold))
        });
        (mean, min, max)
    }

    #[test]
    fn jitter_is_spread_as_its_distribution_says() {
        let (mean, min, max) = mean_and_range(Distribution::Uniform);
        assert!(
            (mean - 100.0).abs() < 2.0 && min >= 80.0 && max <= 120.0,
            "{mean}"
        );
        let (mean, min, max) = mean_and_range(Distribution::Normal);
        assert!((mean - 100.0).abs() < 2.0 && min < 60.0 && max > 140.0, "{mean}");
        let (mean, min, max) = mean_and_range(Distribution::LongTail);
        assert!(
            (mean - 120.0).abs() < 2.0 && min >= 100.0 && max > 200.0,
            "{mean}"
        );
    }

    proptest! {
        #[test]
        fn the_same_seed_draws_the_same(seed in any::<u64>()) {
            let latency = Latency::of(Duration::ZERO).jitter(Duration::from_millis(5), Distribution::Normal);
            let draw = || latency.hold(&mut ChaCha8Rng::seed_from_u64(seed));
            prop_assert_eq!(draw(), draw());
        }
    }
}
