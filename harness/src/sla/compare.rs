//! Two sets of repeats against each other: a base and a head. Says *regression* only when chance, drift of the machine
//! and the width of the bounds are all ruled out:
//!
//! at least 5 drills a side, interleaved; Mann-Whitney p < 0.01; the medians apart by a ratio of at least 1.5, and by
//! more than the bounds' width and 50 ms. What is short of drills, or was not interleaved, *cannot be said*.

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
            lost: measured.data.lost + measured.data.corrupt > 0,
            stated: judgement.stated(),
        })
    }
}

/// One side of a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Values {
    /// In seconds (the middle of the bounds), sorted; infinite where the outage had not ended. For data loss: 0 or 1.
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
    let mut rows: Vec<Row> = metrics
        .into_iter()
        .filter_map(|metric| {
            let (base, head) = (times(base, metric)?, times(head, metric)?);
            let p = mann_whitney(&base.values, &head.values);
            Some(Row {
                scenario: scenario.into(),
                metric,
                finding: finding(unsaid, &base, &head, p),
                base,
                head,
                p,
            })
        })
        .collect();
    rows.extend(data_loss(scenario, base, head));
    rows
}

/// What was measured of a metric; `None` when no drill has it.
fn times(drills: &[Drill], metric: Metric) -> Option<Values> {
    let found: Vec<Bounds> = drills
        .iter()
        .flat_map(|drill| &drill.times)
        .filter(|(of, _)| *of == metric)
        .map(|(_, bounds)| *bounds)
        .collect();
    let value = |bounds: &Bounds| {
        bounds.high.map_or(f64::INFINITY, |high| {
            f64::midpoint(bounds.low.as_secs_f64(), high.as_secs_f64())
        })
    };
    let width = |bounds: &Bounds| {
        bounds
            .high
            .map(|high| high.saturating_sub(bounds.low).as_secs_f64())
    };
    values(
        found.iter().map(value).collect(),
        &found.iter().filter_map(width).collect::<Vec<_>>(),
    )
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
    let lost = |drills: &[Drill]| {
        values(
            drills
                .iter()
                .map(|drill| f64::from(u8::from(drill.lost)))
                .collect(),
            &[],
        )
    };
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
    /// The worst of its rows; `None` when there is nothing to compare.
    pub fn worst(&self) -> Option<Finding> {
        let weight = |finding: &Finding| match finding {
            Finding::Regression => 3,
            Finding::CannotSay(_) => 2,
            Finding::Improvement => 1,
            Finding::NoDifference => 0,
        };
        self.rows.iter().map(|row| row.finding).max_by_key(weight)
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drills(side: u32, downtimes: &[Option<u64>], turns: bool) -> Vec<Drill> {
        let drill = |(at, downtime): (u32, &Option<u64>)| {
            let minute = if turns { at * 2 + side } else { at + side * 30 };
            let low = Duration::from_millis(downtime.unwrap_or(5000));
            let high = downtime.map(|ms| Duration::from_millis(ms + 10));
            Drill {
                scenario: "a".into(),
                wall: format!("2026-01-01T00:{minute:02}:00Z"),
                times: vec![(Metric::Downtime, Bounds { low, high })],
                lost: false,
                stated: true,
            }
        };
        (0..).zip(downtimes).map(drill).collect()
    }

    fn found(base: &[Option<u64>], head: &[Option<u64>], turns: bool) -> Finding {
        compare(&drills(0, base, turns), &drills(1, head, turns)).rows[0].finding
    }

    fn all(values: [u64; 5]) -> [Option<u64>; 5] {
        values.map(Some)
    }

    #[test]
    fn a_slower_head_is_a_regression_and_a_faster_one_an_improvement() {
        let (fast, slow) = (all([200, 205, 210, 215, 220]), all([400, 405, 410, 415, 420]));
        assert_eq!(found(&fast, &slow, true), Finding::Regression);
        assert_eq!(found(&slow, &fast, true), Finding::Improvement);
        assert_eq!(found(&fast, &fast, true), Finding::NoDifference);
    }

    #[test]
    fn what_never_ended_is_slower_than_anything() {
        assert_eq!(
            found(&all([200, 205, 210, 215, 220]), &[None; 5], true),
            Finding::Regression
        );
        assert_eq!(found(&[None; 5], &[None; 5], true), Finding::NoDifference);
    }

    #[test]
    fn small_ratios_small_shifts_and_overlaps_are_no_difference() {
        let base = all([200, 205, 210, 215, 220]);
        assert_eq!(
            found(&base, &all([280, 285, 290, 295, 300]), true),
            Finding::NoDifference,
            "below 1.5 times"
        );
        let short = all([10, 11, 12, 13, 14]);
        assert_eq!(
            found(&short, &all([40, 41, 42, 43, 44]), true),
            Finding::NoDifference,
            "below 50 ms"
        );
        assert_eq!(
            found(&base, &all([200, 400, 405, 410, 415]), true),
            Finding::NoDifference,
            "p above 0.01"
        );
    }

    #[test]
    fn too_few_or_one_side_after_the_other_cannot_be_said() {
        let (fast, slow) = (all([200, 205, 210, 215, 220]), all([400, 405, 410, 415, 420]));
        assert_eq!(found(&fast[..4], &slow, true), Finding::CannotSay(Unsaid::TooFew));
        assert_eq!(
            found(&fast, &slow, false),
            Finding::CannotSay(Unsaid::NotInterleaved)
        );
    }

    #[test]
    fn one_lost_link_is_a_regression_whatever_the_times() {
        let base = drills(0, &all([200; 5]), true);
        let mut head = drills(1, &all([200; 5]), true);
        head[3].lost = true;
        let comparison = compare(&base, &head);
        assert_eq!(comparison.worst(), Some(Finding::Regression));
        assert_eq!(comparison.rows[1].metric, Metric::DataLoss);
    }

    proptest! {
        #[test]
        fn the_sides_can_be_swapped(
            base in prop::collection::vec(prop::option::weighted(0.9, 0u64..2000), 5..9),
            head in prop::collection::vec(prop::option::weighted(0.9, 0u64..2000), 5..9),
        ) {
            let mirrored = match found(&base, &head, true) {
                Finding::Regression => Finding::Improvement,
                Finding::Improvement => Finding::Regression,
                same => same,
            };
            prop_assert_eq!(found(&head, &base, true), mirrored);
        }

    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        /// Both sides from one distribution: a regression is found in fewer than p of cases, whatever the distribution.
        #[test]
        fn one_distribution_on_both_sides_is_hardly_ever_a_regression(seed: u64) {
            use rand::{Rng, SeedableRng};
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let mut side = || (0..6).map(|_| Some(rng.random_range(100u64..3000))).collect::<Vec<_>>();
            let wrong = (0..100).filter(|_| found(&side(), &side(), true) == Finding::Regression).count();
            prop_assert!(wrong <= 5, "{} of 100", wrong);
        }
    }
}
