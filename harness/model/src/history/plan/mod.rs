//! What a history says of the plan that was run.
//!
//! Filled from a checked [`scenario::Plan`] when a drill begins; read by judging, the budget and the reports, which see
//! the plan only through these types. They are apart from the model of the files, so that a new key of a scenario
//! changes no stored history: keys that a reader does not know are ignored here, and refused there. Only in what had to
//! hold they are not ignored: the drill is undecided then ([`Scenario::unknown_requirements`]). What only running a drill
//! needs (requests, arguments, environment variables) is left out; secrets among them never reach a run folder.
//!
//! A new key needs a default. A key with a new meaning, or a new word for a [`Tolerance`], a [`Never`], a
//! [`DeployOutcome`] or a [`Contract`], raises [`FORMAT`](super::FORMAT).

mod fault;
mod unknown;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

pub use fault::{Fault, FaultName, Step};
pub use unknown::UnknownKeys;

use crate::check::CheckId;
use crate::scenario::{self, Contract, DeployOutcome, Never, Tolerance};
use crate::units::{Share, Span};

/// The plan of a drill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The scenario's name.
    pub name: String,
    /// What happened, and what had to hold.
    pub scenario: Scenario,
    /// What it happened to.
    pub system: System,
    /// The settings of all scenarios.
    pub project: Project,
}

impl Plan {
    /// The contract of the verdict: the scenario's, else the project's.
    pub fn contract(&self) -> Contract {
        self.scenario.contract.unwrap_or(self.project.contract)
    }

    /// What an outage costs that is still down at the end: the scenario's price, else the project's, else unknown.
    pub fn manual_recovery(&self) -> Option<Span> {
        self.scenario.manual_recovery.or(self.project.manual_recovery)
    }

    /// The fault of a step, counted from 0.
    pub fn fault(&self, step: usize) -> Option<&Fault> {
        self.scenario.steps.get(step).map(|step| &step.fault)
    }
}

/// What happened, and what had to hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// One sentence.
    pub summary: String,
    /// The system file, relative to the scenario's.
    pub system: PathBuf,
    /// How often this is expected to happen in a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_year: Option<PerYear>,
    /// What an outage costs that is still down at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual_recovery: Option<Span>,
    /// The contract of the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
    /// How long recovery was waited for after the last step or revert; older histories do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<Span>,
    /// The faults, on schedule.
    #[serde(default, rename = "step")]
    pub steps: Vec<Step>,
    /// What had to hold.
    #[serde(default)]
    pub expect: Expect,
    /// For a negative control: which checks had to breach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
}

/// An expected number of times a year, with its origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PerYear {
    /// How many times a year.
    pub times: f64,
    /// Where the number comes from.
    pub because: String,
}

/// What had to hold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Expect {
    /// Limits of the downtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downtime: Option<Limits>,
    /// What each journey might suffer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub journeys: BTreeMap<String, Tolerance>,
    /// The share of all answers that might be bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad: Option<Share>,
    /// The share of a journey's answers that might be bad, for those that had one of their own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bad_of_journeys: BTreeMap<String, Share>,
    /// Whether the system had to accept or refuse every deploy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy: Option<DeployOutcome>,
    /// The rollback that had to happen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// Alerts that had to arrive.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<ExpectedAlert>,
    /// What must not have happened.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<Never>,
    /// Rungs that had to answer at least once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rungs: Vec<String>,
    /// Releases that had to answer at least once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<String>,
    /// How many acknowledged writes might be lost. Format 1 called it `lost_links`.
    #[serde(alias = "lost_links")]
    pub lost_writes: u64,
    /// How many acknowledged writes might come back with another content. Format 1 called it `corrupt_links`.
    #[serde(alias = "corrupt_links")]
    pub corrupt_writes: u64,
    /// A text that had to be in the logs of a service.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub logs: BTreeMap<String, String>,
    /// What a newer version asks for here.
    #[serde(flatten, skip_serializing)]
    pub unknown: UnknownKeys,
}

/// Limits of a length of time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// The upper bound must not be above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Span>,
    /// The lower bound must not be below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Span>,
    /// What a newer version asks for here.
    #[serde(flatten, skip_serializing)]
    pub unknown: UnknownKeys,
}

/// A rollback that had to happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollback {
    /// The release that had to answer in the end.
    pub to: String,
    /// How long after the bad release's first answer.
    pub within: Span,
    /// What a newer version asks for here.
    #[serde(flatten, skip_serializing)]
    pub unknown: UnknownKeys,
}

/// An alert that had to arrive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpectedAlert {
    /// Its kind.
    pub kind: String,
    /// How long after the start of the outage, or of the fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// A text that its body had to contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// What a newer version asks for here.
    #[serde(flatten, skip_serializing)]
    pub unknown: UnknownKeys,
}

/// Why a scenario had to breach, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// What it shows that this one breaches.
    pub because: String,
    /// Exactly the checks that had to breach.
    #[serde(deserialize_with = "stored_checks")]
    pub breaches: Vec<CheckId>,
    /// Whether a steady state was required before the first step.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub steady: bool,
    /// What a newer version asks for here.
    #[serde(flatten, skip_serializing)]
    pub unknown: UnknownKeys,
}

/// A check of a newer version stays what it is, unknown, so that the rest of its history can be read.
fn stored_checks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<CheckId>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    Ok(names.iter().map(|name| CheckId::stored(name)).collect())
}

/// The system: its services and what its users did.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct System {
    /// The service that users talked to; may be missing when there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// The services, by name.
    #[serde(default, rename = "service")]
    pub services: BTreeMap<String, Service>,
    /// What users did.
    #[serde(default, rename = "journey")]
    pub journeys: Vec<Journey>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Service {
    /// The release it started with.
    #[serde(default)]
    pub release: String,
    /// How far its TLS was trusted. `None`: it was asked without TLS; older histories do not say, and had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// How a service was asked over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// Whether its certificate was verified.
    pub verified: bool,
}

impl System {
    /// The services that were asked over TLS without a look at their certificates.
    pub fn unverified(&self) -> impl Iterator<Item = &str> {
        let services = self.services.iter();
        let unverified = services.filter(|(_, service)| service.tls.is_some_and(|tls| !tls.verified));
        unverified.map(|(name, _)| name.as_str())
    }
}

/// One thing users did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Journey {
    /// Its name.
    pub name: String,
    /// Whether the service is down when this journey is.
    #[serde(default = "yes")]
    pub essential: bool,
    /// An answer later than this was bad.
    #[serde(default = "deadline")]
    pub deadline: Span,
}

/// Format 1 left `essential` out where it was true.
fn yes() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_true(value: &bool) -> bool {
    *value
}

/// The default of system files.
fn deadline() -> Span {
    Span::from_millis(250)
}

/// The settings of all scenarios.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Project {
    /// The downtime that may be used.
    pub budget: Budget,
    /// The contract of verdicts, where the scenario names none.
    pub contract: Contract,
    /// What an outage costs that is still down at the end, where the scenario does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual_recovery: Option<Span>,
}

/// The defaults of the project file, which a run without one had too.
impl Default for Project {
    fn default() -> Self {
        (&scenario::Project::default()).into()
    }
}

/// So much downtime in so long a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// The downtime.
    pub downtime: Span,
    /// The window.
    pub window: Span,
}

impl<F> From<&scenario::Plan<F>> for Plan {
    fn from(plan: &scenario::Plan<F>) -> Self {
        Self {
            name: plan.name.clone(),
            scenario: (&plan.scenario).into(),
            system: (&plan.system).into(),
            project: (&plan.project).into(),
        }
    }
}

impl From<&scenario::Scenario> for Scenario {
    fn from(scenario: &scenario::Scenario) -> Self {
        Self {
            summary: scenario.summary.clone(),
            system: scenario.system.clone(),
            per_year: scenario.per_year.as_ref().map(|per_year| PerYear {
                times: per_year.times,
                because: per_year.because.clone(),
            }),
            manual_recovery: scenario.manual_recovery,
            contract: scenario.contract,
            settle: Some(scenario.timing.settle.max(scenario.timing.quiet)),
            steps: scenario.steps.iter().map(Step::from).collect(),
            expect: (&scenario.expect).into(),
            control: scenario.control.as_ref().map(|control| Control {
                because: control.because.clone(),
                breaches: control.breaches.clone(),
                steady: control.steady,
                unknown: UnknownKeys::default(),
            }),
        }
    }
}

impl From<&scenario::Expect> for Expect {
    fn from(expect: &scenario::Expect) -> Self {
        // Key by key: a change of the files' model must not change what histories store.
        let alert = |alert: &scenario::ExpectedAlert| ExpectedAlert {
            kind: alert.kind.clone(),
            within: alert.within,
            contains: alert.contains.clone(),
            unknown: UnknownKeys::default(),
        };
        Self {
            downtime: expect.downtime.as_ref().map(|limits| Limits {
                at_most: limits.at_most,
                at_least: limits.at_least,
                unknown: UnknownKeys::default(),
            }),
            journeys: (expect.journeys.iter())
                .map(|(name, allowed)| (name.clone(), allowed.tolerance))
                .collect(),
            bad: expect.bad.map(|bad| bad.at_most),
            bad_of_journeys: (expect.journeys.iter())
                .filter_map(|(name, allowed)| Some((name.clone(), allowed.bad?.at_most)))
                .collect(),
            deploy: expect.deploy,
            rollback: expect.rollback.as_ref().map(|rollback| Rollback {
                to: rollback.to.clone(),
                within: rollback.within,
                unknown: UnknownKeys::default(),
            }),
            alerts: expect.alerts.iter().map(alert).collect(),
            never: expect.never.clone(),
            rungs: expect.rungs.clone(),
            releases: expect.releases.clone(),
            lost_writes: expect.lost_writes,
            corrupt_writes: expect.corrupt_writes,
            logs: expect.logs.clone(),
            unknown: UnknownKeys::default(),
        }
    }
}

impl Expect {
    /// The share of a journey's answers that might be bad: its own, else that of all.
    pub fn bad_of(&self, journey: &str) -> Option<Share> {
        self.bad_of_journeys.get(journey).copied().or(self.bad)
    }
}

impl From<&scenario::System> for System {
    fn from(system: &scenario::System) -> Self {
        let service = |(name, service): (&String, &scenario::Service)| {
            let release = service.release.clone();
            let tls = service.tls.as_ref().map(|tls| Tls { verified: tls.verify });
            (name.clone(), Service { release, tls })
        };
        Self {
            entry: system.entry.clone(),
            services: system.services.iter().map(service).collect(),
            journeys: system.journeys.iter().map(Journey::from).collect(),
        }
    }
}

impl From<&scenario::Journey> for Journey {
    fn from(journey: &scenario::Journey) -> Self {
        Self {
            name: journey.name.clone(),
            essential: journey.essential,
            deadline: journey.deadline,
        }
    }
}

impl From<&scenario::Project> for Project {
    fn from(project: &scenario::Project) -> Self {
        let scenario::Budget { downtime, window } = project.budget;
        Self {
            budget: Budget { downtime, window },
            contract: project.contract,
            manual_recovery: project.manual_recovery,
        }
    }
}

impl From<Budget> for scenario::Budget {
    fn from(Budget { downtime, window }: Budget) -> Self {
        Self { downtime, window }
    }
}
