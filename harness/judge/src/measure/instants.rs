//! The instants of a drill: injected → onset → first fallback → detected → rolled back → recovered.

use std::time::Duration;

use serde::Serialize;

use super::interval::{Bounds, Interval};
use super::outage::Outage;
use super::releases::Release;
use super::streams::Streams;
use firedrill_model::history::{Event, History};
use firedrill_model::sample::{Micros, Outcome, Sample};

/// The instants of a drill, and the times between them.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Instants {
    /// The first fault was confirmed.
    pub injected: Option<Micros>,
    /// The first outage began in this interval, (a, E].
    pub onset: Option<Interval>,
    /// The first answer by a fallback was sent.
    pub first_fallback: Option<Micros>,
    /// The first alert arrived and its receiver accepted it.
    pub detected: Option<Micros>,
    /// The last outage ended in this interval, [L, b).
    pub recovered: Option<Interval>,
    /// Detected − origin.
    pub time_to_detect: Option<Bounds>,
    /// Recovered − onset.
    pub time_to_recover: Option<Bounds>,
    /// What the time to detect counts from: the onset; without an outage, the bad release's first answer; without either,
    /// the first fault.
    pub origin: Option<Interval>,
    /// The rollback to an earlier release, if there was one.
    pub rollback: Option<RolledBack>,
}

/// A rollback: answers came from one release, then from another, and in the end from the first one again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RolledBack {
    /// The bad release, which was left.
    pub from: String,
    /// The release that answers in the end.
    pub to: String,
    /// The bad release's first answer: it was live at some instant in here. `None`: users never had an answer from it, and
    /// only the deploy and the alert show that it was there.
    pub seen: Option<Interval>,
    /// The rollback was decided in here: not before that first answer, and not after the switch or the arrival of the alert
    /// that reports it. `None`: no such alert came.
    pub decided: Option<Interval>,
    /// The bad release was left in here: from the sending of its last answer to the arrival of the first later answer of the
    /// other release, on a stream that both answered.
    pub switched: Option<Interval>,
    /// The time to roll back: switched − seen.
    pub time: Bounds,
    /// From the decision to the switch: switched − decided.
    pub after_decision: Option<Bounds>,
}

/// The kind of the alert that reports a rollback: what systems send to the drill's receiver in the field `kind`.
const ROLLED_BACK: &str = "rolled-back";
/// This many later answers of the other release, with none of the bad one, are a rollback. Fewer may be single requests that
/// the other release answered in its place.
const CONFIRMING: usize = 10;

pub(super) fn instants(
    history: &History,
    streams: &Streams<'_>,
    outages: &[Outage],
    releases: &[Release],
) -> Instants {
    let event = |wanted: fn(&Event) -> bool| history.events.iter().find(|e| wanted(&e.event)).map(|e| e.at);
    let injecting = history.first_fault();
    let injected = event(|event| {
        matches!(
            event,
            Event::Injected {
                evidence: Some(_),
                ..
            }
        )
    });
    // A receiver that refuses an alert informs nobody, and an alert from before the first fault is about something else.
    let is_alert = |event: &Event| matches!(event, Event::Alert { answered, .. } if *answered < 400);
    let detected = history
        .events
        .iter()
        .find(|stamped| is_alert(&stamped.event) && injecting.is_none_or(|first| stamped.at >= first))
        .map(|stamped| stamped.at);
    // Of the first outage the onset, of the last one the end: between them the service may have been up.
    let onset = outages.first().map(|outage| outage.onset);
    let recovered = outages
        .last()
        .filter(|outage| !outage.still_down)
        .map(|outage| outage.end);
    let rollback = rollback(history, streams, releases);
    let faulted = || {
        Some(Interval {
            from: injecting?,
            until: injected.or(injecting)?,
        })
    };
    let origin = onset
        .or_else(|| rollback.as_ref().and_then(|rollback| rollback.seen))
        .or_else(faulted);
    let first_fallback = streams
        .all()
        .flat_map(|s| streams.judged(s))
        .filter(|s| s.outcome == Outcome::Fallback);
    Instants {
        time_to_detect: detected
            .zip(origin)
            .map(|(at, origin)| span(origin, Interval { from: at, until: at })),
        time_to_recover: onset
            .zip(recovered)
            .map(|(onset, recovered)| span(onset, recovered)),
        first_fallback: first_fallback.map(|sample| sample.sent).min(),
        rollback,
        origin,
        injected,
        onset,
        detected,
        recovered,
    }
}

/// The bounds of the time from some instant of one interval to some instant of another.
fn span(start: Interval, end: Interval) -> Bounds {
    Bounds::between(end.from.since(start.until), end.until.since(start.from))
}

fn rollback(history: &History, streams: &Streams<'_>, releases: &[Release]) -> Option<RolledBack> {
    let pairs = releases
        .iter()
        .flat_map(|to| releases.iter().map(move |from| (to, from)));
    // Named `to` first and last, `from` in between.
    pairs
        .filter(|(to, from)| to.name != from.name && to.first.0 < from.first.0 && to.last.0 > from.last.0)
        .find_map(|(to, from)| by_answers(history, streams, to, from))
        .or_else(|| by_alert(history, releases))
}

/// A rollback that users saw: `to` answered, then `from`, and after the last answer of `from` only `to` again.
fn by_answers(history: &History, streams: &Streams<'_>, to: &Release, from: &Release) -> Option<RolledBack> {
    let by = |sample: &Sample, release: &Release| {
        history.label(sample.release) == Some(release.name.as_str()) && sample.outcome.is_up()
    };
    let back = |stream: usize| {
        streams
            .samples(stream)
            .filter(move |sample| sample.sent > from.last.0 && by(sample, to))
    };
    // Too few answers may be retries that another release took over.
    if streams.all().flat_map(back).count() < CONFIRMING {
        return None;
    }
    // While the bad release is live, the system may have the other one answer for it where it fails. So an answer of the
    // other one shows the switch only on a stream that the bad release answered itself.
    let answered = streams
        .all()
        .filter(|stream| streams.samples(*stream).any(|sample| by(sample, from)));
    let first = |samples: &mut dyn Iterator<Item = &Sample>| samples.map(|sample| sample.ended).min();
    let until = first(&mut answered.flat_map(back)).or_else(|| first(&mut streams.all().flat_map(back)))?;
    let seen = Interval {
        from: from.first.0,
        until: from.first.1,
    };
    let switched = Interval {
        from: from.last.0,
        until,
    };
    let decided = reported(history, seen.from).map(|reported| Interval {
        from: seen.from,
        until: reported.min(until),
    });
    Some(RolledBack {
        from: from.name.clone(),
        to: to.name.clone(),
        time: span(seen, switched),
        after_decision: decided.map(|decided| span(decided, switched)),
        seen: Some(seen),
        decided,
        switched: Some(switched),
    })
}

/// A rollback that users did not see, as the system never showed them the bad release: its deploy was accepted, and an
/// alert reports the rollback.
fn by_alert(history: &History, releases: &[Release]) -> Option<RolledBack> {
    let deployed = history.events.iter().find_map(|event| match &event.event {
        Event::Deploy {
            release,
            accepted: true,
            ..
        } => Some(release),
        _ => None,
    })?;
    let asked = history
        .events
        .iter()
        .find(|event| matches!(&event.event, Event::Injecting { fault, .. } if fault.is_deploy()))?
        .at;
    let reported = reported(history, asked)?;
    let last = releases.iter().max_by_key(|release| release.last)?;
    // Had users seen it, only answers could show that it was left.
    let answered = releases.iter().any(|release| release.name == *deployed);
    (!answered).then(|| RolledBack {
        from: deployed.clone(),
        to: last.name.clone(),
        seen: None,
        decided: Some(Interval {
            from: asked,
            until: reported,
        }),
        switched: None,
        time: Bounds::between(Duration::ZERO, reported.since(asked)),
        after_decision: None,
    })
}

/// When the alert arrived that reports a rollback.
fn reported(history: &History, after: Micros) -> Option<Micros> {
    let alert = history.events.iter().find(
        |event| matches!(&event.event, Event::Alert { kind, .. } if kind == ROLLED_BACK && event.at >= after),
    );
    alert.map(|event| event.at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::measure;
    use super::*;
    use firedrill_model::history::{Phase, Stamped, Start};
    use firedrill_model::sample::{Label, Mode, StreamId};

    const MS: u64 = 1000;
    const V1: Label = Label(1);
    const V2: Label = Label(2);

    fn start() -> Start {
        let resolve = serde_json::json!([
            { "name": "resolve", "rate": "100/s", "request": { "path": "/" }, "answer": { "status": 200 } },
        ]);
        firedrill_model::history::made_up("deploy", &resolve)
    }

    fn sample(sent: u64, ended: u64, release: Label) -> Sample {
        Sample {
            stream: StreamId(0),
            due: Micros(sent),
            sent: Micros(sent),
            first: Micros(ended),
            ended: Micros(ended),
            outcome: Outcome::Good,
            status: 200,
            release,
            rung: Label::NONE,
            reconnected: false,
        }
    }

    fn history(samples: Vec<Sample>, events: Vec<(u64, Event)>) -> History {
        let end = samples
            .iter()
            .map(|sample| sample.ended.0)
            .max()
            .unwrap_or_default()
            + MS;
        let stream = Event::Stream {
            stream: StreamId(0),
            journey: "resolve".into(),
            mode: Mode::New,
            rate: 100.0,
        };
        let mut all = vec![(0, stream), (0, Event::Phase { phase: Phase::Steps })];
        all.extend(events);
        all.push((
            end,
            Event::Phase {
                phase: Phase::ReadBack,
            },
        ));
        let stamped = |(at, event)| Stamped {
            at: Micros(at),
            event,
        };
        History {
            start: start(),
            events: all.into_iter().map(stamped).collect(),
            samples,
            load: Vec::new(),
            labels: vec![String::new(), "v1".into(), "v2".into()],
            torn: Vec::new(),
        }
    }

    fn alert(kind: &str, answered: u16) -> Event {
        let (kind, body) = (kind.to_owned(), String::new());
        Event::Alert { kind, answered, body }
    }

    fn deploy_asked() -> Event {
        Event::Injecting {
            step: 0,
            fault: "deploy".into(),
            what: "deploy v2".into(),
        }
    }

    proptest! {
        /// The release is live between two instants; each answer comes from whichever is live at some instant of it.
        #[test]
        fn the_true_time_to_roll_back_lies_in_its_bounds(
            live in 200u64..400,
            lasting in 100u64..400,
            decided in 0u64..100,
            took in prop::collection::vec((0u64..20, 0u64..=100), 100),
        ) {
            let (from, until) = (live * MS, (live + lasting) * MS);
            let samples: Vec<Sample> = took
                .iter()
                .zip(0u64..)
                .map(|((took, when), i)| {
                    let (sent, ended) = (i * 10 * MS, i * 10 * MS + took * MS);
                    let at = sent + (ended - sent) * when / 100;
                    sample(sent, ended, if (from..until).contains(&at) { V2 } else { V1 })
                })
                .collect();
            let first = samples.iter().find(|sample| sample.release == V2).unwrap();
            let reported = until - decided * MS + 5 * MS;
            let measured = measure(&history(samples.clone(), vec![(reported, alert(ROLLED_BACK, 200))]));
            let found = measured.instants.rollback.unwrap();
            let seen = found.seen.unwrap();
            prop_assert_eq!(seen, Interval { from: first.sent, until: first.ended });
            let switched = found.switched.unwrap();
            prop_assert!(switched.contains(Micros(until)), "{:?} {}", switched, until);
            // The bad release was live from some instant of its first answer on.
            let longest = Micros(until).since(seen.from.max(Micros(from)));
            let shortest = Micros(until).since(seen.until);
            prop_assert!(found.time.high.unwrap() >= longest && found.time.low <= shortest.max(found.time.low));
            prop_assert!(found.time.low <= longest);
            let true_decision = Duration::from_millis(decided);
            prop_assert!(found.after_decision.unwrap().high.unwrap() >= true_decision.min(longest));
        }
    }

    /// Every 10 ms an answer, by the release of that time.
    fn answers(of: impl Fn(u64) -> Label) -> Vec<Sample> {
        (0..100)
            .map(|i| sample(i * 10 * MS, i * 10 * MS + MS, of(i)))
            .collect()
    }

    #[test]
    fn single_answers_of_the_other_release_are_no_rollback() {
        let samples = answers(|i| if i < 30 || i == 60 || i == 99 { V1 } else { V2 });
        assert_eq!(measure(&history(samples, vec![])).instants.rollback, None);
    }

    #[test]
    fn a_release_that_no_user_saw_was_left_by_the_time_of_the_alert() {
        let deployed = Event::Deploy {
            release: "v2".into(),
            accepted: true,
            detail: String::new(),
        };
        let events = vec![
            (100 * MS, deploy_asked()),
            (150 * MS, deployed),
            (300 * MS, alert(ROLLED_BACK, 200)),
        ];
        let found = measure(&history(answers(|_| V1), events))
            .instants
            .rollback
            .unwrap();
        assert_eq!(
            (found.from.as_str(), found.to.as_str(), found.seen),
            ("v2", "v1", None)
        );
        assert_eq!(
            found.time,
            Bounds::between(Duration::ZERO, Duration::from_millis(200))
        );
    }

    #[test]
    fn a_refused_deploy_is_no_rollback() {
        let deployed = Event::Deploy {
            release: "v2".into(),
            accepted: false,
            detail: String::new(),
        };
        let events = vec![
            (100 * MS, deploy_asked()),
            (150 * MS, deployed),
            (300 * MS, alert("rejected", 200)),
        ];
        assert_eq!(measure(&history(answers(|_| V1), events)).instants.rollback, None);
    }

    #[test]
    fn an_alert_that_its_receiver_refused_detects_nothing() {
        let events = vec![
            (100 * MS, deploy_asked()),
            (200 * MS, alert("failing", 500)),
            (300 * MS, alert("failing", 200)),
        ];
        let instants = measure(&history(answers(|_| V1), events)).instants;
        assert_eq!(instants.detected, Some(Micros(300 * MS)));
    }
}
