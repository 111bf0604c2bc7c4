//! The tolerable rate: how often something may happen so that just one year in twenty goes over its budget.
//!
//! Events of a Poisson process follow each other on a scale of rates: raise the rate, and one after the other falls into
//! the year. A year goes over at the rate that brings the event which spends the rest of its budget. The answer is the rate
//! that one simulated year in twenty is below. Events that are small beside the budget are not drawn one by one: by the
//! central limit theorem their sum is normally distributed.

use rand::Rng;
use rand_distr::{Exp1, StandardNormal};

/// Events are small when the budget has room for more than this many.
const MANY: f64 = 100.0;

/// A kind of event.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventKind {
    /// What one costs, in seconds.
    pub(super) cost: f64,
    /// How many of this kind come at a rate of one.
    pub(super) share: f64,
}

/// The tolerable rate; `None`: any rate, as no event costs anything. `left` is what other risks leave of each year's
/// budget: below zero where they go over it by themselves.
pub(super) fn tolerable_rate(
    events: &[EventKind],
    left: &[f64],
    budget: f64,
    rng: &mut impl Rng,
) -> Option<f64> {
    let costly = events.iter().filter(|event| event.cost * event.share > 0.0);
    let (small, large): (Vec<EventKind>, Vec<EventKind>) =
        costly.partition(|event| event.cost * MANY < budget);
    if small.is_empty() && large.is_empty() {
        return None;
    }
    let (small, large) = (Small::new(&small), Large::new(&large));
    let mut rates: Vec<f64> = left
        .iter()
        .map(|left| rate_over_budget(*left, &small, &large, rng))
        .collect();
    rates.sort_unstable_by(f64::total_cmp);
    // The 5th percentile: one year in twenty goes over at a lower rate.
    rates.get(rates.len() / 20).copied()
}

/// The rate at which one simulated year goes over its budget.
fn rate_over_budget(mut left: f64, small: &Small, large: &Large, rng: &mut impl Rng) -> f64 {
    let mut rate = 0.0;
    while left >= 0.0 {
        let gap = large.gap(rng);
        let deviation: f64 = if small.mean > 0.0 {
            rng.sample(StandardNormal)
        } else {
            0.0
        };
        // Do the small events alone spend what is left before the next large one comes?
        let alone = small.rate_to_spend(left, deviation);
        if alone <= gap {
            return rate + alone;
        }
        rate += gap;
        left -= small.sum(gap, deviation) + large.cost(rng);
    }
    rate
}

/// All small events together: mean and variance of their sum at a rate of one.
struct Small {
    mean: f64,
    variance: f64,
}

impl Small {
    /// Of a compound Poisson sum: the mean is Σ λ x, the variance Σ λ x².
    fn new(events: &[EventKind]) -> Self {
        Self {
            mean: events.iter().map(|event| event.share * event.cost).sum(),
            variance: events
                .iter()
                .map(|event| event.share * event.cost * event.cost)
                .sum(),
        }
    }

    /// What they cost at a rate, so many standard deviations from the mean.
    fn sum(&self, rate: f64, deviation: f64) -> f64 {
        (self.mean * rate + deviation * (self.variance * rate).sqrt()).max(0.0)
    }

    /// The rate r at which they cost that much: `mean · r + deviation · √(variance · r) = left`, quadratic in √r.
    fn rate_to_spend(&self, left: f64, deviation: f64) -> f64 {
        if self.mean <= 0.0 {
            return f64::INFINITY;
        }
        let spread = deviation * self.variance.sqrt();
        let root = (spread.mul_add(spread, 4.0 * self.mean * left).sqrt() - spread) / (2.0 * self.mean);
        root * root
    }
}

/// The events that are drawn one by one.
struct Large {
    costs: Vec<f64>,
    /// The share of each kind and of all before it.
    cumulative: Vec<f64>,
}

impl Large {
    fn new(events: &[EventKind]) -> Self {
        let mut sum = 0.0;
        let cumulative = events.iter().map(|event| {
            sum += event.share;
            sum
        });
        Self {
            cumulative: cumulative.collect(),
            costs: events.iter().map(|event| event.cost).collect(),
        }
    }

    /// How many of any kind come at a rate of one.
    fn share(&self) -> f64 {
        self.cumulative.last().copied().unwrap_or(0.0)
    }

    /// How much the rate rises until the next one: exponentially distributed.
    fn gap(&self, rng: &mut impl Rng) -> f64 {
        match self.share() {
            share if share > 0.0 => rng.sample::<f64, _>(Exp1) / share,
            _ => f64::INFINITY,
        }
    }

    /// What the next one costs: a kind drawn by its share.
    fn cost(&self, rng: &mut impl Rng) -> f64 {
        let drawn = rng.random::<f64>() * self.share();
        let at = self.cumulative.partition_point(|until| *until <= drawn);
        let last = self.costs.len().saturating_sub(1);
        self.costs.get(at.min(last)).copied().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Small and large events mixed in any way: the answer is that of a normal distribution with their mean and variance.
        #[test]
        fn with_many_events_the_rate_is_that_of_the_closed_form(
            small in prop::collection::vec((0.01f64..0.9, 0.1f64..1.0), 0..4),
            large in prop::collection::vec((1.1f64..4.0, 0.1f64..1.0), 0..4),
            seed: u64,
        ) {
            let events: Vec<EventKind> =
                small.iter().chain(&large).map(|(cost, share)| EventKind { cost: *cost, share: *share }).collect();
            let mean: f64 = events.iter().map(|event| event.cost * event.share).sum();
            let (budget, mut rng) = (100.0, ChaCha8Rng::seed_from_u64(seed));
            let rate = tolerable_rate(&events, &vec![budget; 2000], budget, &mut rng);
            prop_assert_eq!(rate.is_none(), events.is_empty());
            if let Some(rate) = rate {
                // The 5th percentile: 1.645 standard deviations before the mean.
                let variance: f64 = events.iter().map(|event| event.cost * event.cost * event.share).sum();
                let root = ((2.706 * variance + 4.0 * mean * budget).sqrt() - 1.645 * variance.sqrt()) / (2.0 * mean);
                prop_assert!((rate / (root * root) - 1.0).abs() < 0.06, "{} for {}", rate, root * root);
            }
        }
    }

    #[test]
    fn where_others_spend_more_than_one_year_in_twenty_nothing_is_tolerable() {
        let (event, mut rng) = (
            EventKind {
                cost: 5.0,
                share: 1.0,
            },
            ChaCha8Rng::seed_from_u64(1),
        );
        let mut left = vec![900.0; 1900];
        left.extend(vec![-1.0; 100]);
        assert!(tolerable_rate(&[event], &left, 900.0, &mut rng).is_some_and(|rate| rate > 0.0));
        left.push(-1.0);
        assert_eq!(tolerable_rate(&[event], &left, 900.0, &mut rng), Some(0.0));
        assert_eq!(tolerable_rate(&[event], &[], 900.0, &mut rng), None);
    }
}
