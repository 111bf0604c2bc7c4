//! Latency: everything arrives later.

use std::time::Duration;

use firedrill_model::units::Span;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Exp1, StandardNormal};
use schemars::JsonSchema;
use serde::Deserialize;

use super::answers;
use crate::{Directions, InvalidToxic, Toxic};

/// Delays every chunk, from its own arrival: requests on a reused connection are delayed as well, and the delays of
/// many chunks do not add up. The order of the bytes stays.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The delay.
    delay: Span,
    /// How much the delay varies [default: 0].
    #[serde(default)]
    jitter: Span,
    /// How the jitter is distributed [default: uniform].
    #[serde(default)]
    distribution: Distribution,
    /// The affected direction [default: answers].
    #[serde(default = "answers")]
    on: Directions,
}

/// How jitter is distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Distribution {
    /// Evenly from `delay - jitter` to `delay + jitter`.
    #[default]
    Uniform,
    /// Around `delay`, with `jitter` as the standard deviation.
    Normal,
    /// Never below `delay`; `jitter` more on average, occasionally far more (exponential).
    LongTail,
}

impl Latency {
    /// The same delay for all answers.
    pub fn new(delay: Duration) -> Self {
        Self {
            delay: Span(delay),
            jitter: Span::default(),
            distribution: Distribution::Uniform,
            on: Directions::Answers,
        }
    }

    /// Varies the delay.
    #[must_use]
    pub fn jitter(self, jitter: Duration, distribution: Distribution) -> Self {
        Self {
            jitter: Span(jitter),
            distribution,
            ..self
        }
    }

    /// Affects these directions instead.
    #[must_use]
    pub fn on(self, on: Directions) -> Self {
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
            Distribution::Normal => "with a standard deviation of",
            Distribution::LongTail => "with a long tail of",
        };
        format!("{} {spread} {} on {}", self.delay, self.jitter, self.on)
    }

    fn validate(&self) -> Result<(), InvalidToxic> {
        if self.delay.0.is_zero() && self.jitter.0.is_zero() {
            return Err(InvalidToxic::ZeroDelay);
        }
        Ok(())
    }

    fn directions(&self) -> Directions {
        self.on
    }

    fn affects_chunk(&self, _: usize) -> bool {
        true
    }

    fn delay(&self, random: &mut ChaCha8Rng) -> Duration {
        if self.jitter.0.is_zero() {
            return self.delay.0;
        }
        // In units of the jitter.
        let deviation: f64 = match self.distribution {
            Distribution::Uniform => random.random_range(-1.0..1.0),
            Distribution::Normal => random.sample(StandardNormal),
            Distribution::LongTail => random.sample(Exp1),
        };
        let seconds = self.delay.0.as_secs_f64() + self.jitter.0.as_secs_f64() * deviation;
        // No chunk arrives before it was sent.
        Duration::from_secs_f64(seconds.max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::*;

    /// Mean, shortest and longest delay in milliseconds.
    fn mean_and_range(distribution: Distribution) -> (f64, f64, f64) {
        let latency =
            Latency::new(Duration::from_millis(100)).jitter(Duration::from_millis(20), distribution);
        let delays: Vec<f64> = (0..4000)
            .map(|seed| latency.delay(&mut ChaCha8Rng::seed_from_u64(seed)).as_secs_f64() * 1e3)
            .collect();
        let mean = delays.iter().sum::<f64>() / 4000.0;
        let (min, max) = delays.iter().fold((f64::MAX, 0.0f64), |(min, max), delay| {
            (min.min(*delay), max.max(*delay))
        });
        (mean, min, max)
    }

    #[test]
    fn jitter_follows_its_distribution() {
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
        fn the_same_seed_draws_the_same_delay(seed in any::<u64>()) {
            let latency = Latency::new(Duration::ZERO).jitter(Duration::from_millis(5), Distribution::Normal);
            let draw = || latency.delay(&mut ChaCha8Rng::seed_from_u64(seed));
            prop_assert_eq!(draw(), draw());
        }
    }
}
