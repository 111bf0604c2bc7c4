//! Two sets of repeats against each other: a base and a head. Says *regression* only when chance, drift of the machine
//! and the width of the bounds are all ruled out:
//!
//! at least 5 drills a side, interleaved; Mann-Whitney p < 0.01; the medians apart by a ratio of at least 1.5, and by
//! more than the bounds' width and 50 ms. What is short of drills, or was not interleaved, *cannot be said*.
//!
//! What did not come counts: an alert, a way back or an end that others had and this drill had not is later than any
//! (*never*, infinite). Only where there was nothing to wait for it counts as nothing. To come out otherwise than the
//! scenario states is worse than as stated, by the same rule.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use super::statistics::{mann_whitney, median};
use super::{Judgement, Verdict};
use crate::measure::{Bounds, Measured};

/// Fewer drills a side say nothing: 4 against 4 cannot come below p = 0.02.
pub const LEAST: usize = 5;
/// Chance is ruled out below this.
pub const P: f64 = 0.01;
/// The medians must be apart by this ratio.
pub const RATIO: f64 = 1.5;
/// And by this much, in seconds.
pub const SHIFT: f64 = 0.05;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// The service's downtime.
    Downtime,
    /// From the outage's onset to the first alert.
    TimeToDetect,
    /// From the first answer of a bad release to the first after its last.
    RollbackTime,
    /// From the outage's onset to its end.
    TimeToRecover,
    /// Drills in which an acknowledged write was lost or corrupt.
    DataLoss,
    /// Drills that did not come out as their scenario states.
    NotAsStated,
}

/// One drill, as far as it is compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Drill {
    /// Its scenario.
    pub scenario: String,
    /// When it began, RFC 3339: sorts by time.
    pub wall: String,
    /// What was measured.
    pub times: Vec<(Metric, Bounds)>,
    /// Whether an essential journey was down.
    pub down: bool,
    /// Whether a second release answered: there was something to go back from.
    pub exposed: bool,
    /// Whether an acknowledged write was lost or corrupt.
    pub lost: bool,
    /// Whether it came out as its scenario states.
    pub stated: bool,
}

impl Drill {
    /// From what was measured; `None` when its evidence is missing: it says nothing.
    pub fn new(scenario: &str, wall: &str, measured: &Measured, judgement: &Judgement) -> Option<Self> {
        let evidence = judgement
            .checks
            .iter()
            .filter(|check| check.name.starts_with("evidence."));
        if evidence.map(|check| check.verdict).max() != Some(Verdict::Met) {
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
            scenario: scenario.into(),
            wall: wall.into(),
            times: times
                .into_iter()
                .filter_map(|(metric, bounds)| Some((metric, bounds?)))
                .collect(),
            down: !measured.outages.is_empty(),
            exposed: measured.releases.len() > 1,
            lost: measured.data.lost + measured.data.corrupt > 0,
            stated: judgement.stated(),
        })
    }
}

/// One side of a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Values {
    /// In seconds (the middle of the bounds), sorted; infinite where it did not come, or had not ended. For data loss
    /// and what is not as stated: 0 or 1.
    pub values: Vec<f64>,
    /// Their median.
    pub median: f64,
    /// The median width of the bounds, in seconds.
    pub width: f64,
}

/// Why nothing can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unsaid {
    /// Fewer than [`LEAST`] drills on a side.
    TooFew,
    /// One side was run after the other: what drifted on the machine looks the same as a regression.
    NotInterleaved,
    /// A side has drills, and none of them with evidence.
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
    /// Nothing can be said.
    CannotSay(Unsaid),
}

/// One scenario's metric on both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The scenario.
    pub scenario: String,
    /// What is compared.
    pub metric: Metric,
    /// The base.
    pub base: Values,
    /// The head.
    pub head: Values,
    /// The chance of ranks so uneven, were there no difference.
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
    /// Scenarios that only one side has, because all drills of the other are without evidence.
    pub without_evidence: Vec<String>,
    /// Drills that say nothing, as they have no evidence, could not be run, or cannot be read: base, head.
    pub left_out: (usize, usize),
    /// Drills that are not as stated: base, head.
    pub not_as_stated: (usize, usize),
}

/// Compares two sets of drills.
pub fn compare(base: &[Drill], head: &[Drill]) -> Comparison {
    let names = |drills: &[Drill]| {
        drills
            .iter()
            .map(|drill| drill.scenario.clone())
            .collect::<BTreeSet<_>>()
    };
    let (ours, theirs) = (names(base), names(head));
    let rows = ours.intersection(&theirs).flat_map(|scenario| {
        let of = |drills: &'_ [Drill]| -> Vec<Drill> {
            drills
                .iter()
                .filter(|drill| drill.scenario == *scenario)
                .cloned()
                .collect()
        };
        scenario_rows(scenario, &of(base), &of(head))
    });
    let not_as_stated = |drills: &[Drill]| drills.iter().filter(|drill| !drill.stated).count();
    Comparison {
        rows: rows.collect(),
        unpaired: ours.symmetric_difference(&theirs).cloned().collect(),
        without_evidence: Vec::new(),
        left_out: (0, 0),
        not_as_stated: (not_as_stated(base), not_as_stated(head)),
    }
}

fn scenario_rows(scenario: &str, base: &[Drill], head: &[Drill]) -> Vec<Row> {
    let unsaid = if base.len().min(head.len()) < LEAST {
        Some(Unsaid::TooFew)
    } else if !interleaved(base, head) {
        Some(Unsaid::NotInterleaved)
    } else {
        None
    };
    let metrics = [
        Metric::Downtime,
        Metric::TimeToDetect,
        Metric::RollbackTime,
        Metric::TimeToRecover,
    ];
    let row = |metric: Metric, base: Values, head: Values| {
        let p = mann_whitney(&base.values, &head.values);
        Row {
            scenario: scenario.into(),
            metric,
            finding: finding(unsaid, &base, &head, p),
            base,
            head,
            p,
        }
    };
    let timed = metrics.into_iter().filter_map(|metric| {
        let (ours, theirs) = (times(base, head, metric), times(head, base, metric));
        let measured = base.iter().chain(head).any(|drill| drill.time(metric).is_some());
        measured.then_some(row(metric, ours?, theirs?))
    });
    let mut rows: Vec<Row> = timed.collect();
    if base.iter().chain(head).any(|drill| !drill.stated) {
        let unstated = |drills: &[Drill]| counted(drills, |drill| !drill.stated);
        let sides = unstated(base).zip(unstated(head));
        rows.extend(sides.map(|(base, head)| row(Metric::NotAsStated, base, head)));
    }
    rows.extend(data_loss(scenario, base, head));
    rows
}

impl Drill {
    fn time(&self, metric: Metric) -> Option<Bounds> {
        let found = self.times.iter().find(|(of, _)| *of == metric);
        found.map(|(_, bounds)| *bounds)
    }

    /// What a drill counts as that has no such time: *never*, or nothing where there was nothing to wait for. An alert
    /// is missed unless all that had one were down, and this drill was not and is as stated.
    fn without(&self, metric: Metric, others: &[Self]) -> f64 {
        let needed = match metric {
            Metric::RollbackTime => self.exposed || self.down,
            Metric::TimeToDetect => {
                let mut told = others.iter().filter(|other| other.time(metric).is_some());
                self.down || !self.stated || told.any(|other| !other.down)
            }
            _ => self.down,
        };
        if needed { f64::INFINITY } else { 0.0 }
    }
}

/// A metric of every drill of a side; `None` when it has no drills.
fn times(drills: &[Drill], others: &[Drill], metric: Metric) -> Option<Values> {
    let found = || drills.iter().map(|drill| (drill, drill.time(metric)));
    let value = |(drill, bounds): (&Drill, Option<Bounds>)| match bounds {
        None => drill.without(metric, others),
        Some(Bounds { high: None, .. }) => f64::INFINITY,
        Some(Bounds {
            low,
            high: Some(high),
        }) => f64::midpoint(low.as_secs_f64(), high.as_secs_f64()),
    };
    let width = |(_, bounds): (&Drill, Option<Bounds>)| {
        let bounds = bounds?;
        Some(bounds.high?.saturating_sub(bounds.low).as_secs_f64())
    };
    values(
        found().map(value).collect(),
        &found().filter_map(width).collect::<Vec<_>>(),
    )
}

/// 1 for each drill of which something is true, else 0.
fn counted(drills: &[Drill], of: fn(&Drill) -> bool) -> Option<Values> {
    let one = |drill: &Drill| f64::from(u8::from(of(drill)));
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

/// A lost link is no matter of chance: a base without any in enough drills, and a head with one, is a regression.
fn data_loss(scenario: &str, base: &[Drill], head: &[Drill]) -> Option<Row> {
    let lost = |drills: &[Drill]| counted(drills, |drill| drill.lost);
    let (base, head) = (lost(base)?, lost(head)?);
    let any = |side: &Values| side.values.last() > Some(&0.0);
    let enough = base.values.len().min(head.values.len()) >= LEAST;
    let finding = match (any(&base), any(&head)) {
        (false, false) => return None,
        _ if !enough => Finding::CannotSay(Unsaid::TooFew),
        (false, true) => Finding::Regression,
        (true, false) => Finding::Improvement,
        (true, true) => Finding::NoDifference,
    };
    let p = mann_whitney(&base.values, &head.values);
    Some(Row {
        scenario: scenario.into(),
        metric: Metric::DataLoss,
        base,
        head,
        p,
        finding,
    })
}

fn finding(unsaid: Option<Unsaid>, base: &Values, head: &Values, p: f64) -> Finding {
    let too_few = base.values.len().min(head.values.len()) < LEAST;
    if let Some(unsaid) = unsaid.or(too_few.then_some(Unsaid::TooFew)) {
        return Finding::CannotSay(unsaid);
    }
    let (slow, fast) = (base.median.max(head.median), base.median.min(head.median));
    // Two infinite medians are no difference; NaN compares to nothing.
    let shift = slow - fast;
    let wide = SHIFT.max(base.width).max(head.width);
    let different = p < P && shift > wide && slow >= RATIO * fast;
    match different {
        false => Finding::NoDifference,
        true if head.median > base.median => Finding::Regression,
        true => Finding::Improvement,
    }
}

/// Whether the sides took turns: in the order of time, the side changes at least as often as the smaller side has
/// drills. One side after the other changes once.
fn interleaved(base: &[Drill], head: &[Drill]) -> bool {
    let mut order: Vec<(&str, bool)> = base.iter().map(|drill| (drill.wall.as_str(), false)).collect();
    order.extend(head.iter().map(|drill| (drill.wall.as_str(), true)));
    order.sort_unstable();
    let changes = order.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
    changes >= base.len().min(head.len())
}

impl Comparison {
    /// Says of which scenarios drills were left out on either side, one name a drill, as they say nothing. Where that
    /// left a side none, nothing can be said of it: a head that is too broken to be measured is not as good as its base.
    pub fn left_out(&mut self, base: &[String], head: &[String]) {
        self.left_out = (base.len(), head.len());
        let scenarios: BTreeSet<&String> = base.iter().chain(head).collect();
        let (without, unpaired) = std::mem::take(&mut self.unpaired)
            .into_iter()
            .partition(|name| scenarios.contains(name));
        (self.without_evidence, self.unpaired) = (without, unpaired);
    }

    /// The worst of its rows; `None` when there is nothing to compare.
    pub fn worst(&self) -> Option<Finding> {
        let weight = |finding: &Finding| match finding {
            Finding::Regression => 3,
            Finding::CannotSay(_) => 2,
            Finding::Improvement => 1,
            Finding::NoDifference => 0,
        };
        let unsaid = self.without_evidence.iter();
        let unsaid = unsaid.map(|_| Finding::CannotSay(Unsaid::NoEvidence));
        self.rows
            .iter()
            .map(|row| row.finding)
            .chain(unsaid)
            .max_by_key(weight)
    }
}

impl Values {
    /// The least and the greatest value.
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
