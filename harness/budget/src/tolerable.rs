//! How often something could happen at most: the largest rate with which one year in twenty goes over its budget.
//!
//! Events of a Poisson process come one after the other on a scale of rates, and a year goes over at the rate at which
//! the event comes that spends what the others left of it. One year in twenty has a lower such rate than the answer.
//! Events that are small beside the budget are not drawn one by one: their sum is as good as normally distributed.

use rand::Rng;

/// An event is small when the budget holds more of them than this.
const MANY: f64 = 100.0;

/// A kind of event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    /// What it costs, in seconds.
    pub(super) cost: f64,
    /// How many of it come at a rate of one.
    pub(super) share: f64,
}

/// The largest rate; `None`: any, as nothing costs anything. `left` is what others leave of each year's budget: less
/// than nothing where they go over it without any of these events.
pub(super) fn bearable(events: &[Event], left: &[f64], budget: f64, rng: &mut impl Rng) -> Option<f64> {
    let costly = events.iter().filter(|event| event.cost * event.share > 0.0);
    let (small, large): (Vec<Event>, Vec<Event>) = costly.partition(|event| event.cost * MANY < budget);
    if small.is_empty() && large.is_empty() {
        return None;
    }
    let (small, large) = (Small::new(&small), Large::new(&large));
    let mut rates: Vec<f64> = left
        .iter()
        .map(|left| spent_at(*left, &small, &large, rng))
        .collect();
    rates.sort_unstable_by(f64::total_cmp);
    rates.get(rates.len() / 20).copied()
}

/// The rate at which a year goes over.
fn spent_at(mut left: f64, small: &Small, large: &Large, rng: &mut impl Rng) -> f64 {
    let mut rate = 0.0;
    while left >= 0.0 {
        let gap = large.gap(rng);
        let normal = if small.mean > 0.0 { normal(rng) } else { 0.0 };
        let alone = small.spend_at(left, normal);
        if alone <= gap {
            return rate + alone;
        }
        rate += gap;
        left -= small.sum(gap, normal) + large.cost(rng);
    }
    rate
}

/// All small events together: the mean of their sum at a rate of one, and its variance.
struct Small {
    mean: f64,
    variance: f64,
}

impl Small {
    fn new(events: &[Event]) -> Self {
        Self {
            mean: events.iter().map(|event| event.share * event.cost).sum(),
            variance: events
                .iter()
                .map(|event| event.share * event.cost * event.cost)
                .sum(),
        }
    }

    /// What they cost at a rate, `normal` standard deviations from the mean.
    fn sum(&self, rate: f64, normal: f64) -> f64 {
        (self.mean * rate + normal * (self.variance * rate).sqrt()).max(0.0)
    }

    /// The rate `r` at which they cost that much: `mean · r + normal · √(variance · r) = left`.
    fn spend_at(&self, left: f64, normal: f64) -> f64 {
        if self.mean <= 0.0 {
            return f64::INFINITY;
        }
        let spread = normal * self.variance.sqrt();
        let root = (spread.mul_add(spread, 4.0 * self.mean * left).sqrt() - spread) / (2.0 * self.mean);
        root * root
    }
}

/// The events that are drawn one by one.
struct Large {
    costs: Vec<f64>,
    /// The share of each and of all before it.
    until: Vec<f64>,
}

impl Large {
    fn new(events: &[Event]) -> Self {
        let mut sum = 0.0;
        let until = events.iter().map(|event| {
            sum += event.share;
            sum
        });
        Self {
            until: until.collect(),
            costs: events.iter().map(|event| event.cost).collect(),
        }
    }

    fn share(&self) -> f64 {
        self.until.last().copied().unwrap_or(0.0)
    }

    /// By how much the rate grows until the next one.
    fn gap(&self, rng: &mut impl Rng) -> f64 {
        match self.share() {
            share if share > 0.0 => -(1.0 - rng.random::<f64>()).ln() / share,
            _ => f64::INFINITY,
        }
    }

    fn cost(&self, rng: &mut impl Rng) -> f64 {
        let drawn = rng.random::<f64>() * self.share();
        let at = self.until.partition_point(|until| *until <= drawn);
        self.costs
            .get(at.min(self.costs.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0.0)
    }
}

/// A standard normal number, by Box and Muller.
fn normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
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
        fn of_many_events_one_year_in_twenty_is_spent_at_the_closed_form(
            small in prop::collection::vec((0.01f64..0.9, 0.1f64..1.0), 0..4),
            large in prop::collection::vec((1.1f64..4.0, 0.1f64..1.0), 0..4),
            seed: u64,
        ) {
            let events: Vec<Event> =
                small.iter().chain(&large).map(|(cost, share)| Event { cost: *cost, share: *share }).collect();
            let mean: f64 = events.iter().map(|event| event.cost * event.share).sum();
            let (budget, mut rng) = (100.0, ChaCha8Rng::seed_from_u64(seed));
            let bears = bearable(&events, &vec![budget; 2000], budget, &mut rng);
            prop_assert_eq!(bears.is_none(), events.is_empty());
            if let Some(bears) = bears {
                // The 5th percentile: 1.645 standard deviations before the mean.
                let variance: f64 = events.iter().map(|event| event.cost * event.cost * event.share).sum();
                let root = ((2.706 * variance + 4.0 * mean * budget).sqrt() - 1.645 * variance.sqrt()) / (2.0 * mean);
                prop_assert!((bears / (root * root) - 1.0).abs() < 0.06, "{} for {}", bears, root * root);
            }
        }
    }

    #[test]
    fn years_that_are_over_without_it_leave_it_nothing() {
        let (event, mut rng) = (
            Event {
                cost: 5.0,
                share: 1.0,
            },
            ChaCha8Rng::seed_from_u64(1),
        );
        let mut left = vec![900.0; 1900];
        left.extend(vec![-1.0; 100]);
        assert!(bearable(&[event], &left, 900.0, &mut rng).is_some_and(|rate| rate > 0.0));
        left.push(-1.0);
        assert_eq!(bearable(&[event], &left, 900.0, &mut rng), Some(0.0));
        assert_eq!(bearable(&[event], &[], 900.0, &mut rng), None);
    }
}
