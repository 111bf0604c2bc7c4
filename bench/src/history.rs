//! Made-up histories, in virtual time: as long and as dense as one likes, without waiting.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use firedrill::history::{EVENTS, Event, FORMAT, Phase, Stamped, Start, Writer};
use firedrill::sample::{Ack, Bad, Clock, Found, Label, Labels, Micros, Mode, Outcome, Sample, StreamId};
use serde_json::json;

/// What to make up.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// How long it lasts, in seconds.
    pub seconds: u32,
    /// Probes per second, of all streams together.
    pub rate: u32,
    /// How many of them per second are writes.
    pub writes: u32,
    /// How many outages lie in it, of two seconds each.
    pub outages: u32,
}

const SECOND: u64 = 1_000_000;
const OUTAGE: u64 = 2 * SECOND;

/// One stream of the made-up system.
struct Made {
    journey: &'static str,
    mode: Mode,
    rate: f64,
    writes: bool,
}

impl Recipe {
    fn length(&self) -> u64 {
        u64::from(self.seconds) * SECOND
    }

    fn streams(&self) -> Vec<Made> {
        let reads = f64::from(self.rate.saturating_sub(self.writes));
        let all = [
            ("resolve", reads, false),
            ("shorten", f64::from(self.writes), true),
        ];
        let modes = [Mode::New, Mode::Reused];
        all.into_iter()
            .filter(|(_, rate, _)| *rate > 0.0)
            .flat_map(|(journey, rate, writes)| {
                modes.map(|mode| Made {
                    journey,
                    mode,
                    rate: rate / 2.0,
                    writes,
                })
            })
            .collect()
    }

    /// Outages are spread evenly.
    fn down(&self, at: u64) -> bool {
        let every = self.length() / u64::from(self.outages + 1);
        self.outages > 0 && at >= every && at % every < OUTAGE.min(every)
    }

    fn plan(&self) -> Result<firedrill::Plan, serde_json::Error> {
        let reads = self.rate.saturating_sub(self.writes);
        let mut journeys = vec![super::plan::get(
            "resolve",
            reads.max(1),
            &["new", "reused"],
            "250ms",
        )];
        if self.writes > 0 {
            let mut shorten = super::plan::get("shorten", self.writes, &["new", "reused"], "250ms");
            shorten["remember"] = json!({
                "link_header": "location", "request": { "path": "{link}" }, "answer": { "status": 200 },
            });
            journeys.push(shorten);
        }
        super::plan::of_journeys(&json!(journeys))
    }

    /// Writes the history into a new folder; returns how many samples it holds.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write(&self, folder: &Path) -> io::Result<u64> {
        std::fs::create_dir_all(folder)?;
        let labels = Labels::default();
        let release = labels.intern("v1");
        let streams = self.streams();
        let mut writer = Writer::create(folder, Clock::start(), labels)?;
        let mut events = Vec::new();
        let mut samples = 0;
        for second in 0..u64::from(self.seconds) {
            for (at, stream) in streams.iter().enumerate() {
                let id = StreamId(u16::try_from(at).unwrap_or(0));
                for due in dues(second, stream.rate) {
                    let sample = self.sample(id, due, release);
                    writer.sample(&sample)?;
                    if stream.writes {
                        events.push((sample.ended, id, samples, sample.outcome.is_up()));
                    }
                    samples += 1;
                }
            }
        }
        writer.flush()?;
        self.write_events(folder, &streams, &events)?;
        Ok(samples)
    }

    fn sample(&self, stream: StreamId, due: u64, release: Label) -> Sample {
        let down = self.down(due);
        let took = if down { 180 } else { 400 + due % 700 };
        let sent = Micros(due + 60 + due % 90);
        let ended = Micros(sent.0 + took);
        Sample {
            stream,
            due: Micros(due),
            sent,
            first: ended,
            ended,
            outcome: if down {
                Outcome::Bad(Bad::Refused)
            } else {
                Outcome::Good
            },
            status: if down { 0 } else { 200 },
            release: if down { Label::NONE } else { release },
            rung: Label::NONE,
            reconnected: false,
        }
    }

    /// The events before the first write, each with its time.
    fn head(&self, streams: &[Made]) -> io::Result<Vec<(u64, Event)>> {
        let label = Event::Label {
            label: Label(1),
            text: "v1".into(),
        };
        let mut events = vec![(0, Event::Start(Box::new(self.start()?))), (0, label)];
        for (at, stream) in streams.iter().enumerate() {
            let event = Event::Stream {
                stream: StreamId(u16::try_from(at).unwrap_or(0)),
                journey: stream.journey.to_owned(),
                mode: stream.mode,
                rate: stream.rate,
            };
            events.push((0, event));
        }
        let steady = Event::Steady {
            good: true,
            evidence: "made up".into(),
        };
        events.push((SECOND, steady));
        events.push((SECOND, Event::Phase { phase: Phase::Steps }));
        Ok(events)
    }

    /// Replaces the events that the writer stamped with the present by those of the made-up time.
    fn write_events(
        &self,
        folder: &Path,
        streams: &[Made],
        writes: &[(Micros, StreamId, u64, bool)],
    ) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(folder.join(EVENTS))?);
        let mut line = |at: u64, event: Event| -> io::Result<()> {
            let at = Micros(at);
            serde_json::to_writer(&mut file, &Stamped { at, event })?;
            file.write_all(b"\n")
        };
        for (at, event) in self.head(streams)? {
            line(at, event)?;
        }
        let ack = |up: &bool| if *up { Ack::Acknowledged } else { Ack::Refused };
        let link = |n: u64| Some(format!("/link-{n}"));
        for (at, stream, n, up) in writes {
            let (stream, n, ack, link) = (*stream, *n, ack(up), link(*n).filter(|_| *up));
            line(
                at.0,
                Event::Write {
                    stream,
                    n,
                    ack,
                    link,
                    captures: std::collections::BTreeMap::new(),
                },
            )?;
        }
        let end = self.length() + SECOND;
        line(
            end,
            Event::Phase {
                phase: Phase::ReadBack,
            },
        )?;
        for (_, stream, n, up) in writes {
            let (stream, n, ack) = (*stream, *n, ack(up));
            let found = if *up { Found::Intact } else { Found::Lost };
            line(
                end,
                Event::ReadBack {
                    stream,
                    n,
                    ack,
                    found,
                },
            )?;
        }
        line(end, Event::Phase { phase: Phase::Done })?;
        line(
            end,
            Event::End {
                interrupted: false,
                error: None,
            },
        )?;
        file.flush()
    }

    fn start(&self) -> io::Result<Start> {
        Ok(Start {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            run: "made-up".into(),
            wall: "2026-01-01T00:00:00Z".into(),
            seed: 1,
            backend: "process".into(),
            place: "made up".into(),
            repeat: (1, 1),
            plan: (&self.plan()?).into(),
        })
    }
}

/// When a stream's probes are due in one second of the schedule, in microseconds.
fn dues(second: u64, rate: f64) -> impl Iterator<Item = u64> {
    #[expect(clippy::cast_precision_loss, reason = "seconds of a history")]
    let first = (second as f64 * rate).ceil();
    #[expect(clippy::cast_precision_loss, reason = "seconds of a history")]
    let after = ((second + 1) as f64 * rate).ceil();
    std::iter::successors(Some(first), |i| Some(i + 1.0))
        .take_while(move |i| *i < after)
        .map(move |i| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "not negative, and hours"
            )]
            let due = (i / rate * 1e6) as u64;
            due + SECOND
        })
}
