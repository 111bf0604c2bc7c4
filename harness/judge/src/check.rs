//! One check: what is required, what was found, and what that comes to.
//!
//! Takes facts from the judging modules and gives them to compare, budget and report as types, so that nobody has to
//! parse a sentence. The module `words` alone turns them into text; JSON has that text under `required` and `found`.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};

use crate::Verdict;
use crate::cost::Cost;
use crate::measure::{Bounds, Data, RolledBack};
use firedrill_model::check::CheckId;
use firedrill_model::history::Missing;
use firedrill_model::sample::Void;
use firedrill_model::scenario::{DeployOutcome, Tolerance};
use firedrill_model::units::Share;

/// One requirement with what was found, and its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// Which requirement: stable from run to run.
    pub id: CheckId,
    /// What is required.
    pub required: Required,
    /// What was found.
    pub found: Found,
    /// What that comes to.
    pub verdict: Verdict,
}

/// What a check requires. Its [`Display`](std::fmt::Display) is the text for people.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Required {
    /// One such event fits the budget.
    WithinBudget {
        /// The downtime that the budget allows.
        downtime: Duration,
        /// In so long a time.
        window: Duration,
    },
    /// The service's downtime lies between these limits.
    Downtime {
        /// The lower limit.
        at_least: Option<Duration>,
        /// The upper limit.
        at_most: Option<Duration>,
    },
    /// What a journey may suffer.
    Journey {
        /// What may happen to it.
        tolerance: Tolerance,
        /// The share of its answers that may be bad.
        bad: Option<Share>,
    },
    /// Not more than this share of all answers is bad.
    BadAnswers(Share),
    /// Not more than so many.
    AtMost(u64),
    /// The system answers every deploy like this.
    Deploy(DeployOutcome),
    /// Users are served by an earlier release again.
    Rollback {
        /// The release that must answer in the end.
        to: String,
        /// The longest time to roll back.
        within: Duration,
    },
    /// An alert arrives and its receiver accepts it.
    Alert {
        /// The longest time to detect.
        within: Option<Duration>,
        /// A text that the alert must contain.
        contains: Option<String>,
    },
    /// It does not happen.
    Never,
    /// At least one right answer.
    Answers,
    /// A service's log contains this text.
    LogContains(String),
    /// Every journey is good before the first fault.
    SteadyState,
    /// No steady state: a control that says that its service is broken from the start.
    SteadyStateNotNeeded,
    /// A fault took effect.
    FaultInEffect {
        /// It counts what it hits, so that at least one hit is required, too.
        counts_hits: bool,
    },
    /// Hardly any probe is void.
    FewVoids,
    /// No stall of the prober near an outage's edge.
    NoStallNearEdge,
    /// Answers name no more releases and fallbacks than can be distinguished (4096).
    FewLabels,
    /// The drill ran to its end.
    Complete,
}

/// What a check found. Its [`Display`](std::fmt::Display) is the text for people.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Found {
    /// The drill ended before there was anything to find.
    NotReached,
    /// What the drill cost of the budget.
    Cost(Cost),
    /// The service's downtime.
    Downtime(Bounds),
    /// What a journey was, in order.
    Journey(JourneyFound),
    /// The bad answers of all journeys.
    BadAnswers(BadAnswers),
    /// What became of acknowledged writes.
    Writes(Data),
    /// So many.
    Count(usize),
    /// So many answers.
    Answers(usize),
    /// So many answers by fallbacks, and how many of them others, who held the machine, may have been the reason for.
    Fallbacks {
        /// All.
        all: usize,
        /// While the machine was busy.
        when_busy: usize,
    },
    /// So many alerts.
    Alerts(usize),
    /// How the system answered the deploys.
    Deploys(Deploys),
    /// The rollback that was seen, if any.
    Rollback(Option<RolledBack>),
    /// Which alert came, and when.
    Alert(AlertFound),
    /// Whether a log contains the text; `None`: the log was not collected.
    LogContains(Option<bool>),
    /// What the steady-state phase saw, as the drill wrote it down.
    SteadyState(String),
    /// What became of a fault.
    Fault(FaultFound),
    /// How many probes were void.
    Voids {
        /// All probes.
        probes: usize,
        /// The void ones, by reason.
        voids: Vec<(Void, usize)>,
    },
    /// So many stalls of the prober, at least one of them near an outage's edge.
    Stalls(usize),
    /// Answers named more different releases and fallbacks than this.
    TooManyLabels(usize),
    /// How the drill ended.
    End(EndFound),
}

/// What was found of a journey.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum JourneyFound {
    /// It was not probed in this drill.
    NotProbed,
    /// It was probed, but no probe of the judged time says anything: none was due, or all were void.
    NoAnswers,
    /// It was probed.
    Seen {
        /// Its states, in order and without repetition.
        states: Vec<StateSeen>,
        /// Single bad answers that nothing confirmed: no downtime, but users failed.
        blips: usize,
        /// Its bad answers, where their share has a limit.
        bad: Option<BadAnswers>,
    },
}

/// Bad answers among those that say something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BadAnswers {
    /// So many were bad.
    pub bad: usize,
    /// Of so many: void probes are no answers.
    pub answers: usize,
}

impl BadAnswers {
    /// The share, from 0 to 1; `None` without an answer.
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
    pub fn share(self) -> Option<f64> {
        (self.answers > 0).then(|| self.bad as f64 / self.answers as f64)
    }
}

/// A state that a journey was in for a while.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StateSeen {
    /// Right answers, the normal way.
    Up,
    /// Right answers by the fallback of this name.
    Fallback(String),
    /// Down: the outages of that stretch, with their lengths.
    Down(Vec<Bounds>),
}

/// How a system answered the deploys of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deploys {
    /// So many were accepted.
    pub accepted: usize,
    /// So many were refused.
    pub refused: usize,
    /// So many have no answer: they were not tried, or the pipeline broke.
    pub unknown: usize,
}

/// What was found of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AlertFound {
    /// None came.
    Missing,
    /// So many tries came, and the receiver refused each.
    Refused(usize),
    /// The receiver accepted one.
    Accepted {
        /// The upper bound of the time to detect.
        after: Duration,
        /// Whether it contains the required text.
        text_matches: bool,
    },
}

/// What was found of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultFound {
    /// It took effect while users asked.
    InEffect {
        /// What confirms it, as the fault wrote it down.
        evidence: String,
        /// What it hit; `None` for a fault that does not count its hits.
        hits: Option<Hits>,
    },
    /// Its step never came.
    NeverInjected,
    /// It could not be injected, for this reason.
    NotInjected(String),
    /// It was injected, and nothing confirms that it took effect.
    Unconfirmed,
    /// It took effect and could not be reverted, for this reason.
    NotReverted(String),
    /// No probe was sent while it was in effect.
    NoProbes,
    /// It counts its hits, and there are none.
    NoHits,
    /// Nobody read the file that it damaged.
    FileNotRead,
    /// No connection was open, and a closed port cannot count whom it turns away.
    HitsNotCounted,
}

/// What a fault hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hits {
    /// Traffic, counted.
    Traffic {
        /// Connections.
        connections: u64,
        /// Chunks of bytes.
        chunks: u64,
        /// Requests.
        requests: u64,
    },
    /// The damaged file was read.
    FileRead,
    /// Users' connection attempts were refused.
    UsersRefused,
}

/// How a drill ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndFound {
    /// It ran to its end.
    Complete,
    /// Somebody stopped it.
    Interrupted,
    /// The environment or the harness failed, with this error.
    Failed(String),
    /// Its history is not whole: what is missing, or cannot be read.
    CutOff(Vec<Missing>),
}

impl Check {
    /// The same check of a drill that never reached its steps. Nothing was tried, so that nothing was met or breached.
    pub(crate) fn not_reached(self) -> Self {
        Self {
            found: Found::NotReached,
            verdict: Verdict::Undecided,
            ..self
        }
    }
}

/// A check as JSON has it: facts in words, for people who read it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Check")]
struct Text {
    /// Its name, stable: `downtime`, `journey.shorten`, `lost-writes`, `evidence.steady`, …
    name: String,
    /// What is required, in words.
    required: String,
    /// What was found, in words.
    found: String,
    /// What that comes to.
    verdict: Verdict,
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Text {
            name: self.id.to_string(),
            required: self.required.to_string(),
            found: self.found.to_string(),
            verdict: self.verdict,
        };
        text.serialize(serializer)
    }
}

/// The schema of the JSON text.
impl JsonSchema for Check {
    fn schema_name() -> Cow<'static, str> {
        Text::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        Text::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Text::json_schema(generator)
    }
}
