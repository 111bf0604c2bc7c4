//! Made-up sets of drills, compared.

use proptest::prelude::*;

use super::*;

fn drills(side: u32, downtimes: &[Option<u64>], turns: bool) -> Vec<ComparedDrill> {
    let drill = |(at, downtime): (u32, &Option<u64>)| {
        let minute = if turns { at * 2 + side } else { at + side * 30 };
        let low = Duration::from_millis(downtime.unwrap_or(5000));
        let high = downtime.map(|ms| Duration::from_millis(ms + 10));
        ComparedDrill {
            scenario: "a".into(),
            began: format!("2026-01-01T00:{minute:02}:00Z").parse().ok(),
            times: vec![(Metric::Downtime, Bounds { low, high })],
            down: true,
            exposed: false,
            lost: false,
            as_expected: true,
        }
    };
    (0..).zip(downtimes).map(drill).collect()
}

fn found(baseline: &[Option<u64>], head: &[Option<u64>], turns: bool) -> Finding {
    compare(&drills(0, baseline, turns), &drills(1, head, turns)).rows[0].finding
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
fn nobody_knows_the_turn_of_a_drill_without_a_time() {
    let (fast, slow) = (all([200, 205, 210, 215, 220]), all([400, 405, 410, 415, 420]));
    let (baseline, mut head) = (drills(0, &fast, true), drills(1, &slow, true));
    head[2].began = None;
    assert_eq!(
        compare(&baseline, &head).rows[0].finding,
        Finding::Inconclusive(Doubt::NotInTurn)
    );
}

#[test]
fn an_outage_without_an_end_is_slower_than_any_other() {
    assert_eq!(
        found(&all([200, 205, 210, 215, 220]), &[None; 5], true),
        Finding::Regression
    );
    assert_eq!(found(&[None; 5], &[None; 5], true), Finding::NoDifference);
}

#[test]
fn small_ratios_small_shifts_and_overlaps_are_no_difference() {
    let baseline = all([200, 205, 210, 215, 220]);
    assert_eq!(
        found(&baseline, &all([280, 285, 290, 295, 300]), true),
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
        found(&baseline, &all([200, 400, 405, 410, 415]), true),
        Finding::NoDifference,
        "p above 0.01"
    );
}

#[test]
fn too_few_drills_or_one_side_after_the_other_is_inconclusive() {
    let (fast, slow) = (all([200, 205, 210, 215, 220]), all([400, 405, 410, 415, 420]));
    assert_eq!(
        found(&fast[..4], &slow, true),
        Finding::Inconclusive(Doubt::TooFew)
    );
    assert_eq!(
        found(&fast, &slow, false),
        Finding::Inconclusive(Doubt::NotInTurn)
    );
}

#[test]
fn one_lost_write_is_a_regression_whatever_the_times() {
    let baseline = drills(0, &all([200; 5]), true);
    let mut head = drills(1, &all([200; 5]), true);
    head[3].lost = true;
    let comparison = compare(&baseline, &head);
    assert_eq!(comparison.worst(), Some(Finding::Regression));
    assert_eq!(comparison.rows[1].metric, Metric::DataLoss);
}

/// Six drills a side; some of the head's have no alert.
fn alerted(baseline_down: bool, head_down: bool, head: [bool; 6]) -> Comparison {
    let side = |side: u32, down: bool, alerts: [bool; 6]| {
        let mut drills = drills(side, &[Some(200); 6], true);
        for (drill, alerted) in drills.iter_mut().zip(alerts) {
            let alert = Bounds::between(Duration::from_millis(100), Duration::from_millis(110));
            drill.times = vec![(Metric::Downtime, Bounds::ZERO)];
            drill
                .times
                .extend(alerted.then_some((Metric::TimeToDetect, alert)));
            drill.down = down;
        }
        drills
    };
    compare(&side(0, baseline_down, [true; 6]), &side(1, head_down, head))
}

fn of(comparison: &Comparison, metric: Metric) -> Option<&Row> {
    comparison.rows.iter().find(|row| row.metric == metric)
}

#[test]
fn an_alert_that_no_longer_comes_is_a_regression() {
    let none = alerted(true, true, [false; 6]);
    let row = of(&none, Metric::TimeToDetect).unwrap();
    assert_eq!(row.finding, Finding::Regression);
    assert!(row.head.values.len() == 6 && row.head.median.is_infinite());
    assert_eq!(of(&none, Metric::TimeToRecover), None, "neither side has it");
    let most = alerted(true, true, [true, false, false, false, false, false]);
    let row = of(&most, Metric::TimeToDetect).unwrap();
    assert_eq!(
        (row.head.values.len(), row.head.median),
        (6, f64::INFINITY),
        "none is dropped"
    );
    let fallback = alerted(false, false, [false; 6]);
    assert_eq!(
        fallback.worst(),
        Some(Finding::Regression),
        "users felt nothing, and nobody is alerted"
    );
}

#[test]
fn without_an_outage_no_alert_is_missed() {
    let better = alerted(true, false, [false; 6]);
    assert_eq!(better.worst(), Some(Finding::Improvement));
}

#[test]
fn a_bad_release_that_stays_is_a_regression_and_one_that_never_answered_is_not() {
    let rollback = Bounds::between(Duration::from_millis(300), Duration::from_millis(310));
    let mut baseline = drills(0, &all([200; 5]), true);
    baseline
        .iter_mut()
        .for_each(|drill| drill.times.push((Metric::RollbackTime, rollback)));
    let mut head = drills(1, &all([200; 5]), true);
    for drill in &mut head {
        (drill.down, drill.exposed) = (false, true);
    }
    assert_eq!(compare(&baseline, &head).worst(), Some(Finding::Regression));
    head.iter_mut().for_each(|drill| drill.exposed = false);
    assert_eq!(compare(&baseline, &head).worst(), Some(Finding::Improvement));
}

#[test]
fn unexpected_ends_are_a_regression_by_the_same_rule() {
    let baseline = drills(0, &all([200; 5]), true);
    let mut head = drills(1, &all([200; 5]), true);
    head[0].as_expected = false;
    assert_eq!(
        compare(&baseline, &head).worst(),
        Some(Finding::NoDifference),
        "one may be chance"
    );
    head.iter_mut().for_each(|drill| drill.as_expected = false);
    let comparison = compare(&baseline, &head);
    assert_eq!(comparison.worst(), Some(Finding::Regression));
    assert_eq!(
        of(&comparison, Metric::Unexpected).unwrap().finding,
        Finding::Regression
    );
    assert_eq!(compare(&head, &baseline).worst(), Some(Finding::Improvement));
    let few = compare(&baseline[..4], &head[..4]);
    assert_eq!(few.worst(), Some(Finding::Inconclusive(Doubt::TooFew)));
}

proptest! {
    /// Whichever of the head's alerts are gone, they count: the side is never shorter than its drills, and to lose
    /// one more is never less of a regression.
    #[test]
    fn no_drill_is_dropped_for_a_missing_time(alerts in prop::array::uniform6(any::<bool>()), also in 0usize..6) {
        let mut fewer = alerts;
        fewer[also] = false;
        let (some, less) = (alerted(true, true, alerts), alerted(true, true, fewer));
        let row = |comparison: &Comparison| of(comparison, Metric::TimeToDetect).cloned().unwrap();
        prop_assert_eq!(row(&some).head.values.len(), 6);
        prop_assert!(row(&less).head.median >= row(&some).head.median);
        if row(&some).finding == Finding::Regression {
            prop_assert_eq!(row(&less).finding, Finding::Regression);
        }
    }

    #[test]
    fn the_sides_can_be_swapped(
        baseline in prop::collection::vec(prop::option::weighted(0.9, 0u64..2000), 5..9),
        head in prop::collection::vec(prop::option::weighted(0.9, 0u64..2000), 5..9),
    ) {
        let mirrored = match found(&baseline, &head, true) {
            Finding::Regression => Finding::Improvement,
            Finding::Improvement => Finding::Regression,
            same => same,
        };
        prop_assert_eq!(found(&head, &baseline, true), mirrored);
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
