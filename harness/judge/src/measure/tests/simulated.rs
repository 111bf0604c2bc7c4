//! A simulated service that fails at known instants, and a simulated prober that follows the rules of the real one.

use std::time::Duration;

use proptest::prelude::*;

use firedrill_model::history::{Event, History, Phase, Stamped, made_up};
use firedrill_model::sample::{Bad, Label, Micros, Mode, Outcome, Sample, StreamId, Void};

pub(super) const MS: u64 = 1000;
pub(super) const SECOND: u64 = 1000 * MS;
/// The deadline of every journey here.
pub(super) const DEADLINE: u64 = 250 * MS;
/// The timeout of every journey here.
pub(super) const TIMEOUT: u64 = SECOND;

/// How the service fails during an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dark {
    /// It refuses connections; requests under way are answered.
    Refuse,
    /// Its process is killed: requests under way break, new connections are refused.
    Kill,
    /// It takes requests and never answers them.
    Stall,
    /// It is paused; once resumed, it answers the requests that waited.
    Pause,
    /// It answers 500.
    Broken,
}

/// A true outage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Truth {
    pub(super) from: u64,
    pub(super) until: u64,
    pub(super) dark: Dark,
}

/// A stream of the simulated prober.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) essential: bool,
    pub(super) rate: u32,
    pub(super) offset: u64,
}

/// The random delays of one probe; used in turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chance {
    /// From due to sent.
    late: u64,
    /// From sent to its arrival at the service.
    there: u64,
    /// From the answer to its arrival at the prober.
    back: u64,
}

pub(super) fn any_chance() -> impl Strategy<Value = Vec<Chance>> {
    let slow = prop_oneof![8 => 50..2 * MS, 2 => 2 * MS..20 * MS, 1 => 20 * MS..200 * MS];
    let one = (0..3 * MS, slow, 50..2 * MS).prop_map(|(late, there, back)| Chance { late, there, back });
    prop::collection::vec(one, 7..60)
}

/// The same with short delays, so that no probe is overtaken by a later one.
pub(super) fn quick(chance: Vec<Chance>) -> Vec<Chance> {
    let one = |chance: Chance| Chance {
        there: chance.there.min(2 * MS),
        ..chance
    };
    chance.into_iter().map(one).collect()
}

pub(super) fn any_dark() -> impl Strategy<Value = Dark> {
    prop_oneof![
        Just(Dark::Refuse),
        Just(Dark::Kill),
        Just(Dark::Stall),
        Just(Dark::Pause),
        Just(Dark::Broken)
    ]
}

/// One to three streams of 2 to 200 probes a second; the first is essential.
pub(super) fn any_lines() -> impl Strategy<Value = Vec<Line>> {
    let line = (
        prop::sample::select(vec![2u32, 5, 20, 100, 200]),
        0..100 * MS,
        any::<bool>(),
    );
    let line = line.prop_map(|(rate, offset, essential)| Line {
        essential,
        rate,
        offset,
    });
    prop::collection::vec(line, 1..4).prop_map(|mut lines| {
        lines[0].essential = true;
        lines
    })
}

/// A whole experiment.
#[derive(Debug)]
pub(super) struct World<'w> {
    pub(super) lines: &'w [Line],
    pub(super) truths: &'w [Truth],
    pub(super) chance: &'w [Chance],
    /// When the prober stalls.
    pub(super) gap: Option<(u64, u64)>,
    /// From the first probe to the last.
    pub(super) length: u64,
}

/// The resulting history, and which outages made a probe of an essential journey fail.
pub(super) struct Seen {
    pub(super) history: History,
    pub(super) felt: Vec<bool>,
}

impl Seen {
    /// Whether every essential stream had a good answer between two outages, so that it can tell them apart.
    pub(super) fn between(&self, before: &Truth, after: &Truth) -> bool {
        let journeys = &self.history.start.plan.system.journeys;
        let essential = (0u16..).zip(journeys).filter(|(_, journey)| journey.essential);
        let mut streams = essential.map(|(at, _)| StreamId(at));
        streams.all(|stream| {
            let mut samples = self.history.samples.iter();
            samples.any(|sample| {
                let after_the_first = sample.sent.0 > before.from && sample.ended.0 > before.until;
                let in_time = sample.sent.0 < after.from;
                sample.stream == stream && sample.outcome.is_up() && after_the_first && in_time
            })
        })
    }
}

impl World<'_> {
    pub(super) fn play(&self) -> Seen {
        let mut felt = vec![false; self.truths.len()];
        let mut samples = Vec::new();
        for (at, line) in (0u16..).zip(self.lines) {
            let interval = SECOND / u64::from(line.rate);
            let dues = (0..).map(|i| line.offset + i * interval);
            for (i, due) in dues.take_while(|due| *due < self.length).enumerate() {
                let chance = self.chance[(i * 7 + usize::from(at)) % self.chance.len()];
                let (sample, by) = self.probe(due, chance);
                if let (Some(by), true) = (by, line.essential && sample.outcome.is_bad()) {
                    felt[by] = true;
                }
                samples.push(Sample {
                    stream: StreamId(at),
                    ..sample
                });
            }
        }
        samples.sort_by_key(|sample| sample.ended);
        let mut events = Vec::new();
        events.extend(self.gap.map(|(from, until)| Stamped {
            at: Micros(until),
            event: Event::Gap {
                since: Micros(from),
                until: Micros(until),
            },
        }));
        Seen {
            history: history(self.lines, samples, events, self.length),
            felt,
        }
    }

    /// After a stall of the prober, everything that was due during it happens at once.
    fn after_stall(&self, at: u64) -> u64 {
        match self.gap {
            Some((from, until)) if from <= at && at < until => until,
            _ => at,
        }
    }

    fn dark_at(&self, at: u64) -> Option<usize> {
        self.truths
            .iter()
            .position(|truth| truth.from <= at && at < truth.until)
    }

    /// One probe, and which outage decided it.
    fn probe(&self, due: u64, chance: Chance) -> (Sample, Option<usize>) {
        let sent = self.after_stall(due + chance.late);
        if sent - due > DEADLINE / 2 {
            return (sample(due, sent, sent, Outcome::Void(Void::SentLate)), None);
        }
        let (ended, outcome, by) = self.exchange(sent, chance);
        let (ended, outcome) = match ended - sent {
            took if took >= TIMEOUT => (sent + TIMEOUT, Outcome::Bad(Bad::Timeout)),
            _ => (ended, outcome),
        };
        let ended = self.after_stall(ended);
        let outcome = match outcome {
            Outcome::Good if ended - sent > DEADLINE => Outcome::Bad(Bad::Late),
            other => other,
        };
        let disturbed = self.gap.is_some_and(|(from, until)| sent < until && from < ended);
        let outcome = match outcome {
            Outcome::Bad(Bad::Late | Bad::Timeout) if disturbed => Outcome::Void(Void::StoodStill),
            other => other,
        };
        (sample(due, sent, ended, outcome), by)
    }

    /// When the exchange would end, how, and which outage decided it.
    fn exchange(&self, sent: u64, chance: Chance) -> (u64, Outcome, Option<usize>) {
        let arrives = sent + chance.there;
        let good = (arrives + chance.back, Outcome::Good, None);
        let Some(by) = self.dark_at(arrives).or_else(|| self.dark_at(sent)) else {
            // The process is killed before it has answered.
            let under_way = |truth: &Truth| {
                matches!(truth.dark, Dark::Kill) && sent < truth.from && truth.from < arrives + chance.back
            };
            return self.truths.iter().position(under_way).map_or(good, |by| {
                (
                    self.truths[by].from + chance.back,
                    Outcome::Bad(Bad::Reset),
                    Some(by),
                )
            });
        };
        let truth = self.truths[by];
        let dark_there = truth.from <= arrives && arrives < truth.until;
        match truth.dark {
            Dark::Refuse | Dark::Kill if truth.from <= sent && sent < truth.until => {
                (sent + chance.back, Outcome::Bad(Bad::Refused), Some(by))
            }
            Dark::Kill => (arrives + chance.back, Outcome::Bad(Bad::Reset), Some(by)),
            Dark::Stall if dark_there => (sent + TIMEOUT, Outcome::Bad(Bad::Timeout), Some(by)),
            Dark::Pause if dark_there => (truth.until + chance.back, Outcome::Good, Some(by)),
            Dark::Broken if dark_there => (arrives + chance.back, Outcome::Bad(Bad::Status), Some(by)),
            _ => good,
        }
    }
}

pub(super) fn sample(due: u64, sent: u64, ended: u64, outcome: Outcome) -> Sample {
    Sample {
        stream: StreamId(0),
        due: Micros(due),
        sent: Micros(sent),
        first: Micros(ended),
        ended: Micros(ended),
        outcome,
        status: 0,
        release: Label::NONE,
        rung: Label::NONE,
        reconnected: false,
    }
}

/// A history of these samples; all of its time is judged.
pub(super) fn history(lines: &[Line], samples: Vec<Sample>, between: Vec<Stamped>, length: u64) -> History {
    let name = |at: usize| format!("journey-{at}");
    let journeys: Vec<_> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| {
            serde_json::json!({
                "name": name(at), "essential": line.essential, "rate": format!("{}/s", line.rate),
                "request": { "path": "/" }, "answer": { "status": 200 },
            })
        })
        .collect();
    let start = made_up("simulated", &journeys.into());
    let at = |at: u64, event: Event| Stamped {
        at: Micros(at),
        event,
    };
    let mut events = vec![at(0, Event::Start(Box::new(start.clone())))];
    for (id, line) in (0u16..).zip(lines) {
        let (journey, rate) = (name(usize::from(id)), f64::from(line.rate));
        events.push(at(
            0,
            Event::Stream {
                stream: StreamId(id),
                journey,
                mode: Mode::New,
                rate,
            },
        ));
    }
    events.push(at(0, Event::Phase { phase: Phase::Steps }));
    events.extend(between);
    events.push(at(
        length,
        Event::Phase {
            phase: Phase::ReadBack,
        },
    ));
    events.push(at(
        length,
        Event::End {
            interrupted: false,
            error: None,
        },
    ));
    History {
        start,
        events,
        samples,
        load: Vec::new(),
        labels: vec![String::new()],
        torn: Vec::new(),
    }
}

pub(super) fn span(micros: u64) -> Duration {
    Duration::from_micros(micros)
}
