//! From stored drills to the risks of a year: which drills count, and why others do not.
//!
//! Takes plans and judgements of stored runs, gives [`Risk`]s for the projection and the names of what is left out.

use std::collections::BTreeMap;

use super::projection::Risk;
use firedrill_judge::Judgement;
use firedrill_model::history::plan::Plan;
use firedrill_model::scenario::Budget;

/// The risks of a year, as far as there are drills of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gathered {
    /// The risks, by name.
    pub risks: Vec<Risk>,
    /// The budget of the latest drill's project.
    pub budget: Budget,
    /// Scenarios with an outage that was still down at the end and has no price: there is no annual figure.
    pub unpriced: Vec<String>,
    /// Scenarios whose file has no `per_year`.
    pub without_rate: Vec<String>,
    /// Negative controls; or, where only controls count, all other scenarios.
    pub other_kind: Vec<String>,
    /// How many drills have no evidence.
    pub undecided: usize,
    /// Scenarios with a `per_year`, none of whose drills has evidence: nothing says what they cost.
    pub unmeasured: Vec<String>,
    /// How many runs could not be read. The caller sets it.
    pub unreadable: usize,
    /// The systems that the risks were measured on. More than one is no single production.
    pub systems: Vec<String>,
}

/// What the drills of one scenario cost.
#[derive(Default)]
struct OfScenario<'a> {
    plan: Option<&'a Plan>,
    drills: Vec<(f64, f64)>,
    unpriced: bool,
}

/// Gathers the risks of drills in the order of time: a scenario's latest plan says how often it is expected.
///
/// Negative controls show systems without protection: with `controls` they alone count, otherwise all others do.
pub fn gather<'a>(runs: impl IntoIterator<Item = (&'a Plan, &'a Judgement)>, controls: bool) -> Gathered {
    let mut gathered = Gathered::default();
    let mut scenarios: BTreeMap<&str, OfScenario<'a>> = BTreeMap::new();
    for (plan, judgement) in runs {
        let scenario = scenarios.entry(&plan.name).or_default();
        scenario.plan = Some(plan);
        gathered.budget = plan.project.budget.into();
        // Without evidence it does not say what the next event will cost.
        if !judgement.has_evidence() {
            gathered.undecided += 1;
            continue;
        }
        match cost(judgement) {
            Some(cost) => scenario.drills.push(cost),
            // One drill without a price is enough: leaving it out would leave out the worst.
            None => scenario.unpriced = true,
        }
    }
    for (name, scenario) in scenarios {
        if let Some(plan) = scenario.plan {
            gathered.add(name, plan, scenario.drills, scenario.unpriced, controls);
        }
    }
    gathered
}

impl Gathered {
    /// Whether something that belongs to the year is missing from it.
    pub fn is_incomplete(&self) -> bool {
        self.unreadable > 0 || !self.unmeasured.is_empty()
    }

    fn add(&mut self, name: &str, plan: &Plan, drills: Vec<(f64, f64)>, unpriced: bool, controls: bool) {
        let name = name.to_owned();
        if plan.scenario.control.is_some() != controls {
            return self.other_kind.push(name);
        }
        let Some(per_year) = &plan.scenario.per_year else {
            return self.without_rate.push(name);
        };
        if unpriced {
            return self.unpriced.push(name);
        }
        // All of them without evidence.
        if drills.is_empty() {
            return self.unmeasured.push(name);
        }
        let system = plan.scenario.system.display().to_string();
        if !self.systems.contains(&system) {
            self.systems.push(system);
        }
        // `per_year` is for 365 days, the projection for the budget's window.
        let years = self.budget.window.0.as_secs_f64() / (365.0 * 86_400.0);
        self.risks.push(Risk {
            name,
            rate: per_year.times * years,
            because: per_year.because.clone(),
            drills,
            price: plan.manual_recovery().map(|price| price.0.as_secs_f64()),
        });
    }
}

/// The bounds of what one drill cost, in seconds; `None` for an outage that was still down and has no price.
fn cost(judgement: &Judgement) -> Option<(f64, f64)> {
    let cost = &judgement.cost;
    let billed = cost.billed?;
    match cost.priced {
        Some(price) => Some((price.as_secs_f64(), price.as_secs_f64())),
        None => Some((billed.low.as_secs_f64(), billed.high?.as_secs_f64())),
    }
}
