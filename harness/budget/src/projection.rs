//! The year's downtime as a distribution: how often each thing happens (`per_year`, the user's word) times what it cost
//! in drills. Compound Poisson, by Monte-Carlo with a fixed seed.
//!
//! The bounds of the drills are carried through: every figure stands between one made of all lower and one made of all
//! upper bounds. And a few drills prove little: in `n` of them, something that happens in up to `1 − 0.05^(1/n)` of
//! cases may have stayed unseen (95 % confidence). That *unseen slow mode* is priced at `manual_recovery` and shown
//! beside what was measured; only when the year fits with it, too, does the projection say so.

use serde::Serialize;

use super::bearable::{Event, bearable};
use super::simulation::simulate;
pub use super::simulation::{Risk, Simulation};
use super::statistics::{ENOUGH_FOR_P95, confidence_of_p95, count, unseen};

/// A budget is kept when at most this share of years goes over it.
pub const ACCEPTED: f64 = 0.05;

/// A year's downtime, as a distribution. In seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Distribution {
    /// The mean, exactly: `Σ λ E[X]`.
    pub mean: f64,
    /// Half of the years have more.
    pub p50: f64,
    /// One year in twenty has more.
    pub p95: f64,
    /// The share of years over the budget.
    pub over: f64,
}

/// One scenario's part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// The scenario.
    pub name: String,
    /// Times in the budget's window.
    pub rate: f64,
    /// Where that number comes from.
    pub because: String,
    /// Drills it is measured by.
    pub n: usize,
    /// The mean cost of one, in seconds: at least, at most.
    pub each: (f64, f64),
    /// Its share of the whole mean, in percent, by the upper bounds.
    pub share: f64,
    /// The largest rate with which the year still keeps its budget, everything else as measured; `None`: any.
    pub bears: Option<f64>,
    /// The same with its own unseen slow mode; `None` when that has no price.
    pub bears_unseen: Option<f64>,
    /// The confidence with which its costliest drill covers the 95th percentile.
    pub confidence: f64,
    /// How often a slow mode may come unseen, as a share of its events.
    pub unseen: f64,
}

/// What the projection comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// At most one year in twenty goes over, an unseen slow mode included.
    Fits,
    /// More than one year in twenty goes over, by what was measured alone and by its lower bounds.
    DoesNotFit,
    /// The drills are too few to say.
    CannotSay {
        /// Drills of each scenario, all without anything slower, that would do. `None`: no number would.
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
    /// By what was measured: its lower bounds.
    pub low: Distribution,
    /// By what was measured: its upper bounds.
    pub high: Distribution,
    /// With an unseen slow mode in every scenario; `None` when one has no price.
    pub unseen: Option<Distribution>,
    /// The scenarios, the largest share first.
    pub parts: Vec<Part>,
    /// What it comes to.
    pub conclusion: Conclusion,
}

/// Projects a year. Every risk has at least one drill.
pub fn project(risks: &[Risk], terms: &Simulation) -> Projection {
    let (totals, own) = simulate(risks, terms);
    let mean = |cost: fn(&Risk) -> f64| -> f64 { risks.iter().map(|risk| risk.rate * cost(risk)).sum() };
    let whole = mean(|risk| risk.mean().1);
    let priced = risks.iter().all(|risk| risk.price.is_some());
    let slow = mean(|risk| unseen(risk.drills.len()) * risk.price.unwrap_or(0.0));
    let mut parts: Vec<Part> = risks
        .iter()
        .zip(&own)
        .map(|(risk, own)| (risk, bears(risk, own, &totals.high, terms)))
        .map(|(risk, (measured, slow))| Part {
            name: risk.name.clone(),
            rate: risk.rate,
            because: risk.because.clone(),
            n: risk.drills.len(),
            each: risk.mean(),
            share: if whole > 0.0 {
                100.0 * risk.rate * risk.mean().1 / whole
            } else {
                0.0
            },
            bears: measured,
            bears_unseen: slow,
            confidence: confidence_of_p95(risk.drills.len()),
            unseen: unseen(risk.drills.len()),
        })
        .collect();
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
        Some(slow) if slow.over <= ACCEPTED && fewest >= ENOUGH_FOR_P95 => Conclusion::Fits,
        Some(_) => Conclusion::CannotSay {
            needs: needs(risks, high.over),
        },
        None => Conclusion::CannotSay { needs: None },
    }
}

/// The least number of drills of each scenario, none slower than those seen, with which the year would fit: at most
/// one year in twenty over by what was measured, or met by a slow mode at all (taken to spend the budget alone).
pub fn needs(risks: &[Risk], over: f64) -> Option<usize> {
    const MOST: usize = 1 << 30;
    let fits = |n: usize| over + met_by_slow(risks, n) <= ACCEPTED;
    if !fits(MOST) {
        return None;
    }
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

/// The chance of a year that is met by a slow mode that `n` drills of each scenario (or as many as there are) would not
/// have shown.
pub fn met_by_slow(risks: &[Risk], n: usize) -> f64 {
    let events: f64 = risks
        .iter()
        .map(|risk| risk.rate * unseen(risk.drills.len().max(n)))
        .sum();
    1.0 - (-events).exp()
}

impl Risk {
    /// The mean cost of one event, in seconds: at least, at most.
    fn mean(&self) -> (f64, f64) {
        let n = count(self.drills.len()).max(1.0);
        let sum = |of: fn(&(f64, f64)) -> f64| self.drills.iter().map(of).sum::<f64>() / n;
        (sum(|drill| drill.0), sum(|drill| drill.1))
    }
}

fn distribution(mut years: Vec<f64>, mean: f64, budget: f64) -> Distribution {
    let over = years.iter().filter(|total| **total > budget).count();
    years.sort_unstable_by(f64::total_cmp);
    let at = |percent: usize| {
        let place = (years.len() * percent).div_ceil(100).saturating_sub(1);
        years.get(place).copied().unwrap_or(0.0)
    };
    Distribution {
        mean,
        p50: at(50),
        p95: at(95),
        over: count(over) / count(years.len()).max(1.0),
    }
}

/// What a scenario could bear, all others as measured: as measured itself, and with its unseen slow mode.
fn bears(risk: &Risk, own: &[f64], totals: &[f64], terms: &Simulation) -> (Option<f64>, Option<f64>) {
    let n = risk.drills.len();
    let share = 1.0 / count(n).max(1.0);
    let costs = risk.drills.iter().map(|drill| drill.1);
    let mut events: Vec<Event> = costs.map(|cost| Event { cost, share }).collect();
    let others = totals.iter().zip(own).map(|(total, own)| total - own);
    let left: Vec<f64> = others.map(|others| terms.budget - others).collect();
    let mut rng = risk.rng(terms.seed, 2, 0);
    let measured = bearable(&events, &left, terms.budget, &mut rng);
    let slow = risk.price.and_then(|cost| {
        let share = unseen(n);
        events.push(Event { cost, share });
        bearable(&events, &left, terms.budget, &mut rng)
    });
    // Two estimates from two thousand years each: an order that they had by chance only is put right.
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
        risk.drills.iter().map(|drill| drill.1 * drill.1).sum::<f64>() / count(risk.drills.len())
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
                .map(|risk| risk.rate * risk.drills.iter().map(|drill| drill.1.powi(4)).sum::<f64>() / count(risk.drills.len()))
                .sum();
            let seen = years.iter().sum::<f64>() / count(n);
            prop_assert!((seen - mean).abs() <= 6.0 * (variance / count(n)).sqrt() + 1e-9, "{} for {}", seen, mean);
            let spread = years.iter().map(|year| (year - mean).powi(2)).sum::<f64>() / count(n);
            // Var of the sample variance: (κ4 + 2 κ2²)/n.
            let error = ((fourth + 2.0 * variance * variance) / count(n)).sqrt();
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
    fn one_event_that_spends_the_budget_alone_goes_over_as_often_as_it_comes() {
        let projection = project(&[risk("a", 0.5, &[1380.0])], &terms(900.0, 100_000));
        let exact = 1.0 - (-0.5f64).exp();
        assert!((projection.high.over - exact).abs() < 0.006, "{projection:?}");
        assert_eq!(projection.conclusion, Conclusion::DoesNotFit);
        // One year in twenty: 1 − e^−λ = 0.05.
        let bears = projection.parts[0].bears.unwrap();
        assert!((bears - 0.0513).abs() < 0.012, "{bears}");
    }

    fn bears(risks: &[Risk]) -> Part {
        let parts = project(risks, &terms(900.0, 2000)).parts;
        parts.into_iter().find(|part| part.name == "a").unwrap()
    }

    #[test]
    fn what_a_scenario_could_bear_is_the_same_by_both_ways_where_they_meet() {
        // A hundredth of the budget is 9 s: below it summed as normally distributed, above it event by event.
        let others = risk("b", 10.0, &[20.0, 3.0]);
        let spends = |cost: f64| {
            let both = [risk("a", 5.0, &[cost, cost, 0.0]), others.clone()];
            bears(&both).bears.unwrap() * cost
        };
        let (summed, drawn) = (spends(8.9), spends(9.1));
        assert!((summed / drawn - 1.0).abs() < 0.04, "{summed} and {drawn}");
    }

    #[test]
    fn a_cheap_scenario_bears_nothing_beside_a_dear_one_that_goes_over_alone() {
        let beside = |rate: f64| bears(&[risk("a", 24.0, &[0.2]), risk("b", rate, &[1380.0])]).bears;
        // One year in ten has a dear event: over already, whatever the cheap one does.
        assert_eq!(beside(0.1), Some(0.0));
        // Two in a hundred: the cheap one has three in a hundred for itself. 0.2 r + 1.87 · 0.2 √r = 900.
        let bears = beside(0.02).unwrap();
        assert!((4300.0..4440.0).contains(&bears), "{bears}");
    }

    #[test]
    fn what_costs_nothing_as_measured_bears_as_much_as_its_unseen_slow_mode_lets_it() {
        let part = bears(&[risk("a", 24.0, &[0.0; 10])]);
        assert_eq!(part.bears, None);
        // 1 − e^(−r · 0.259) = 0.05.
        let slow = part.bears_unseen.unwrap();
        assert!((0.14..0.26).contains(&slow), "{slow}");
        let unpriced = Risk {
            price: None,
            ..risk("a", 24.0, &[0.0; 10])
        };
        assert_eq!(bears(&[unpriced]).bears_unseen, None);
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
    fn without_a_price_nobody_says_that_it_fits() {
        let unpriced = Risk {
            price: None,
            ..risk("a", 0.001, &[0.1; 100])
        };
        let projection = project(&[unpriced], &terms(900.0, 1000));
        assert_eq!(projection.unseen, None);
        assert_eq!(projection.conclusion, Conclusion::CannotSay { needs: None });
    }

    #[test]
    fn the_same_seed_gives_the_same_years_and_a_scenario_more_changes_no_other() {
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
