//! A made-up drill for tests of judging: one journey, `page`, probed 100 times a second for ten seconds.

use serde_json::{Value, json};

use firedrill_model::history::{Event, History, Phase, Stamped, made_up};
use firedrill_model::sample::{Bad, Label, Micros, Mode, Outcome, Sample, StreamId};

pub(crate) const MS: u64 = 1000;
pub(crate) const SECOND: u64 = 1000 * MS;
/// How long the drill is.
pub(crate) const LENGTH: u64 = 10 * SECOND;

/// A drill that ran to its end, with these expectations; its probes are bad where `bad` says so of their due time.
pub(crate) fn drill(expect: Value, bad: impl Fn(u64) -> Option<Bad>) -> History {
    let journeys = json!([
        { "name": "page", "rate": "100/s", "request": { "path": "/" }, "answer": { "status": 200 } },
    ]);
    let mut start = made_up("drill", &journeys);
    start.plan.scenario.expect = serde_json::from_value(expect).unwrap();
    let stream = Event::Stream {
        stream: StreamId(0),
        journey: "page".into(),
        mode: Mode::New,
        rate: 100.0,
    };
    let steady = Event::Steady {
        good: true,
        evidence: "every journey good".into(),
    };
    let end = Event::End {
        interrupted: false,
        error: None,
    };
    let events = [
        (0, stream),
        (0, steady),
        (0, Event::Phase { phase: Phase::Steps }),
        (SECOND, Event::Phase { phase: Phase::Quiet }),
        (
            LENGTH,
            Event::Phase {
                phase: Phase::ReadBack,
            },
        ),
        (LENGTH, Event::Phase { phase: Phase::Done }),
        (LENGTH, end),
    ];
    let dues = (0..).map(|i| i * 10 * MS).take_while(|due| *due < LENGTH);
    History {
        start,
        events: events.into_iter().map(|(at, event)| stamped(at, event)).collect(),
        samples: dues.map(|due| sample(due, bad(due))).collect(),
        load: Vec::new(),
        labels: vec![String::new()],
        torn: Vec::new(),
    }
}

/// An event at a time, in microseconds.
pub(crate) fn stamped(at: u64, event: Event) -> Stamped {
    let at = Micros(at);
    Stamped { at, event }
}

/// A probe that was answered after a millisecond.
pub(crate) fn sample(due: u64, bad: Option<Bad>) -> Sample {
    Sample {
        stream: StreamId(0),
        due: Micros(due),
        sent: Micros(due),
        first: Micros(due + MS),
        ended: Micros(due + MS),
        outcome: bad.map_or(Outcome::Good, Outcome::Bad),
        status: 0,
        release: Label::NONE,
        rung: Label::NONE,
        reconnected: false,
    }
}
