//! The ordered record of a drill, written while it happens: a *run folder*.
//!
//! The drill is its only writer. Measuring, judging and reporting read nothing else, so that a stored history can be
//! judged and rendered again without running anything.
//!
//! ```text
//! RUN/events.jsonl   one event a line, flushed as written; the first is `start` with the plan (see [`plan`])
//! RUN/samples.bin    a 16-byte head, then 32 bytes a sample, little endian (see `samples`)
//! RUN/load.jsonl     what the machine did, one slice of 100 ms a line (see [`Load`]); Linux only
//! RUN/logs/NAME.log  the services' own output
//! RUN/verdict.json   what was judged when it ended
//! ```
//! Versioned by [`FORMAT`]; a last line or record that was cut off, by a kill of the harness, is left out and
//! noted in [`History::torn`]. Keys and events of a newer version are passed over; a newer format is refused.

mod backend;
mod event;
mod load;
pub mod plan;
mod read;
mod samples;
mod state;
mod write;

pub use backend::BackendKind;
pub use event::*;
pub use load::{Contention, HELD_FROM, Load};
pub use read::{Missing, ReadError, first_line, read, run_id};
pub use samples::SamplesError;
pub use state::StateChange;
pub use write::Writer;

use crate::sample::{Label, Labels, Micros, Sample};

/// The version of the format. A reader refuses a newer one and keeps reading older ones.
pub const FORMAT: u32 = 2;

/// The events' file in a run folder.
pub const EVENTS: &str = "events.jsonl";
/// The samples' file in a run folder.
pub const SAMPLES: &str = "samples.bin";
/// The file of the machine's load in a run folder.
pub const LOAD: &str = "load.jsonl";
/// The folder of the services' logs in a run folder.
pub const LOGS: &str = "logs";
/// What was judged when the drill ended, in a run folder.
pub const VERDICT: &str = "verdict.json";

/// A whole history, as read back from a run folder.
#[derive(Debug, Clone)]
pub struct History {
    /// The first event: what was run, where and when.
    pub start: Start,
    /// Every event, in the order written.
    pub events: Vec<Stamped>,
    /// Every sample, in the order written (by end, roughly). One that was late while others held the machine is void.
    pub samples: Vec<Sample>,
    /// What the machine did, by time; empty where it was not recorded.
    pub load: Vec<Load>,
    /// The texts of labels: `labels[0]` is empty (none).
    pub labels: Vec<String>,
    /// What is missing because the writer was cut off; empty for a whole history.
    pub torn: Vec<Missing>,
}

impl History {
    /// The text of a label: a release or a fallback, as answers named it. `None` for one that is not known.
    pub fn label(&self, label: Label) -> Option<&str> {
        self.labels.get(usize::from(label.0)).map(String::as_str)
    }

    /// When the first fault was about to be injected.
    pub fn first_fault(&self) -> Option<Micros> {
        let is_first = |stamped: &&Stamped| matches!(stamped.event, Event::Injecting { .. });
        self.events.iter().find(is_first).map(|stamped| stamped.at)
    }

    /// Whether answers named more releases and fallbacks than a drill can tell apart.
    pub fn has_too_many_labels(&self) -> bool {
        // Older histories have no mark for it: theirs are full.
        self.labels.len() > Labels::LIMIT
    }
}

/// A made-up beginning of a history, for tests of what reads one: a service, and these journeys.
/// # Panics
/// When `journeys` is not the journeys of a system file.
#[doc(hidden)]
#[expect(
    clippy::unwrap_used,
    reason = "only tests call it, with journeys that they made"
)]
pub fn made_up(name: &str, journeys: &serde_json::Value) -> Start {
    let plan = serde_json::json!({
        "name": name,
        "scenario": { "summary": "nothing happens", "system": "system.toml" },
        "system": { "service": { "app": {} }, "journey": journeys },
        "project": { "budget": { "downtime": "15m", "window": "365d" }, "contract": "strict" },
    });
    Start {
        format: FORMAT,
        version: "0".into(),
        run: "r".into(),
        wall: "2026-01-01T00:00:00Z".into(),
        seed: 7,
        backend: "process".into(),
        place: "here".into(),
        repeat: (1, 1),
        plan: serde_json::from_value(plan).unwrap(),
    }
}

#[cfg(test)]
mod tests {

    use proptest::prelude::*;

    use super::*;
    use crate::sample::{Clock, Label, Labels, Micros, Outcome, StreamId};
    /// These types are those of scenario files too. Their words are the format's: another word is another [`FORMAT`].
    #[test]
    fn the_words_that_histories_share_with_scenario_files_stay() {
        use crate::scenario::{Contract, DeployOutcome, Never, Tolerance};

        fn words<T: serde::Serialize>(values: &[T]) -> Vec<String> {
            let word = |value| serde_json::to_value(value).unwrap().as_str().unwrap().to_owned();
            values.iter().map(word).collect()
        }
        assert_eq!(
            words(&Contract::ALL),
            [
                "strict",
                "request",
                "minute1",
                "minute5",
                "minute10",
                "full-minutes",
                "five-minute-mean"
            ]
        );
        assert_eq!(words(&Never::ALL), ["rollback", "alert", "fallback"]);
        assert_eq!(
            words(&[
                Tolerance::AlwaysGood,
                Tolerance::NeverDown,
                Tolerance::MayBeDown,
                Tolerance::GoesDown
            ]),
            ["always good", "never down", "may be down", "goes down"]
        );
        assert_eq!(
            words(&[DeployOutcome::Accepted, DeployOutcome::Refused]),
            ["accepted", "refused"]
        );
    }

    /// Each event but the first one as stored: other names or keys are another [`FORMAT`]. (The first event is in the stored
    /// histories of the tests.)
    #[test]
    fn the_names_and_keys_of_events_stay() {
        let stored = serde_json::json!([
            { "event": "phase", "phase": "prepare" },
            { "event": "phase", "phase": "steady" },
            { "event": "phase", "phase": "steps" },
            { "event": "phase", "phase": "quiet" },
            { "event": "phase", "phase": "read-back" },
            { "event": "phase", "phase": "collect" },
            { "event": "phase", "phase": "done" },
            { "event": "service", "service": "app", "release": "v1", "what": "image" },
            { "event": "stream", "stream": 0, "journey": "home", "mode": "new", "rate": 5.0 },
            { "event": "stream", "stream": 1, "journey": "home", "mode": "reused", "rate": 5.0 },
            { "event": "label", "label": 1, "text": "v1" },
            { "event": "steady", "good": true, "evidence": "" },
            { "event": "injecting", "step": 0, "fault": "kill", "what": "" },
            { "event": "injected", "step": 0, "evidence": null },
            { "event": "not-injected", "step": 0, "why": "" },
            { "event": "reverted", "step": 0, "evidence": "" },
            { "event": "hit", "step": 0, "connections": 1, "chunks": 2, "requests": 3, "all_counted": true },
            { "event": "hit", "step": 0, "connections": 1, "chunks": 2, "requests": 3, "read": true, "all_counted": true },
            { "event": "not-reverted", "step": 0, "why": "" },
            { "event": "deploy", "release": "v2", "accepted": true, "detail": "" },
            { "event": "state", "service": "app", "state": "running" },
            { "event": "alert", "kind": "rejected", "answered": 200, "body": "{}" },
            { "event": "write", "stream": 0, "n": 1, "ack": "acknowledged", "link": "/a" },
            { "event": "write", "stream": 0, "n": 1, "ack": "acknowledged", "link": null, "captures": { "id": "7" } },
            { "event": "write", "stream": 0, "n": 1, "ack": "refused", "link": null },
            { "event": "write", "stream": 0, "n": 1, "ack": "unknown", "link": null },
            { "event": "read-back", "stream": 0, "n": 1, "ack": "acknowledged", "found": "intact" },
            { "event": "read-back", "stream": 0, "n": 1, "ack": "acknowledged", "found": "lost" },
            { "event": "read-back", "stream": 0, "n": 1, "ack": "acknowledged", "found": "corrupt" },
            { "event": "read-back", "stream": 0, "n": 1, "ack": "acknowledged", "found": "unknown" },
            { "event": "logged", "service": "app", "text": "", "found": true },
            { "event": "gap", "since": 1, "until": 2 },
            { "event": "connection-failed", "cause": "" },
            { "event": "note", "text": "" },
            { "event": "end", "interrupted": false, "error": null },
        ]);
        for stored in stored.as_array().unwrap() {
            let event: Event = serde_json::from_value(stored.clone()).unwrap();
            assert_ne!(event, Event::Unknown, "{stored}");
            assert_eq!(serde_json::to_value(&event).unwrap(), *stored);
        }
    }

    fn start() -> Event {
        Event::Start(Box::new(made_up("nothing", &serde_json::json!([]))))
    }

    fn written(folder: &std::path::Path, samples: u64) {
        let labels = Labels::default();
        let release = labels.intern("v1");
        let mut writer = Writer::create(folder, Clock::start(), labels).unwrap();
        writer.event(start()).unwrap();
        for at in 0..samples {
            let at = Micros(at * 1000);
            let sample = Sample {
                stream: StreamId(0),
                due: at,
                sent: at,
                first: at,
                ended: at,
                outcome: Outcome::Good,
                status: 200,
                release,
                rung: Label::NONE,
                reconnected: false,
            };
            writer.sample(&sample).unwrap();
        }
        writer
            .event(Event::End {
                interrupted: false,
                error: None,
            })
            .unwrap();
    }

    #[test]
    fn a_history_reads_back_as_written() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path(), 10);
        let history = read(folder.path()).unwrap();
        assert_eq!(
            (history.samples.len(), history.labels.as_slice()),
            (10, &[String::new(), "v1".into()][..])
        );
        assert_eq!(history.torn, []);
        assert_eq!(history.events[0].event, start());
    }

    #[test]
    fn a_drill_began_at_an_instant_in_whatever_zone_it_is_written() {
        let began = |wall: &str| {
            let mut start = made_up("nothing", &serde_json::json!([]));
            start.wall = wall.to_owned();
            start.began()
        };
        let utc = began("2026-01-01T00:00:00Z");
        assert!(utc.is_some());
        assert_eq!(began("2026-01-01T01:00:00+01:00"), utc);
        assert_eq!(began("yesterday"), None);
    }

    #[test]
    fn a_history_cut_off_anywhere_after_its_start_is_read_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path(), 3);
        let events = std::fs::read(folder.path().join(EVENTS)).unwrap();
        let first_line = events.iter().position(|b| *b == b'\n').unwrap() + 1;
        for cut in first_line..events.len() - 1 {
            std::fs::write(folder.path().join(EVENTS), &events[..cut]).unwrap();
            let history = read(folder.path()).unwrap();
            assert!(
                history
                    .torn
                    .iter()
                    .any(|missing| matches!(missing, Missing::LastEvent | Missing::End)),
                "cut at {cut}: {:?}",
                history.torn
            );
        }
    }

    proptest! {
        #[test]
        fn no_events_file_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let folder = tempfile::tempdir().unwrap();
            written(folder.path(), 1);
            let mut events = std::fs::read(folder.path().join(EVENTS)).unwrap();
            events.extend_from_slice(&bytes);
            std::fs::write(folder.path().join(EVENTS), events).unwrap();
            prop_assert!(read(folder.path()).is_ok());
            std::fs::write(folder.path().join(EVENTS), &bytes).unwrap();
            prop_assert!(read(folder.path()).is_err());
        }
    }
}
