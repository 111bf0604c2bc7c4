//! From stored drills to what can happen in a year: which count, and why others do not.

use std::collections::BTreeMap;

use super::projection::Risk;
use firedrill_judge::Judgement;
use firedrill_model::scenario::{Budget, Plan};

/// What can happen in a year, by the drills there are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gathered {
    /// The risks, by name.
    pub risks: Vec<Risk>,
    /// The budget of the latest drill's project.
    pub budget: Budget,
    /// Scenarios with an outage that had not ended and that nobody has priced: there is no annual figure.
    pub unpriced: Vec<String>,
    /// Scenarios whose file does not say how often they are expected.
    pub without_rate: Vec<String>,
    /// Controls (or, asked for controls, those that are none).
    pub other_kind: Vec<String>,
    /// Drills that say nothing, for want of evidence.
    pub undecided: usize,
    /// The systems that the risks were measured on. More than one describe no single production.
    pub systems: Vec<String>,
}

/// What one scenario's drills say.
#[derive(Default)]
struct OfScenario<'a> {
    plan: Option<&'a Plan>,
    drills: Vec<(f64, f64)>,
    unpriced: bool,
}

/// Gathers the risks of drills, given in the order of time: a scenario's latest plan says how often it is expected.
/// Controls show systems without protection: they count only when `controls` asks for them, and then nothing else does.
pub fn gather<'a>(runs: impl IntoIterator<Item = (&'a Plan, &'a Judgement)>, controls: bool) -> Gathered {
    let mut gathered = Gathered::default();
    let mut scenarios: BTreeMap<&str, OfScenario<'a>> = BTreeMap::new();
    for (plan, judgement) in runs {
        let scenario = scenarios.entry(&plan.name).or_default();
        scenario.plan = Some(plan);
        gathered.budget = plan.project.budget;
        // Without evidence it does not say what the next event will cost.
        if !judgement.has_evidence() {
            gathered.undecided += 1;
            continue;
        }
        match cost(judgement) {
            Some(cost) => scenario.drills.push(cost),
            None => scenario.unpriced = true,
        }
    }
    for (name, scenario) in scenarios {
        if let Some(plan) = scenario.plan {
            gathered.take(name, plan, scenario.drills, scenario.unpriced, controls);
        }
    }
    gathered
}

impl Gathered {
    fn take(&mut self, name: &str, plan: &Plan, drills: Vec<(f64, f64)>, unpriced: bool, controls: bool) {
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
        if drills.is_empty() {
            return;
        }
        let system = plan.scenario.system.display().to_string();
        if !self.systems.contains(&system) {
            self.systems.push(system);
        }
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

/// What one drill cost, in seconds; `None` for an outage that was still open and has no price.
fn cost(judgement: &Judgement) -> Option<(f64, f64)> {
    let cost = &judgement.cost;
    let billed = cost.billed?;
    match cost.priced {
        Some(price) => Some((price.as_secs_f64(), price.as_secs_f64())),
        None => Some((billed.low.as_secs_f64(), billed.high?.as_secs_f64())),
    }
}
