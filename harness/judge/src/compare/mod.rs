//! Two sets of repeats compared: a baseline and a head. Says *regression* only when chance, drift of the machine and the
//! width of the bounds are all ruled out:
//!
//! * at least [`MIN_DRILLS`] drills a side, run in turn. Otherwise the comparison is *inconclusive*;
//! * Mann-Whitney p below [`MAX_P`];
//! * the medians apart by a ratio of at least [`MIN_RATIO`], and by more than [`MIN_SHIFT`] and the bounds' width.
//!
//! A time that a drill lacks counts: an alert, a rollback or a recovery that other drills had and this one had not is
//! later than any (*never*, infinite). Only where there was nothing to wait for it counts as zero. A drill that ended
//! unexpectedly is worse than one as expected, by the same rule.
//!
//! Takes measured and judged drills, gives rows for reports and the exit code.

use std::collections::BTreeSet;
use std::time::Duration;

use firedrill_model::history::Start;
use jiff::Timestamp;
use serde::Serialize;

use super::Judgement;
use super::statistics::{mann_whitney, median};
use crate::measure::{Bounds, Measured};

/// Fewer drills a side prove nothing: with 4 and 4, p is 2/70 = 0.029 at best.
pub const MIN_DRILLS: usize = 5;
/// Chance is ruled out below this.
pub const MAX_P: f64 = 0.01;
/// The medians must be apart by this ratio.
pub const MIN_RATIO: f64 = 1.5;
/// The medians must be apart by more than this, in seconds.
pub const MIN_SHIFT: f64 = 0.05;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// The service's downtime.
    Downtime,
    /// From the outage's onset to the first alert.
    TimeToDetect,
    /// From the bad release's first answer to the first answer after its last.
    RollbackTime,
    /// From the outage's onset to its end.
    TimeToRecover,
    /// Drills in which an acknowledged write was lost or corrupt.
    DataLoss,
    /// Drills that ended unexpectedly.
    Unexpected,
}

/// What is compared of one drill.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedDrill {
    /// Its scenario.
    pub scenario: String,
    /// When it began; `None` where its history does not say.
    pub began: Option<Timestamp>,
    /// The times that it has.
    pub times: Vec<(Metric, Bounds)>,
    /// Whether an essential journey was down.
    pub down: bool,
    /// Whether users had answers of a second release, so that there was something to roll back.
    pub exposed: bool,
    /// Whether an acknowledged write was lost or corrupt.
    pub lost: bool,
    /// Whether it ended as its scenario requires.
    pub as_expected: bool,
}

impl ComparedDrill {
    /// From what was measured; `None` for a drill without evidence, which proves nothing.
    pub fn new(start: &Start, measured: &Measured, judgement: &Judgement) -> Option<Self> {
        if !judgement.has_evidence() {
            return None;
        }
        let instants = &measured.instants;
        let times = [
            (Metric::Downtime, Some(measured.downtime)),
            (Metric::TimeToDetect, instants.time_to_detect),
            (
                Metric::RollbackTime,
                instants.rollback.as_ref().map(|rollback| rollback.time),
            ),
            (Metric::TimeToRecover, instants.time_to_recover),
        ];
        Some(Self {
            scenario: start.plan.name.clone(),
            began: start.began(),
            times: times
                .into_iter()
                .filter_map(|(metric, bounds)| Some((metric, bounds?)))
                .collect(),
            down: !measured.outages.is_empty(),
            exposed: measured.releases.len() > 1,
            lost: measured.data.lost + measured.data.corrupt > 0,
            as_expected: judgement.as_expected(),
        })
    }
}

/// One side of a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Values {
    /// In seconds (the middle of the bounds), sorted; infinite for what did not come, or had not ended. For data loss
    /// and unexpected ends: 0 or 1.
    pub values: Vec<f64>,
    /// Their median.
    pub median: f64,
    /// The median width of the bounds, in seconds.
    pub width: f64,
}

/// Why a comparison is inconclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// Fewer than [`MIN_DRILLS`] drills on a side.
    TooFew,
    /// One side was run after the other: a drift of the machine looks the same as a regression.
    NotInTurn,
    /// A side has drills, but none of them has evidence.
    NoEvidence,
}

/// What a row comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// The head is worse.
    Regression,
    /// The head is better, by the same rule.
    Improvement,
    /// Nothing beyond chance, or too little to matter.
    NoDifference,
    /// The drills do not say, for this reason.
    Inconclusive(Doubt),
}

/// One scenario's metric on both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The scenario.
    pub scenario: String,
    /// What is compared.
    pub metric: Metric,
    /// The baseline.
    pub baseline: Values,
    /// The head.
    pub head: Values,
    /// The probability of ranks at least so uneven if there were no difference.
    pub p: f64,
    /// What it comes to.
    pub finding: Finding,
}

/// The comparison.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Comparison {
    /// Its rows, scenario by scenario.
    pub rows: Vec<Row>,
    /// Scenarios that only one side has.
    pub unpaired: Vec<String>,
    /// Scenarios that only one side has, because no drill of the other has evidence.
    pub without_evidence: Vec<String>,
    /// Drills without evidence, not run, or not readable: of the baseline, of the head.
    pub left_out: (usize, usize),
    /// Drills that ended unexpectedly: of the baseline, of the head.
    pub unexpected: (usize, usize),
}

/// Compares two sets of drills.
pub fn compare(baseline: &[ComparedDrill], head: &[ComparedDrill]) -> Comparison {
    let names = |drills: &[ComparedDrill]| -> BTreeSet<String> {
        drills.iter().map(|drill| drill.scenario.clone()).collect()
    };
    let of = |drills: &[ComparedDrill], scenario: &str| -> Vec<ComparedDrill> {
        let of_scenario = drills.iter().filter(|drill| drill.scenario == scenario);
        of_scenario.cloned().collect()
    };
    let (before, after) = (names(baseline), names(head));
    // Each scenario by itself: a mix of scenarios has no distribution of its own.
    let paired = before.intersection(&after);
    let rows =
        paired.flat_map(|scenario| scenario_rows(scenario, &of(baseline, scenario), &of(head, scenario)));
    let unexpected = |drills: &[ComparedDrill]| drills.iter().filter(|drill| !drill.as_expected).count();
    Comparison {
        rows: rows.collect(),
        unpaired: before.symmetric_difference(&after).cloned().collect(),
        without_evidence: Vec::new(),
        left_out: (0, 0),
        unexpected: (unexpected(baseline), unexpected(head)),
    }
}

/// The rows of one scenario: a row for each time that any of its drills has, then unexpected ends, then data loss.
fn scenario_rows(scenario: &str, baseline: &[ComparedDrill], head: &[ComparedDrill]) -> Vec<Row> {
    let doubt = if baseline.len().min(head.len()) < MIN_DRILLS {
        Some(Doubt::TooFew)
    } else if !in_turn(baseline, head) {
        Some(Doubt::NotInTurn)
    } else {
        None
    };
    let metrics = [
        Metric::Downtime,
        Metric::TimeToDetect,
        Metric::RollbackTime,
        Metric::TimeToRecover,
    ];
    let both = || baseline.iter().chain(head);
    let row = |metric: Metric, baseline: Values, head: Values| {
        let p = mann_whitney(&baseline.values, &head.values);
        Row {
            scenario: scenario.into(),
            metric,
            finding: finding(doubt, &baseline, &head, p),
            baseline,
            head,
            p,
        }
    };
    let timed = metrics.into_iter().filter_map(|metric| {
        let (before, after) = (times(baseline, head, metric), times(head, baseline, metric));
        let measured = both().any(|drill| drill.time(metric).is_some());
        measured.then_some(row(metric, before?, after?))
    });
    let mut rows: Vec<Row> = timed.collect();
    if both().any(|drill| !drill.as_expected) {
        let unexpected = |drills: &[ComparedDrill]| counted(drills, |drill| !drill.as_expected);
        let sides = unexpected(baseline).zip(unexpected(head));
        rows.extend(sides.map(|(before, after)| row(Metric::Unexpected, before, after)));
    }
    rows.extend(data_loss(scenario, baseline, head));
    rows
}

impl ComparedDrill {
    fn time(&self, metric: Metric) -> Option<Bounds> {
        let found = self.times.iter().find(|(of, _)| *of == metric);
        found.map(|(_, bounds)| *bounds)
    }

    /// What a missing time counts as: infinite, or zero where there was nothing to wait for.
    fn missing(&self, metric: Metric, others: &[Self]) -> f64 {
        let needed = match metric {
            Metric::RollbackTime => self.exposed || self.down,
            // An alert is missed, too, if the other side sends one without an outage: only where every drill with an
            // alert was down, and this one was not and is as expected, was there nothing to alert of.
            Metric::TimeToDetect => {
                let mut alerted = others.iter().filter(|other| other.time(metric).is_some());
                self.down || !self.as_expected || alerted.any(|other| !other.down)
            }
            _ => self.down,
        };
        if needed { f64::INFINITY } else { 0.0 }
    }
}

/// A metric of every drill of a side; `None` when it has no drills.
fn times(drills: &[ComparedDrill], others: &[ComparedDrill], metric: Metric) -> Option<Values> {
    let found = || drills.iter().map(|drill| (drill, drill.time(metric)));
    // No drill is dropped for a time that it lacks: the slowest ones would be the first to go.
    let value = |(drill, bounds): (&ComparedDrill, Option<Bounds>)| match bounds {
        None => drill.missing(metric, others),
        Some(Bounds { high: None, .. }) => f64::INFINITY,
        Some(Bounds {
            low,
            high: Some(high),
        }) => f64::midpoint(low.as_secs_f64(), high.as_secs_f64()),
    };
    let width = |(_, bounds): (&ComparedDrill, Option<Bounds>)| {
        let bounds = bounds?;
        Some(bounds.high?.saturating_sub(bounds.low).as_secs_f64())
    };
    values(
        found().map(value).collect(),
        &found().filter_map(width).collect::<Vec<_>>(),
    )
}

/// 1 for each drill of which something is true, else 0.
fn counted(drills: &[ComparedDrill], of: fn(&ComparedDrill) -> bool) -> Option<Values> {
    let one = |drill: &ComparedDrill| f64::from(u8::from(of(drill)));
    values(drills.iter().map(one).collect(), &[])
}

fn values(mut values: Vec<f64>, widths: &[f64]) -> Option<Values> {
    values.sort_by(f64::total_cmp);
    Some(Values {
        median: median(&values)?,
        width: median(widths).unwrap_or(0.0),
        values,
    })
}

/// A lost write is never chance: with enough drills, a baseline without any and a head with one is a regression.
fn data_loss(scenario: &str, baseline: &[ComparedDrill], head: &[ComparedDrill]) -> Option<Row> {
    let lost = |drills: &[ComparedDrill]| counted(drills, |drill| drill.lost);
    let (baseline, head) = (lost(baseline)?, lost(head)?);
    let any = |side: &Values| side.values.last() > Some(&0.0);
    let enough = baseline.values.len().min(head.values.len()) >= MIN_DRILLS;
    let finding = match (any(&baseline), any(&head)) {
        (false, false) => return None,
        _ if !enough => Finding::Inconclusive(Doubt::TooFew),
        (false, true) => Finding::Regression,
        (true, false) => Finding::Improvement,
        (true, true) => Finding::NoDifference,
    };
    let p = mann_whitney(&baseline.values, &head.values);
    Some(Row {
        scenario: scenario.into(),
        metric: Metric::DataLoss,
        baseline,
        head,
        p,
        finding,
    })
}

fn finding(doubt: Option<Doubt>, baseline: &Values, head: &Values, p: f64) -> Finding {
    let too_few = baseline.values.len().min(head.values.len()) < MIN_DRILLS;
    if let Some(doubt) = doubt.or(too_few.then_some(Doubt::TooFew)) {
        return Finding::Inconclusive(doubt);
    }
    let (slow, fast) = (baseline.median.max(head.median), baseline.median.min(head.median));
    // ∞ − ∞ is NaN, which is above nothing: two medians of "never" are no difference.
    let shift = slow - fast;
    let wide = MIN_SHIFT.max(baseline.width).max(head.width);
    let different = p < MAX_P && shift > wide && slow >= MIN_RATIO * fast;
    match different {
        false => Finding::NoDifference,
        true if head.median > baseline.median => Finding::Regression,
        true => Finding::Improvement,
    }
}

/// Whether the sides took turns: in the order of time, the side changes at least as often as the smaller side has
/// drills. Run one after the other, it changes once. Nobody knows the turn of a drill without a time.
fn in_turn(baseline: &[ComparedDrill], head: &[ComparedDrill]) -> bool {
    let side = |drills: &[ComparedDrill], is_head: bool| -> Option<Vec<(Timestamp, bool)>> {
        drills.iter().map(|drill| Some((drill.began?, is_head))).collect()
    };
    let (Some(baseline_times), Some(head_times)) = (side(baseline, false), side(head, true)) else {
        return false;
    };
    let mut order = [baseline_times, head_times].concat();
    order.sort_unstable();
    let changes = order.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
    changes >= baseline.len().min(head.len())
}

impl Comparison {
    /// Records the drills that were left out on either side, by their scenarios, one name a drill. A scenario that has
    /// no other drill on that side is inconclusive: a head too broken to be measured is not as good as its baseline.
    pub fn left_out(&mut self, baseline: &[String], head: &[String]) {
        self.left_out = (baseline.len(), head.len());
        let scenarios: BTreeSet<&String> = baseline.iter().chain(head).collect();
        // On one side only, and left out on the other: not new or removed, but without evidence.
        let (without, unpaired) = std::mem::take(&mut self.unpaired)
            .into_iter()
            .partition(|name| scenarios.contains(name));
        (self.without_evidence, self.unpaired) = (without, unpaired);
    }

    /// The worst of its rows; `None` when there is nothing to compare.
    pub fn worst(&self) -> Option<Finding> {
        // Inconclusive is worse than better: a gate must not pass on what it could not see.
        let weight = |finding: &Finding| match finding {
            Finding::Regression => 3,
            Finding::Inconclusive(_) => 2,
            Finding::Improvement => 1,
            Finding::NoDifference => 0,
        };
        let without = self.without_evidence.iter();
        let without = without.map(|_| Finding::Inconclusive(Doubt::NoEvidence));
        self.rows
            .iter()
            .map(|row| row.finding)
            .chain(without)
            .max_by_key(weight)
    }
}

impl Values {
    /// The smallest and the largest value.
    pub fn range(&self) -> (f64, f64) {
        let ends = self.values.first().zip(self.values.last());
        ends.map_or((0.0, 0.0), |(least, most)| (*least, *most))
    }
}

/// Seconds as a duration, where they are finite.
pub fn duration(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests;
