//! The downtime to expect in a year, as a distribution: how often each scenario is expected (`per_year`) times what it
//! cost in drills. A compound Poisson sum, simulated with a fixed seed.
//!
//! * The bounds of the drills are carried through: each figure is given by all lower and by all upper bounds.
//! * A few drills prove little. All `n` of them may have missed something that happens in up to `1 − 0.05^(1/n)` of events
//!   (95 % confidence). This *unseen slow mode* is priced at `manual_recovery` and added to what was measured. The year
//!   fits only if it fits with it.
//!
//! Takes [`Risk`]s, gives a [`Projection`] for reports and for `firedrill projection --check`.

use serde::Serialize;

use super::simulation::simulate;
pub use super::simulation::{Risk, Simulation};
use super::statistics::{ENOUGH_FOR_P95, confidence_of_p95, unseen_share};
use super::tolerable::{EventKind, tolerable_rate};
use firedrill_judge::statistics::as_f64;

/// A year fits its budget when at most this share of simulated years goes over it.
pub const ACCEPTED: f64 = 0.05;

/// A year's downtime as a distribution, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Distribution {
    /// The mean, from the formula: `Σ λ E[X]`.
    pub mean: f64,
    /// Half of the years have more.
    pub p50: f64,
    /// One year in twenty has more.
    pub p95: f64,
    /// The share of years over the budget.
    pub over: f64,
}

/// What one scenario contributes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contribution {
    /// The scenario.
    pub name: String,
    /// Times in the budget's window.
    pub rate: f64,
    /// Where that number comes from.
    pub because: String,
    /// How many drills it is measured by.
    pub n: usize,
    /// The bounds of the mean cost of one event, in seconds.
    pub each: (f64, f64),
    /// Its share of the year's mean downtime, in percent, by the upper bounds.
    pub share: f64,
    /// How often it may happen within the budget, everything else as measured; `None`: any number of times.
    pub tolerable_rate: Option<f64>,
    /// The same with an unseen slow mode of this scenario; `None` when that has no price.
    pub tolerable_rate_unseen: Option<f64>,
    /// The confidence with which its costliest drill covers the 95th percentile of events.
    pub confidence: f64,
    /// The largest share of its events that an unseen slow mode may have.
    pub unseen: f64,
}

/// Whether the year fits its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// At most one year in twenty goes over, even with an unseen slow mode.
    Fits,
    /// More than one year in twenty goes over, even by the lower bounds of what was measured.
    DoesNotFit,
    /// The drills are too few to say.
    #[serde(rename = "inconclusive")]
    CannotSay {
        /// How many drills of each scenario would be enough if none is slower. `None`: no number would.
        needs: Option<usize>,
    },
}

/// The projection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Projection {
    /// The budget, in seconds.
    pub budget: f64,
    /// Simulated years.
    pub years: usize,
    /// The seed.
    pub seed: u64,
    /// By the lower bounds of what was measured.
    pub low: Distribution,
    /// By the upper bounds of what was measured.
    pub high: Distribution,
    /// By the upper bounds, with an unseen slow mode of every scenario; `None` when one has no price.
    pub unseen: Option<Distribution>,
    /// The scenarios, the largest share first.
    pub parts: Vec<Contribution>,
    /// Whether the year fits its budget.
    pub conclusion: Conclusion,
}

/// Projects a year. Every risk has at least one drill.
pub fn project(risks: &[Risk], terms: &Simulation) -> Projection {
    let (totals, added) = simulate(risks, terms);
    let mean = |cost: fn(&Risk) -> f64| -> f64 { risks.iter().map(|risk| risk.rate * cost(risk)).sum() };
    let whole = mean(|risk| risk.mean().1);
    let priced = risks.iter().all(|risk| risk.price.is_some());
    let slow = mean(|risk| unseen_share(risk.drills.len()) * risk.price.unwrap_or(0.0));
    let mut parts: Vec<Contribution> = risks
        .iter()
        .zip(&added)
        .map(|(risk, added)| contribution(risk, whole, tolerable_rates(risk, added, &totals.high, terms)))
        .collect();
    // The largest share first; equal ones by name, so that the order is the same every time.
    parts.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.name.cmp(&b.name)));
    let low = distribution(totals.low, mean(|risk| risk.mean().0), terms.budget);
    let high = distribution(totals.high, whole, terms.budget);
    let with_slow = priced.then(|| distribution(totals.slow, whole + slow, terms.budget));
    Projection {
        conclusion: conclude(risks, &low, &high, with_slow.as_ref()),
        budget: terms.budget,
        years: terms.years,
        seed: terms.seed,
        low,
        high,
        unseen: with_slow,
        parts,
    }
}

fn contribution(risk: &Risk, whole: f64, (measured, unseen): (Option<f64>, Option<f64>)) -> Contribution {
    let n = risk.drills.len();
    let mean = risk.rate * risk.mean().1;
    Contribution {
        name: risk.name.clone(),
        rate: risk.rate,
        because: risk.because.clone(),
        n,
        each: risk.mean(),
        share: if whole > 0.0 { 100.0 * mean / whole } else { 0.0 },
        tolerable_rate: measured,
        tolerable_rate_unseen: unseen,
        confidence: confidence_of_p95(n),
        unseen: unseen_share(n),
    }
}

/// Asymmetric on purpose: *fits* needs every doubt answered, *does not fit* only the surest figures.
fn conclude(
    risks: &[Risk],
    low: &Distribution,
    high: &Distribution,
    slow: Option<&Distribution>,
) -> Conclusion {
    let fewest = risks.iter().map(|risk| risk.drills.len()).min().unwrap_or(0);
    if low.over > ACCEPTED {
        return Conclusion::DoesNotFit;
    }
    match slow {
        // With fewer drills the costliest one may not be among the 5 % that decide.
        Some(slow) if slow.over <= ACCEPTED && fewest >= ENOUGH_FOR_P95 => Conclusion::Fits,
        Some(_) => Conclusion::CannotSay {
            needs: needs(risks, high.over),
        },
        None => Conclusion::CannotSay { needs: None },
    }
}

/// How many drills of each scenario, none slower than those so far, would make the year fit. An event of a slow mode is
/// taken to spend the whole budget: at most one year in twenty may go over as measured or have such an event. `None`: no
/// number would.
pub fn needs(risks: &[Risk], over: f64) -> Option<usize> {
    const MOST: usize = 1 << 30;
    let fits = |n: usize| over + slow_year_probability(risks, n) <= ACCEPTED;
    if !fits(MOST) {
        return None;
    }
    // More drills never fit worse: a binary search finds the first number that fits.
    let (mut too_few, mut enough) = (ENOUGH_FOR_P95 - 1, MOST);
    while enough - too_few > 1 {
        let middle = usize::midpoint(too_few, enough);
        if fits(middle) {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    Some(enough)
}

/// The probability of a year with at least one event of a slow mode that `n` drills of each scenario (or as many as there
/// are, if more) would have missed: `1 − e^−Σ λ u`.
pub fn slow_year_probability(risks: &[Risk], n: usize) -> f64 {
    let events: f64 = risks
        .iter()
        .map(|risk| risk.rate * unseen_share(risk.drills.len().max(n)))
        .sum();
    1.0 - (-events).exp()
}

impl Risk {
    /// The bounds of the mean cost of one event, in seconds.
    fn mean(&self) -> (f64, f64) {
        let n = as_f64(self.drills.len()).max(1.0);
        let sum = |of: fn(&(f64, f64)) -> f64| self.drills.iter().map(of).sum::<f64>() / n;
        (sum(|drill| drill.0), sum(|drill| drill.1))
    }
}

fn distribution(mut years: Vec<f64>, mean: f64, budget: f64) -> Distribution {
    let over = years.iter().filter(|total| **total > budget).count();
    years.sort_unstable_by(f64::total_cmp);
    // The nearest rank: the smallest total that so many percent of years do not exceed.
    let at = |percent: usize| {
        let place = (years.len() * percent).div_ceil(100).saturating_sub(1);
        years.get(place).copied().unwrap_or(0.0)
    };
    Distribution {
        mean,
        p50: at(50),
        p95: at(95),
        over: as_f64(over) / as_f64(years.len()).max(1.0),
    }
}

/// How often a scenario may happen, all others as measured: as measured itself, and with its unseen slow mode.
fn tolerable_rates(
    risk: &Risk,
    added: &[f64],
    totals: &[f64],
    terms: &Simulation,
) -> (Option<f64>, Option<f64>) {
    let n = risk.drills.len();
    // Each drill is as likely as any other.
    let share = 1.0 / as_f64(n).max(1.0);
    let costs = risk.drills.iter().map(|drill| drill.1);
    let mut events: Vec<EventKind> = costs.map(|cost| EventKind { cost, share }).collect();
    // What the year has without this scenario: all scenarios share the same simulated years.
    let others = totals.iter().zip(added).map(|(total, added)| total - added);
    let left: Vec<f64> = others.map(|others| terms.budget - others).collect();
    let mut rng = risk.rng(terms.seed, 2, 0);
    let measured = tolerable_rate(&events, &left, terms.budget, &mut rng);
    let slow = risk.price.and_then(|cost| {
        let share = unseen_share(n);
        events.push(EventKind { cost, share });
        tolerable_rate(&events, &left, terms.budget, &mut rng)
    });
    // A slow mode never makes more tolerable: where it seems to, the two estimates differ by chance.
    let slow = slow.map(|slow| measured.map_or(slow, |measured| slow.min(measured)));
    (measured, slow)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn risk(name: &str, rate: f64, drills: &[f64]) -> Risk {
        Risk {
            name: name.into(),
            rate,
            because: "made up".into(),
            drills: drills.iter().map(|cost| (*cost, *cost)).collect(),
            price: Some(1380.0),
        }
    }

    fn terms(budget: f64, years: usize) -> Simulation {
        Simulation {
            budget,
            years,
            seed: 7,
        }
    }

    /// The mean square of what one costs.
    fn square(risk: &Risk) -> f64 {
        risk.drills.iter().map(|drill| drill.1 * drill.1).sum::<f64>() / as_f64(risk.drills.len())
    }

    /// The simulated years themselves, by upper bounds.
    fn years(risks: &[Risk], terms: &Simulation) -> Vec<f64> {
        simulate(risks, terms).0.high
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Closed forms: the mean is Σ λ E[X], the variance Σ λ E[X²].
        #[test]
        fn the_simulated_years_have_the_mean_and_variance_of_the_closed_forms(
            shapes in prop::collection::vec((0.01f64..60.0, prop::collection::vec(0.0f64..30.0, 1..8)), 1..6),
        ) {
            let risks: Vec<Risk> =
                shapes.iter().enumerate().map(|(at, (rate, drills))| risk(&at.to_string(), *rate, drills)).collect();
            let n = 20_000;
            let years = years(&risks, &terms(900.0, n));
            let mean: f64 = risks.iter().map(|risk| risk.rate * risk.mean().1).sum();
            let variance: f64 = risks.iter().map(|risk| risk.rate * square(risk)).sum();
            let fourth: f64 = risks
                .iter()
                .map(|risk| risk.rate * risk.drills.iter().map(|drill| drill.1.powi(4)).sum::<f64>() / as_f64(risk.drills.len()))
                .sum();
            let seen = years.iter().sum::<f64>() / as_f64(n);
            prop_assert!((seen - mean).abs() <= 6.0 * (variance / as_f64(n)).sqrt() + 1e-9, "{} for {}", seen, mean);
            let spread = years.iter().map(|year| (year - mean).powi(2)).sum::<f64>() / as_f64(n);
            // Var of the sample variance: (κ4 + 2 κ2²)/n.
            let error = ((fourth + 2.0 * variance * variance) / as_f64(n)).sqrt();
            prop_assert!((spread - variance).abs() <= 6.0 * error + 1e-9, "{} for {}", spread, variance);
        }

        #[test]
        fn more_of_anything_never_makes_the_year_better(
            rate in 0.1f64..20.0, cost in 0.1f64..300.0, more in 0.0f64..100.0,
        ) {
            let terms = terms(900.0, 2000);
            let before = project(&[risk("a", rate, &[cost])], &terms);
            let after = project(&[risk("a", rate, &[cost + more]), risk("b", 1.0, &[more])], &terms);
            prop_assert!(after.high.mean >= before.high.mean && after.high.over >= before.high.over);
            prop_assert!(after.high.p95 >= before.high.p95);
            let unseen = after.unseen.unwrap();
            prop_assert!(unseen.over >= after.high.over && unseen.mean >= after.high.mean);
        }

        #[test]
        fn bounds_are_carried_through(rate in 0.1f64..50.0, low in 0.0f64..5.0, width in 0.0f64..5.0) {
            let bounded = Risk { drills: vec![(low, low + width)], ..risk("a", rate, &[]) };
            let projection = project(&[bounded], &terms(60.0, 2000));
            prop_assert!(projection.low.mean <= projection.high.mean && projection.low.p95 <= projection.high.p95);
            prop_assert!(projection.low.over <= projection.high.over);
        }
    }

    #[test]
    fn an_event_that_spends_the_budget_goes_over_as_often_as_it_happens() {
        let projection = project(&[risk("a", 0.5, &[1380.0])], &terms(900.0, 100_000));
        let exact = 1.0 - (-0.5f64).exp();
        assert!((projection.high.over - exact).abs() < 0.006, "{projection:?}");
        assert_eq!(projection.conclusion, Conclusion::DoesNotFit);
        // One year in twenty: 1 − e^−λ = 0.05.
        let rate = projection.parts[0].tolerable_rate.unwrap();
        assert!((rate - 0.0513).abs() < 0.012, "{rate}");
    }

    fn first_part(risks: &[Risk]) -> Contribution {
        let parts = project(risks, &terms(900.0, 2000)).parts;
        parts.into_iter().find(|part| part.name == "a").unwrap()
    }

    #[test]
    fn the_tolerable_rate_is_the_same_by_both_ways_where_they_meet() {
        // A hundredth of the budget is 9 s: below it summed as normally distributed, above it event by event.
        let others = risk("b", 10.0, &[20.0, 3.0]);
        let spends = |cost: f64| {
            let both = [risk("a", 5.0, &[cost, cost, 0.0]), others.clone()];
            first_part(&both).tolerable_rate.unwrap() * cost
        };
        let (summed, drawn) = (spends(8.9), spends(9.1));
        assert!((summed / drawn - 1.0).abs() < 0.04, "{summed} and {drawn}");
    }

    #[test]
    fn beside_a_dear_scenario_that_goes_over_alone_nothing_is_tolerable() {
        let beside =
            |rate: f64| first_part(&[risk("a", 24.0, &[0.2]), risk("b", rate, &[1380.0])]).tolerable_rate;
        // One year in ten has a dear event: over already, whatever the cheap one does.
        assert_eq!(beside(0.1), Some(0.0));
        // Two in a hundred: the cheap one has three in a hundred for itself. 0.2 r + 1.87 · 0.2 √r = 900.
        let tolerable = beside(0.02).unwrap();
        assert!((4300.0..4440.0).contains(&tolerable), "{tolerable}");
    }

    #[test]
    fn the_tolerable_rate_of_a_free_scenario_is_limited_by_its_unseen_slow_mode() {
        let part = first_part(&[risk("a", 24.0, &[0.0; 10])]);
        assert_eq!(part.tolerable_rate, None);
        // 1 − e^(−r · 0.259) = 0.05.
        let slow = part.tolerable_rate_unseen.unwrap();
        assert!((0.14..0.26).contains(&slow), "{slow}");
        let unpriced = Risk {
            price: None,
            ..risk("a", 24.0, &[0.0; 10])
        };
        assert_eq!(first_part(&[unpriced]).tolerable_rate_unseen, None);
    }

    #[test]
    fn a_few_quick_drills_prove_little_and_many_prove_more() {
        let conclude =
            |n: usize| project(&[risk("a", 24.0, &vec![0.2; n])], &terms(900.0, 20_000)).conclusion;
        let Conclusion::CannotSay { needs: Some(needs) } = conclude(20) else {
            panic!("twenty drills say nothing about a year of 24");
        };
        // 1 − e^−(24 · 3/n) ≤ 5 %, about.
        assert!((1380..1440).contains(&needs), "{needs}");
        assert_eq!(conclude(needs + 200), Conclusion::Fits);
    }

    #[test]
    fn without_a_price_the_year_never_fits() {
        let unpriced = Risk {
            price: None,
            ..risk("a", 0.001, &[0.1; 100])
        };
        let projection = project(&[unpriced], &terms(900.0, 1000));
        assert_eq!(projection.unseen, None);
        assert_eq!(projection.conclusion, Conclusion::CannotSay { needs: None });
    }

    #[test]
    fn the_same_seed_gives_the_same_years_and_another_scenario_changes_none() {
        let (one, two) = (risk("a", 3.0, &[1.0, 2.0]), risk("b", 3.0, &[5.0]));
        let terms = terms(900.0, 500);
        let alone = years(std::slice::from_ref(&one), &terms);
        assert_eq!(alone, years(std::slice::from_ref(&one), &terms));
        let both = years(&[two.clone(), one], &terms);
        let other = years(&[two], &terms);
        for ((both, other), alone) in both.iter().zip(other).zip(alone) {
            assert!((both - other - alone).abs() < 1e-9);
        }
    }
}
