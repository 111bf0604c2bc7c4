//! A scenario file: what happens to a system, and what must hold.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize};

use super::{Texts, is_true, yes};
use crate::check::{CheckId, Never};
use crate::units::{Rate, Share, Span};

/// One scenario: which system, what happens to it, and what must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One sentence: what goes wrong and what it shows.
    pub summary: String,
    /// The system file, relative to this one.
    pub system: PathBuf,
    /// Services that start with another release than the system file says.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub releases: Texts,
    /// Environment variables added to services of the system, for example to switch a layer off.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Texts>,
    /// Journeys at another rate than the system file says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<String, Rate>,
    /// `false` starts on an empty store: nothing is seeded, and journeys that need seeded records do not run.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub seeded: bool,
    /// How often this is expected to happen in a year, and where the number comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_year: Option<PerYear>,
    /// The price of an outage that is still down when the drill ends: how long a person would take to repair it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual_recovery: Option<Span>,
    /// The contract that the verdict uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
    /// How long all journeys must be good before the first step, and again after the last.
    #[serde(default)]
    pub timing: Timing,
    /// What happens, on schedule. Time counts from the end of the steady-state check.
    #[serde(default, rename = "step")]
    pub steps: Vec<Step>,
    /// What must hold.
    #[serde(default)]
    pub expect: Expect,
    /// This scenario is a negative control: it must breach, and in exactly these checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
}

/// An expected number of times a year, with its origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PerYear {
    /// How many times a year.
    pub times: f64,
    /// Where the number comes from.
    pub because: String,
}

/// How a contract turns outages into billed downtime.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Contract {
    /// Any essential journey's episode counts from its start to its end. The headline.
    #[default]
    Strict,
    /// The share of bad requests of each second, summed.
    Request,
    /// A calendar minute is down when more than 1 % of its requests fail.
    Minute1,
    /// A calendar minute is down when more than 5 % of its requests fail.
    Minute5,
    /// A calendar minute is down when more than 10 % of its requests fail.
    Minute10,
    /// Only whole consecutive minutes of outage count.
    FullMinutes,
    /// A five-minute slot of the clock counts as down if any request in it fails.
    FiveMinuteMean,
}

impl Contract {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 7] = [
        Self::Strict,
        Self::Request,
        Self::Minute1,
        Self::Minute5,
        Self::Minute10,
        Self::FullMinutes,
        Self::FiveMinuteMean,
    ];
}

/// How long the parts of a drill take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// All journeys good for this long before the first step (500 ms).
    pub steady: Span,
    /// All journeys good for this long after the last step or revert: recovery has been seen (1500 ms).
    pub quiet: Span,
    /// How long after the last step or revert the quiet period may take to begin and pass (5 s, or the longest limit of
    /// `expect` if that is longer). What is down then stays an outage that is still down.
    pub settle: Span,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            steady: Span::from_millis(500),
            quiet: Span::from_millis(1500),
            settle: Span::from_secs(5),
        }
    }
}

/// One thing that happens: a time and one fault.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// When, counted from the end of the steady-state check.
    pub at: Span,
    /// Revert it after this long. Without it the fault stays until the drill ends: the system must cope by itself.
    pub lasting: Option<Span>,
    /// The fault: its name, and its parameters as the file gives them.
    pub fault: FaultCall,
}

/// A fault's name with its parameters: `kill = { service = "app" }`.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultCall {
    /// The fault's name, one of the catalogue's.
    pub name: String,
    /// Its parameters, checked against the catalogue.
    pub params: serde_json::Value,
}

/// The name of the fault that puts another release in place.
pub(crate) const DEPLOY: &str = "deploy";

impl FaultCall {
    /// Whether this fault puts another release in place.
    pub fn is_deploy(&self) -> bool {
        self.name == DEPLOY
    }

    /// A parameter that is a text.
    pub fn text(&self, parameter: &str) -> Option<&str> {
        self.params.get(parameter).and_then(serde_json::Value::as_str)
    }
}

/// Only a placeholder: the schema is completed with the faults of the catalogue.
impl JsonSchema for Step {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object", "description": "One thing that happens: a time and one fault." })
    }
}

impl Serialize for Step {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = serializer.serialize_map(None)?;
        table.serialize_entry("at", &self.at)?;
        if let Some(lasting) = &self.lasting {
            table.serialize_entry("for", lasting)?;
        }
        table.serialize_entry(&self.fault.name, &self.fault.params)?;
        table.end()
    }
}

/// Written by hand: the key that is no time is the fault's name.
impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let mut table = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
        let mut time = |key| table.remove(key).map(serde_json::from_value).transpose();
        let at = time("at")
            .map_err(Error::custom)?
            .ok_or_else(|| Error::missing_field("at"))?;
        let lasting = time("for").map_err(Error::custom)?;
        // Without its times, a step has one key: the fault.
        match (table.pop_first(), table.is_empty()) {
            (Some((name, params)), true) => Ok(Self {
                at,
                lasting,
                fault: FaultCall { name, params },
            }),
            _ => Err(Error::custom("a step has exactly one fault")),
        }
    }
}

/// What must hold. By default: one such event fits the budget, and no acknowledged write is lost or corrupt.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The service's downtime, judged on its upper bound (`at_most`) and its lower bound (`at_least`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downtime: Option<Limits>,
    /// What may happen to each journey: a tolerance, or a table with a share of bad answers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub journeys: BTreeMap<String, Allowed>,
    /// The share of all answers that may be bad, over all journeys (none). It also holds for each journey that names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad: Option<BadAnswers>,
    /// Whether the system must accept or refuse every deploy of the scenario.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy: Option<DeployOutcome>,
    /// The rollback that must happen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// Alerts that must arrive, in any order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<ExpectedAlert>,
    /// What must not happen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<Never>,
    /// Rungs that must answer at least once, so that the fallback was exercised.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rungs: Vec<String>,
    /// Releases that must answer at least once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<String>,
    /// Acknowledged writes that may be lost (0). A control that must lose some says so in `control.breaches`.
    pub lost_writes: u64,
    /// Acknowledged writes that may come back with another content (0).
    pub corrupt_writes: u64,
    /// A text that must be in the log of a service.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub logs: BTreeMap<String, String>,
}

impl Expect {
    /// The limits of time that a drill must be able to see passed: of the downtime, the rollback and the alerts.
    pub(crate) fn limits(&self) -> Vec<Span> {
        let downtime = self.downtime.as_ref().and_then(|limits| limits.at_most);
        let rollback = self.rollback.as_ref().map(|rollback| rollback.within);
        let alerts = self.alerts.iter().filter_map(|alert| alert.within);
        downtime.into_iter().chain(rollback).chain(alerts).collect()
    }
}

/// Limits of a length of time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The upper bound must not be above this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Span>,
    /// The lower bound must not be below this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Span>,
}

/// What may happen to a journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Tolerance {
    /// Not one bad answer, and no fallback.
    #[serde(rename = "always good")]
    AlwaysGood,
    /// Not one bad answer. Fallbacks may answer.
    #[serde(rename = "never down", alias = "fallback allowed")]
    NeverDown,
    /// May be down; an outage counts towards the downtime when the journey is essential.
    #[default]
    #[serde(rename = "may be down")]
    MayBeDown,
    /// Must be down at least once.
    #[serde(rename = "goes down")]
    GoesDown,
}

/// What may happen to a journey: a tolerance alone, or with a share of bad answers.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(from = "AllowedForms", into = "AllowedForms")]
#[schemars(with = "AllowedForms")]
pub struct Allowed {
    /// The tolerance.
    pub tolerance: Tolerance,
    /// The share of its answers that may be bad.
    pub bad: Option<BadAnswers>,
}

/// The two forms in a file: `page = "never down"`, and `page = { tolerance = "never down", bad = { at_most = "0.1%" } }`.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Allowed")]
enum AllowedForms {
    Tolerance(Tolerance),
    Table(AllowedTable),
}

/// A tolerance with a share of bad answers.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AllowedTable {
    /// The tolerance ("may be down").
    #[serde(default)]
    tolerance: Tolerance,
    /// The share of the journey's answers that may be bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bad: Option<BadAnswers>,
}

impl From<AllowedForms> for Allowed {
    fn from(form: AllowedForms) -> Self {
        match form {
            AllowedForms::Tolerance(tolerance) => tolerance.into(),
            AllowedForms::Table(AllowedTable { tolerance, bad }) => Self { tolerance, bad },
        }
    }
}

impl From<Allowed> for AllowedForms {
    fn from(Allowed { tolerance, bad }: Allowed) -> Self {
        match bad {
            None => Self::Tolerance(tolerance),
            Some(_) => Self::Table(AllowedTable { tolerance, bad }),
        }
    }
}

impl From<Tolerance> for Allowed {
    fn from(tolerance: Tolerance) -> Self {
        Self { tolerance, bad: None }
    }
}

/// A share of answers that may be bad. Two bad answers in a row on one connection are an outage all the same.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BadAnswers {
    /// Not more than this.
    pub at_most: Share,
}

/// How a system answers a deploy. A pipeline that breaks has neither accepted nor refused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeployOutcome {
    /// Every action of the recipe accepted the release.
    Accepted,
    /// An action answered with a refusal that the recipe declares.
    Refused,
}

/// A rollback that must happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// The release that must answer in the end.
    pub to: String,
    /// At most this long after the first answer of the bad release.
    pub within: Span,
}

/// An alert that must arrive at the drill's receiver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedAlert {
    /// Its kind, as the system names it in the field `kind`.
    pub kind: String,
    /// At most this long after the outage's (or the fault's) start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// A text that its body must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
}

/// Why a scenario must breach, and in which checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// What its breach shows.
    pub because: String,
    /// Exactly the checks that must breach: `budget`, `downtime`, `lost-writes`, `journey.NAME`, …
    pub breaches: Vec<CheckId>,
    /// `false`: no steady state is required before the first step, for a service that is broken from the start (true).
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub steady: bool,
}
