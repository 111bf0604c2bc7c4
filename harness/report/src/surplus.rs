//! Services that name a release or a fallback of its own in each answer, as caches with a request id do, would fill a
//! report with thousands of rows.
//!
//! Takes what was measured, for reports that people read; gives the same with the first names, and one row for the rest.

use firedrill_judge::measure::{Measured, Release, Rung};

/// More releases, and more fallbacks of a journey, than this are one row.
const MOST_NAMES: usize = 24;

/// The same with at most so many releases and fallbacks, and a last one that stands for the rest.
pub(super) fn without_surplus(mut measured: Measured) -> Measured {
    let rest = split_off(&mut measured.releases);
    measured.releases.extend(rest.into_iter().reduce(together));
    for journey in &mut measured.journeys {
        let rest = split_off(&mut journey.rungs);
        let more = rest.len();
        let sum = rest.into_iter().reduce(|sum, rung| Rung {
            name: String::new(),
            answers: sum.answers + rung.answers,
            time: sum.time + rung.time,
        });
        journey.rungs.extend(sum.map(|sum| Rung {
            name: format!("({more} more)"),
            ..sum
        }));
    }
    measured
}

fn split_off<T>(names: &mut Vec<T>) -> Vec<T> {
    if names.len() > MOST_NAMES {
        names.split_off(MOST_NAMES)
    } else {
        Vec::new()
    }
}

/// Two releases as one row.
fn together(mut sum: Release, next: Release) -> Release {
    sum.name = "(others)".into();
    sum.answers = (sum.answers.0 + next.answers.0, sum.answers.1 + next.answers.1);
    sum.last = sum.last.max(next.last);
    sum.stretches.extend(next.stretches);
    sum
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use firedrill_judge::measure::measure;
    use firedrill_model::history::{History, made_up};
    use firedrill_model::sample::Micros;

    #[test]
    fn a_name_in_each_answer_fills_no_report() {
        let history = History {
            start: made_up("cache", &serde_json::json!([])),
            events: Vec::new(),
            samples: Vec::new(),
            load: Vec::new(),
            labels: vec![String::new()],
            torn: Vec::new(),
        };
        let release = |n: usize| Release {
            name: format!("v1+{n}"),
            answers: (1, 1),
            first: (Micros(0), Micros(1)),
            last: (Micros(0), Micros(1)),
            stretches: Vec::new(),
        };
        let mut measured = measure(&history);
        measured.releases = (0..4096).map(release).collect();
        let rung = |n: usize| Rung {
            name: format!("MISS ({n})"),
            answers: 2,
            time: Duration::ZERO,
        };
        let journey = |rungs| firedrill_judge::measure::Journey {
            name: "page".into(),
            essential: true,
            good: 0,
            fallback: 0,
            fallback_when_busy: 0,
            bad: Vec::new(),
            void: 0,
            reconnects: 0,
            outages: Vec::new(),
            downtime: firedrill_judge::measure::Bounds::ZERO,
            rungs,
            lane: Vec::new(),
            latency: firedrill_judge::measure::Latency::default(),
        };
        measured.journeys = vec![
            journey((0..100).map(rung).collect()),
            journey((0..3).map(rung).collect()),
        ];
        let shown = without_surplus(measured);
        assert_eq!(shown.releases.len(), MOST_NAMES + 1);
        let answers: usize = shown.releases.iter().map(|release| release.answers.0).sum();
        assert_eq!(answers, 4096, "none is left out of the count");
        let last = shown.journeys[0].rungs.last().unwrap();
        assert_eq!((last.name.as_str(), last.answers), ("(76 more)", 152));
        assert_eq!(shown.journeys[1].rungs.len(), 3);
    }
}
