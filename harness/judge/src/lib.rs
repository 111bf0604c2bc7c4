//! Whether what was measured fits what was promised. Pure: no clock, no I/O.
//!
//! Faces [`Measured`] on one side and the reports and exit codes on the other. Everything that is looked at is a
//! [`Check`] with what was required and what was found; the verdict is the worst of them.

mod checks;
pub mod compare;
mod contract;
mod cost;
mod evidence;
pub mod measure;
pub mod statistics;

use serde::Serialize;

pub use contract::Bill;
pub use cost::{Cost, Share};

use crate::measure::Measured;
use firedrill_model::history::History;

/// What a check, or a drill, comes to. The worst wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds, and there is evidence for it.
    Met,
    /// The evidence does not say.
    Undecided,
    /// It does not hold.
    Breached,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Check {
    /// Its name, stable: `downtime`, `journey.shorten`, `lost-links`, `evidence.steady`, …
    pub name: String,
    /// What was required.
    pub required: String,
    /// What was found.
    pub found: String,
    /// What that comes to.
    pub verdict: Verdict,
}

impl Check {
    /// The same check of a drill that never came to its steps: nothing was tried, so nothing was met or breached.
    fn without_evidence(self) -> Self {
        let (found, verdict) = ("the drill did not come that far".into(), Verdict::Undecided);
        Self {
            found,
            verdict,
            ..self
        }
    }
}

/// What a drill comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// Everything that was looked at, in a fixed order.
    pub checks: Vec<Check>,
    /// The same outages under each contract.
    pub bills: Vec<Bill>,
    /// What the drill cost of the budget.
    pub cost: Cost,
    /// For a control: what it says itself must breach.
    pub control: Option<Vec<String>>,
}

/// Judges what was measured by what the history's own plan requires.
pub fn judge(history: &History, measured: &Measured) -> Judgement {
    let bills = contract::bills(history, measured);
    let cost = cost::cost(history, measured, &bills);
    let mut checks = evidence::checks(history, measured);
    let expected = checks::checks(history, measured, &cost);
    checks.extend(if evidence::came_to_its_steps(history) {
        expected
    } else {
        expected.into_iter().map(Check::without_evidence).collect()
    });
    let control = history
        .start
        .plan
        .scenario
        .control
        .as_ref()
        .map(|control| control.breaches.clone());
    Judgement {
        checks,
        bills,
        cost,
        control,
    }
}

impl Judgement {
    /// The worst of all checks.
    pub fn verdict(&self) -> Verdict {
        self.checks
            .iter()
            .map(|check| check.verdict)
            .max()
            .unwrap_or(Verdict::Undecided)
    }

    /// The checks that came to this.
    pub fn of(&self, verdict: Verdict) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(move |check| check.verdict == verdict)
    }

    /// Whether the drill came out as its scenario states: met; or, for a control, breached in exactly the checks that
    /// it names, with nothing undecided.
    pub fn stated(&self) -> bool {
        let Some(control) = &self.control else {
            return self.verdict() == Verdict::Met;
        };
        let mut wanted: Vec<&str> = control.iter().map(String::as_str).collect();
        let mut breached: Vec<&str> = self
            .of(Verdict::Breached)
            .map(|check| check.name.as_str())
            .collect();
        wanted.sort_unstable();
        breached.sort_unstable();
        wanted == breached && self.of(Verdict::Undecided).next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judgement(checks: &[(&str, Verdict)], control: Option<&[&str]>) -> Judgement {
        let check = |(name, verdict): &(&str, Verdict)| {
            let (required, found) = (String::new(), String::new());
            Check {
                name: (*name).into(),
                required,
                found,
                verdict: *verdict,
            }
        };
        Judgement {
            checks: checks.iter().map(check).collect(),
            bills: Vec::new(),
            cost: Cost::default(),
            control: control.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        }
    }

    #[test]
    fn the_worst_check_wins() {
        use Verdict::{Breached, Met, Undecided};
        assert_eq!(
            judgement(&[("a", Met), ("b", Undecided)], None).verdict(),
            Undecided
        );
        assert_eq!(
            judgement(&[("a", Breached), ("b", Undecided)], None).verdict(),
            Breached
        );
        assert_eq!(
            judgement(&[], None).verdict(),
            Undecided,
            "nothing looked at is no pass"
        );
    }

    #[test]
    fn a_control_must_breach_in_exactly_what_it_names() {
        use Verdict::{Breached, Met, Undecided};
        assert!(judgement(&[("downtime", Breached), ("a", Met)], Some(&["downtime"])).stated());
        assert!(
            !judgement(&[("downtime", Met)], Some(&["downtime"])).stated(),
            "it did not breach"
        );
        assert!(
            !judgement(&[("downtime", Breached), ("a", Breached)], Some(&["downtime"])).stated(),
            "too much breached"
        );
        assert!(
            !judgement(&[("downtime", Breached), ("a", Undecided)], Some(&["downtime"])).stated(),
            "not sure"
        );
    }
}
