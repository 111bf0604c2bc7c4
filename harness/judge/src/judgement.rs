//! The verdict of a drill: the worst of its checks, and whether the scenario expects it.

use serde::Serialize;

use crate::check::Check;
use crate::contract::Bill;
use crate::cost::Cost;
use firedrill_model::check::CheckId;

/// What a check, or a drill, comes to. The worst wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As required, with evidence.
    Met,
    /// The evidence is not enough to say.
    Undecided,
    /// Not as required.
    Breached,
}

/// What a drill comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// Every check, in a fixed order: evidence first.
    pub checks: Vec<Check>,
    /// The same outages under each contract.
    pub bills: Vec<Bill>,
    /// What the drill cost of the budget.
    pub cost: Cost,
    /// For a negative control: the checks that must breach.
    pub control: Option<Vec<CheckId>>,
}

impl Judgement {
    /// The worst verdict of all checks; undecided when there are none.
    pub fn verdict(&self) -> Verdict {
        worst(self.checks.iter())
    }

    /// The checks with this verdict.
    pub fn of(&self, verdict: Verdict) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(move |check| check.verdict == verdict)
    }

    /// The checks that say whether the drill proves anything: steady state, confirmed faults, few voids, no stalls.
    pub fn evidence(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.id.is_evidence())
    }

    /// Whether the drill proves anything: all its evidence is there. Without it, its numbers count nowhere.
    pub fn has_evidence(&self) -> bool {
        worst(self.evidence()) == Verdict::Met
    }

    /// Whether the drill ended as its scenario requires: met; or, for a negative control, breached in exactly the checks
    /// that it names, with none undecided.
    pub fn as_expected(&self) -> bool {
        let Some(control) = &self.control else {
            return self.verdict() == Verdict::Met;
        };
        let mut expected: Vec<&CheckId> = control.iter().collect();
        let mut breached: Vec<&CheckId> = self.of(Verdict::Breached).map(|check| &check.id).collect();
        expected.sort_unstable();
        breached.sort_unstable();
        // Undecided checks, too: a control without evidence shows nothing.
        expected == breached && self.of(Verdict::Undecided).next().is_none()
    }
}

/// The worst wins; without a check there is nothing to say.
fn worst<'c>(checks: impl Iterator<Item = &'c Check>) -> Verdict {
    checks
        .map(|check| check.verdict)
        .max()
        .unwrap_or(Verdict::Undecided)
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Breached, Met, Undecided};
    use super::*;
    use crate::check::{Found, Required};

    const STEADY: CheckId = CheckId::EvidenceSteady;
    const DOWNTIME: CheckId = CheckId::Downtime;
    const BUDGET: CheckId = CheckId::Budget;

    fn judgement(checks: &[(CheckId, Verdict)], control: Option<CheckId>) -> Judgement {
        let check = |(id, verdict): &(CheckId, Verdict)| Check {
            id: id.clone(),
            required: Required::Never,
            found: Found::NotReached,
            verdict: *verdict,
        };
        Judgement {
            checks: checks.iter().map(check).collect(),
            bills: Vec::new(),
            cost: Cost::default(),
            control: control.map(|id| vec![id]),
        }
    }

    #[test]
    fn the_worst_check_wins() {
        let verdict = |checks: &[(CheckId, Verdict)]| judgement(checks, None).verdict();
        assert_eq!(verdict(&[(STEADY, Met), (BUDGET, Undecided)]), Undecided);
        assert_eq!(verdict(&[(STEADY, Breached), (BUDGET, Undecided)]), Breached);
        assert_eq!(verdict(&[]), Undecided, "no check is no pass");
    }

    #[test]
    fn a_drill_has_evidence_when_every_evidence_check_is_met_whatever_the_others_say() {
        let has_evidence = |checks: &[(CheckId, Verdict)]| judgement(checks, None).has_evidence();
        assert!(has_evidence(&[(STEADY, Met), (BUDGET, Breached)]));
        assert!(!has_evidence(&[
            (STEADY, Met),
            (CheckId::EvidenceFault(0), Undecided)
        ]));
        assert!(
            !has_evidence(&[(BUDGET, Met)]),
            "no evidence check is no evidence"
        );
    }

    #[test]
    fn a_control_must_breach_in_exactly_the_checks_that_it_names() {
        let as_expected = |checks: &[(CheckId, Verdict)]| judgement(checks, Some(DOWNTIME)).as_expected();
        assert!(as_expected(&[(DOWNTIME, Breached), (BUDGET, Met)]));
        assert!(!as_expected(&[(DOWNTIME, Met)]), "it did not breach");
        assert!(
            !as_expected(&[(DOWNTIME, Breached), (BUDGET, Breached)]),
            "too much breached"
        );
        assert!(
            !as_expected(&[(DOWNTIME, Breached), (BUDGET, Undecided)]),
            "not sure"
        );
    }
}
