//! The measuring rules, tested on simulated services whose true outages are known.

mod simulated;

use proptest::prelude::*;
use simulated::{
    DEADLINE, Line, MS, SECOND, Seen, Truth, World, any_chance, any_dark, any_lines, history, quick, sample,
    span,
};

use super::{Measured, measure};
use firedrill_model::history::{Event, Phase, Stamped};
use firedrill_model::sample::{Bad, Micros, Outcome, Sample, StreamId, Void};

/// Checks that the bounds of every outage contain the true outages that probes felt in it: their time, not that between
/// them.
fn contain_the_truth(measured: &Measured, truths: &[Truth], seen: &Seen) -> Result<(), TestCaseError> {
    for outage in &measured.outages {
        let inside = truths.iter().zip(&seen.felt).filter(|(truth, felt)| {
            **felt && truth.from < outage.hull.until.0 && truth.until > outage.hull.from.0
        });
        let inside: Vec<&Truth> = inside.map(|(truth, _)| truth).collect();
        let down: u64 = inside.iter().map(|truth| truth.until - truth.from).sum();
        // Where no answer came between two outages, nobody can tell them apart.
        let pairs = inside.iter().zip(inside.iter().skip(1));
        let hidden = pairs.filter(|(before, after)| !seen.between(before, after));
        let hidden: u64 = hidden.map(|(before, after)| after.from - before.until).sum();
        let from = inside.iter().map(|truth| truth.from).min();
        let until = inside.iter().map(|truth| truth.until).max();
        let (Some(from), Some(until)) = (from, until) else {
            prop_assert!(false, "there was no such outage: {outage:?}");
            return Ok(());
        };
        prop_assert!(
            outage.onset.contains(Micros(from)),
            "{from} began outside {outage:?}"
        );
        prop_assert!(
            outage.bounds().low <= span(down + hidden),
            "{down} with {hidden} unseen, not as long as {outage:?}"
        );
        if !outage.still_down {
            prop_assert!(
                outage.end.contains(Micros(until)),
                "{until} ended outside {outage:?}"
            );
            prop_assert!(
                outage.bounds().high >= Some(span(down)),
                "{down} is longer than {outage:?}"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_true_outage_lies_within_the_bounds(
        dark in any_dark(), from in 2 * SECOND..3 * SECOND, length in 5 * MS..6 * SECOND, lines in any_lines(),
        chance in any_chance(),
    ) {
        let truths = [Truth { from, until: from + length, dark }];
        let world = World { lines: &lines, truths: &truths, chance: &chance, gap: None, length: from + length + 4 * SECOND };
        let seen = world.play();
        let measured = measure(&seen.history);
        prop_assert!(measured.outages.len() <= 1, "{:?}", measured.outages);
        contain_the_truth(&measured, &truths, &seen)?;
        // An outage that is longer than two intervals and what the deadline hides is never missed.
        let rate = lines.iter().filter(|line| line.essential).map(|line| line.rate).max().unwrap_or(1);
        if length > 2 * SECOND / u64::from(rate) + DEADLINE + 210 * MS {
            prop_assert_eq!(measured.outages.len(), 1);
        }
    }

    #[test]
    fn the_true_outage_lies_within_the_bounds_when_the_prober_stalls(
        dark in any_dark(), from in 2 * SECOND..3 * SECOND, length in 50 * MS..4 * SECOND, lines in any_lines(),
        chance in any_chance(), gap in SECOND..5 * SECOND, stall in 100 * MS..2 * SECOND,
    ) {
        let truths = [Truth { from, until: from + length, dark }];
        let gap = Some((gap, gap + stall));
        let world = World { lines: &lines, truths: &truths, chance: &chance, gap, length: from + length + 6 * SECOND };
        let seen = world.play();
        let measured = measure(&seen.history);
        contain_the_truth(&measured, &truths, &seen)?;
        prop_assert!(measured.unknown >= span(stall), "a stall is unknown time");
    }

    #[test]
    fn outages_in_a_row_lie_within_the_bounds_joined_or_apart(
        darks in (any_dark(), any_dark(), any_dark()), lengths in prop::array::uniform3(prop_oneof![5 * MS..300 * MS, 5 * MS..2 * SECOND]),
        between in prop::array::uniform2(prop_oneof![MS..600 * MS, MS..3 * SECOND]), lines in any_lines(), chance in any_chance(),
    ) {
        // A probe sent during one outage and overtaken by later ones may hit the next outage only, and the rules take both
        // for one. Where outages are that near, no probe is overtaken here.
        let near = between.iter().any(|between| *between < 410 * MS);
        let chance = if near { quick(chance) } else { chance };
        let mut at = 2 * SECOND;
        let mut truths = Vec::new();
        for (i, dark) in [darks.0, darks.1, darks.2].into_iter().enumerate() {
            truths.push(Truth { from: at, until: at + lengths[i], dark });
            at += lengths[i] + between.get(i).copied().unwrap_or(0);
        }
        let world = World { lines: &lines, truths: &truths, chance: &chance, gap: None, length: at + 4 * SECOND };
        let seen = world.play();
        contain_the_truth(&measure(&seen.history), &truths, &seen)?;
    }

    #[test]
    fn an_outage_that_does_not_end_has_no_upper_bound(
        dark in any_dark(), from in 2 * SECOND..3 * SECOND, lines in any_lines(), chance in any_chance(),
    ) {
        let truths = [Truth { from, until: 100 * SECOND, dark }];
        let world = World { lines: &lines, truths: &truths, chance: &chance, gap: None, length: 8 * SECOND };
        let measured = measure(&world.play().history);
        let [outage] = &measured.outages[..] else {
            return Err(TestCaseError::fail(format!("{:?}", measured.outages)));
        };
        prop_assert!(outage.still_down && measured.downtime.high.is_none());
        prop_assert!(outage.onset.contains(Micros(from)));
        prop_assert!(measured.downtime.low <= span(8 * SECOND - from));
        prop_assert!(measured.downtime.low + span(SECOND) >= span(8 * SECOND - from - DEADLINE), "{outage:?}");
        prop_assert_eq!(measured.instants.recovered, None);
    }
}

const EVEN: Line = Line {
    essential: true,
    rate: 100,
    offset: 0,
};

/// A probe every 10 ms that takes 1 ms; bad where `bad` says so.
fn every_10_ms(length: u64, bad: impl Fn(u64) -> Option<Bad>) -> Vec<Sample> {
    let dues = (0..).map(|i| i * 10 * MS).take_while(|due| *due < length);
    dues.map(|due| sample(due, due, due + MS, bad(due).map_or(Outcome::Good, Outcome::Bad)))
        .collect()
}

fn of(samples: Vec<Sample>) -> Measured {
    measure(&history(&[EVEN], samples, Vec::new(), 10 * SECOND))
}

#[test]
fn a_run_is_bounded_by_the_formulas() {
    let measured = of(every_10_ms(10 * SECOND, |due| {
        (2 * SECOND..3 * SECOND).contains(&due).then_some(Bad::Refused)
    }));
    let outage = &measured.outages[0];
    // E = 2.001 (first bad ended), L = 2.990 (last bad sent), a = 1.990 (last good before), b = 3.001 (first good after).
    assert_eq!(
        (outage.onset.from, outage.onset.until),
        (Micros(1_990_000), Micros(2_001_000))
    );
    assert_eq!(
        (outage.end.from, outage.end.until),
        (Micros(2_990_000), Micros(3_001_000))
    );
    assert_eq!(outage.bounds().low, span(989 * MS));
    assert_eq!(outage.bounds().high, Some(span(1011 * MS)));
    assert_eq!(
        (outage.first_bad, outage.first_good),
        (Micros(2_000_000), Some(Micros(3_000_000)))
    );
}

#[test]
fn a_joined_episode_takes_each_edge_from_the_run_at_that_edge() {
    // Two pauses of 100 ms, half a second apart. The last probe before the first one and the first one after the second
    // were held up inside it: the whole episode's E and L would admit them, its first and last run's do not.
    let bad = |due| (due == 2 * SECOND || due == 2600 * MS).then_some(Bad::Timeout);
    let mut samples = every_10_ms(10 * SECOND, bad);
    for sample in &mut samples {
        if sample.due == Micros(1990 * MS) {
            sample.ended = Micros(2100 * MS);
        }
        if sample.outcome.is_bad() {
            sample.ended = Micros(sample.due.0 + SECOND);
        }
    }
    let outage = &of(samples).outages[0];
    assert_eq!(
        outage.onset.from,
        Micros(1980 * MS),
        "the probe of 1.990 proves nothing before 2.000"
    );
    assert_eq!(
        outage.end.until,
        Micros(2861 * MS),
        "no probe sent before 2.850 lay wholly inside"
    );
}

#[test]
fn joining_runs_to_an_episode_adds_no_downtime() {
    // Two kills of 0.82 s, 1.2 s apart, seen by 5 probes a second.
    let kills = [(2 * SECOND, 2820 * MS), (4020 * MS, 4840 * MS)];
    let dues = (0..).map(|i| i * 200 * MS).take_while(|due| *due < 10 * SECOND);
    let samples = dues.map(|due| {
        let dark = kills.iter().any(|(from, until)| (*from..*until).contains(&due));
        let outcome = if dark {
            Outcome::Bad(Bad::Refused)
        } else {
            Outcome::Good
        };
        sample(due, due, due + MS, outcome)
    });
    let line = Line {
        essential: true,
        rate: 5,
        offset: 0,
    };
    let measured = measure(&history(&[line], samples.collect(), Vec::new(), 10 * SECOND));
    let [episode] = &measured.outages[..] else {
        panic!("one incident, one episode: {:?}", measured.outages)
    };
    assert_eq!(episode.runs.len(), 2);
    assert!(
        episode.bounds().contains(span(1640 * MS)),
        "{:?}",
        episode.bounds()
    );
    assert!(
        episode.bounds().high < Some(span(2400 * MS)),
        "{:?}",
        episode.bounds()
    );
    assert_eq!(measured.downtime, episode.bounds());
    assert!(
        episode.hull.length() > span(2840 * MS),
        "it is shown from the first kill to the end of the second: {:?}",
        episode.hull
    );
}

#[test]
fn runs_join_when_fewer_than_ten_good_samples_or_less_than_a_second_lie_between() {
    let two = |second: u64| {
        let bad = move |due: u64| {
            let in_one = (2 * SECOND..2100 * MS).contains(&due) || (second..second + 100 * MS).contains(&due);
            in_one.then_some(Bad::Status)
        };
        of(every_10_ms(10 * SECOND, bad)).outages.len()
    };
    assert_eq!(two(2100 * MS + 990 * MS), 1, "99 good samples in 0.99 s");
    assert_eq!(two(2100 * MS + SECOND), 2, "100 good samples in 1 s");
    let sparse = |good: u64| {
        let samples = (0..100).map(|i| {
            let bad = i == 20 || i == 21 || i == 22 + good || i == 23 + good;
            let outcome = if bad {
                Outcome::Bad(Bad::Status)
            } else {
                Outcome::Good
            };
            sample(i * SECOND / 2, i * SECOND / 2, i * SECOND / 2 + MS, outcome)
        });
        let line = Line {
            essential: true,
            rate: 2,
            offset: 0,
        };
        measure(&history(&[line], samples.collect(), Vec::new(), 50 * SECOND))
            .outages
            .len()
    };
    assert_eq!((sparse(9), sparse(10)), (1, 2), "nine and ten good samples");
}

#[test]
fn a_single_bad_sample_is_a_blip_unless_another_one_confirms_it_within_a_second() {
    let with = |other: Option<u64>| {
        let lines = [
            EVEN,
            Line {
                essential: false,
                ..EVEN
            },
        ];
        let mut samples = every_10_ms(10 * SECOND, |due| (due == 5 * SECOND).then_some(Bad::Reset));
        let second = every_10_ms(10 * SECOND, |due| (Some(due) == other).then_some(Bad::Reset));
        samples.extend(second.into_iter().map(|sample| Sample {
            stream: StreamId(1),
            ..sample
        }));
        let measured = measure(&history(&lines, samples, Vec::new(), 10 * SECOND));
        (measured.outages.len(), measured.blips.len())
    };
    assert_eq!(with(None), (0, 1));
    assert_eq!(with(Some(6 * SECOND)), (1, 0), "another stream's, a second later");
    assert_eq!(with(Some(6010 * MS)), (0, 2), "too late to confirm it");
}

#[test]
fn the_service_is_down_when_an_essential_journey_is() {
    let lines = [
        EVEN,
        EVEN,
        Line {
            essential: false,
            ..EVEN
        },
    ];
    let of_stream = |stream: u16, from: u64, until: u64| {
        let samples = every_10_ms(10 * SECOND, move |due| {
            (from..until).contains(&due).then_some(Bad::Refused)
        });
        samples.into_iter().map(move |sample| Sample {
            stream: StreamId(stream),
            ..sample
        })
    };
    let samples = of_stream(0, 2 * SECOND, 3 * SECOND)
        .chain(of_stream(1, 2500 * MS, 4 * SECOND))
        .chain(of_stream(2, 6 * SECOND, 8 * SECOND));
    let measured = measure(&history(&lines, samples.collect(), Vec::new(), 10 * SECOND));
    assert_eq!(measured.outages.len(), 1);
    assert!(
        measured.downtime.contains(span(2 * SECOND)),
        "{:?}",
        measured.downtime
    );
    assert_eq!(measured.downtime.high, Some(span(2011 * MS)));
    assert!(
        measured.journeys[2].downtime.contains(span(2 * SECOND)),
        "it is reported apart"
    );
}

#[test]
fn streams_are_identified_by_their_number_not_by_the_order_of_events() {
    let lines = [
        EVEN,
        Line {
            essential: false,
            ..EVEN
        },
    ];
    let bad = every_10_ms(10 * SECOND, |due| {
        (2 * SECOND..3 * SECOND).contains(&due).then_some(Bad::Refused)
    });
    let mut history = history(&lines, bad, Vec::new(), 10 * SECOND);
    history.events.swap(1, 2);
    let measured = measure(&history);
    assert_eq!(
        (measured.outages.len(), measured.journeys[0].outages.len()),
        (1, 1)
    );
    assert_eq!(measured.journeys[1].outages.len(), 0);
}

#[test]
fn a_failure_before_the_first_step_is_not_judged() {
    let samples = every_10_ms(10 * SECOND, |due| {
        (SECOND..2 * SECOND).contains(&due).then_some(Bad::Refused)
    });
    let mut history = history(&[EVEN], samples, Vec::new(), 10 * SECOND);
    for event in &mut history.events {
        if matches!(event.event, Event::Phase { phase: Phase::Steps }) {
            event.at = Micros(4 * SECOND);
        }
    }
    let measured = measure(&history);
    assert_eq!(
        (measured.outages.len(), measured.journeys[0].outages.len()),
        (0, 0)
    );
    assert_eq!(measured.downtime, crate::measure::Bounds::ZERO);
}

#[test]
fn unknown_time_widens_availability_on_both_sides() {
    let gap = Stamped {
        at: Micros(9 * SECOND),
        event: Event::Gap {
            since: Micros(8 * SECOND),
            until: Micros(9 * SECOND),
        },
    };
    let samples = every_10_ms(10 * SECOND, |due| {
        (2 * SECOND..3 * SECOND).contains(&due).then_some(Bad::Refused)
    });
    let samples = samples
        .into_iter()
        .filter(|sample| !(8 * SECOND..9 * SECOND).contains(&sample.due.0));
    let measured = measure(&history(&[EVEN], samples.collect(), vec![gap], 10 * SECOND));
    assert_eq!(measured.unknown, span(SECOND));
    // 1 − (1.011 + 1)/10 and 1 − 0.989/9.
    let (low, high) = measured.availability;
    assert!(
        (low - 0.7989).abs() < 1e-9 && (high - (1.0 - 0.989 / 9.0)).abs() < 1e-9,
        "{low} {high}"
    );
}

#[test]
fn a_void_probe_of_a_journey_that_is_not_essential_leaves_no_unknown_time() {
    let lines = [
        EVEN,
        Line {
            essential: false,
            ..EVEN
        },
    ];
    let mut samples = every_10_ms(10 * SECOND, |_| None);
    samples.push(Sample {
        stream: StreamId(1),
        ..sample(5 * SECOND, 5 * SECOND, 5 * SECOND, Outcome::Void(Void::Ports))
    });
    let measured = measure(&history(&lines, samples, Vec::new(), 10 * SECOND));
    assert_eq!(measured.unknown, span(0));
}

#[test]
fn only_a_stall_of_over_100_ms_makes_a_near_edge_doubtful() {
    let near = |since: u64, until: u64| {
        let gap = Stamped {
            at: Micros(until),
            event: Event::Gap {
                since: Micros(since),
                until: Micros(until),
            },
        };
        let samples = every_10_ms(20 * SECOND, |due| {
            (2 * SECOND..3 * SECOND).contains(&due).then_some(Bad::Refused)
        });
        measure(&history(&[EVEN], samples, vec![gap], 20 * SECOND))
            .prober
            .gap_near_edge
    };
    assert!(near(7 * SECOND, 7 * SECOND + 101 * MS), "4 s after the end");
    assert!(!near(7 * SECOND, 7 * SECOND + 100 * MS), "not longer than 100 ms");
    assert!(!near(9 * SECOND, 10 * SECOND), "more than 5 s away from any edge");
}

#[test]
fn the_time_between_two_instants_has_the_bounds_of_both() {
    let alert = Stamped {
        at: Micros(2500 * MS),
        event: Event::Alert {
            kind: "down".into(),
            answered: 200,
            body: String::new(),
        },
    };
    let samples = every_10_ms(10 * SECOND, |due| {
        (2 * SECOND..3 * SECOND).contains(&due).then_some(Bad::Refused)
    });
    let instants = measure(&history(&[EVEN], samples, vec![alert], 10 * SECOND)).instants;
    let detect = instants.time_to_detect.unwrap();
    assert_eq!((detect.low, detect.high), (span(499 * MS), Some(span(510 * MS))));
    let recover = instants.time_to_recover.unwrap();
    assert_eq!(
        (recover.low, recover.high),
        (span(989 * MS), Some(span(1011 * MS)))
    );
}
