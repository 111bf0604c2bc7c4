//! The identity of each check: what a judgement names, and what a negative control says must breach.
//!
//! Takes and gives the stable names (`downtime`, `journey.shorten`, `evidence.fault.0`). Judging makes the checks,
//! scenario files and stored histories refer to them, reports print them; all through [`CheckId`], never as text.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Which check. Its text is stable: files, reports and stored histories use it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CheckId {
    /// `evidence.steady`: every journey was good before the first fault.
    EvidenceSteady,
    /// `evidence.fault.N`: the fault of step N (from 0) was confirmed, and requests hit it.
    EvidenceFault(usize),
    /// `evidence.voids`: few probes failed by the prober's own fault.
    EvidenceVoids,
    /// `evidence.gaps`: the prober did not stall near the edge of an outage.
    EvidenceGaps,
    /// `evidence.labels`: answers named no more releases and fallbacks than can be distinguished (4096).
    EvidenceLabels,
    /// `evidence.end`: the drill ran to its end.
    EvidenceEnd,
    /// `budget`: one such event fits the yearly budget.
    Budget,
    /// `downtime`: the limits that the scenario sets.
    Downtime,
    /// `journey.NAME`: what that journey may suffer.
    Journey(String),
    /// `bad-answers`: the share of bad answers, over all journeys.
    BadAnswers,
    /// `lost-writes`: acknowledged writes that were gone when they were read back.
    LostWrites,
    /// `corrupt-writes`: acknowledged writes that came back with another content.
    CorruptWrites,
    /// `phantom-writes`: refused writes that were there when they were read back.
    PhantomWrites,
    /// `deploy`: the system accepted or refused each deploy, as expected.
    Deploy,
    /// `rollback`: the system went back to the expected release in time.
    Rollback,
    /// `alert.KIND`: an alert of that kind arrived.
    Alert(String),
    /// `never.rollback`, `never.alert`, `never.fallback`: it did not happen.
    Never(Never),
    /// `rung.NAME`: that fallback answered at least once.
    Rung(String),
    /// `release.NAME`: that release answered at least once.
    Release(String),
    /// `log.SERVICE`: the service's log contains the expected text.
    Log(String),
    /// A name that this version does not know, from a history that a newer version wrote. No judgement makes it.
    Unknown(String),
}

/// What must not happen in a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Never {
    /// A rollback from a later release to an earlier one.
    Rollback,
    /// Any alert.
    Alert,
    /// Any answer by a fallback.
    Fallback,
}

impl Never {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rollback, Self::Alert, Self::Fallback];

    /// Its word in a scenario file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Alert => "alert",
            Self::Fallback => "fallback",
        }
    }
}

/// A text that names no check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no check is called `{name}`")]
pub struct UnknownCheck {
    /// The text.
    pub name: String,
}

/// The checks whose name has no parameter, with that name.
const PLAIN: [(CheckId, &str); 13] = [
    (CheckId::EvidenceSteady, "evidence.steady"),
    (CheckId::EvidenceVoids, "evidence.voids"),
    (CheckId::EvidenceGaps, "evidence.gaps"),
    (CheckId::EvidenceLabels, "evidence.labels"),
    (CheckId::EvidenceEnd, "evidence.end"),
    (CheckId::Budget, "budget"),
    (CheckId::Downtime, "downtime"),
    (CheckId::BadAnswers, "bad-answers"),
    (CheckId::LostWrites, "lost-writes"),
    (CheckId::CorruptWrites, "corrupt-writes"),
    (CheckId::PhantomWrites, "phantom-writes"),
    (CheckId::Deploy, "deploy"),
    (CheckId::Rollback, "rollback"),
];

/// Names that checks had, for scenario files and histories of that time.
const RENAMED: [(&str, CheckId); 3] = [
    ("lost-links", CheckId::LostWrites),
    ("corrupt-links", CheckId::CorruptWrites),
    ("phantom-links", CheckId::PhantomWrites),
];

impl CheckId {
    /// The check that was called this in an earlier version, and has another name now.
    pub fn renamed(name: &str) -> Option<Self> {
        let known = RENAMED.iter().find(|(old, _)| *old == name);
        known.map(|(_, check)| check.clone())
    }

    /// Whether it says that the drill proves anything at all, rather than whether the system did well.
    pub fn is_evidence(&self) -> bool {
        matches!(
            self,
            Self::EvidenceSteady
                | Self::EvidenceFault(_)
                | Self::EvidenceVoids
                | Self::EvidenceGaps
                | Self::EvidenceLabels
                | Self::EvidenceEnd
        )
    }

    /// How checks are named that a scenario can require to breach.
    pub(crate) const NAMES: [&'static str; 14] = [
        "budget",
        "downtime",
        "bad-answers",
        "lost-writes",
        "corrupt-writes",
        "phantom-writes",
        "deploy",
        "rollback",
        "journey.NAME",
        "alert.KIND",
        "never.WHAT",
        "rung.NAME",
        "release.NAME",
        "log.SERVICE",
    ];

    /// The names of checks that a scenario can require to breach, whatever else it says.
    pub(crate) const ALWAYS_MADE: [Self; 4] = [
        Self::Budget,
        Self::LostWrites,
        Self::CorruptWrites,
        Self::PhantomWrites,
    ];

    /// The check of this name, or [`CheckId::Unknown`]: for stored histories, which must read for good.
    pub fn stored(name: &str) -> Self {
        name.parse().unwrap_or_else(|_| Self::Unknown(name.to_owned()))
    }

    /// The name of a kind of check with a parameter, and the parameter.
    fn parts(&self) -> Option<(&'static str, Cow<'_, str>)> {
        let (kind, of) = match self {
            Self::EvidenceFault(step) => ("evidence.fault", Cow::Owned(step.to_string())),
            Self::Journey(name) => ("journey", Cow::Borrowed(name.as_str())),
            Self::Alert(kind) => ("alert", Cow::Borrowed(kind.as_str())),
            Self::Never(never) => ("never", Cow::Borrowed(never.name())),
            Self::Rung(name) => ("rung", Cow::Borrowed(name.as_str())),
            Self::Release(name) => ("release", Cow::Borrowed(name.as_str())),
            Self::Log(service) => ("log", Cow::Borrowed(service.as_str())),
            _ => return None,
        };
        Some((kind, of))
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Unknown(name) = self {
            return f.pad(name);
        }
        if let Some((kind, of)) = self.parts() {
            return f.pad(&format!("{kind}.{of}"));
        }
        let plain = PLAIN.iter().find(|(check, _)| check == self);
        f.pad(plain.map_or("", |(_, name)| name))
    }
}

impl FromStr for CheckId {
    type Err = UnknownCheck;

    fn from_str(name: &str) -> Result<Self, UnknownCheck> {
        let unknown = || UnknownCheck {
            name: name.to_owned(),
        };
        if let Some((check, _)) = PLAIN.iter().find(|(_, plain)| *plain == name) {
            return Ok(check.clone());
        }
        // Old names are read everywhere, so that stored verdicts and old scenario files stay valid.
        if let Some(check) = Self::renamed(name) {
            return Ok(check);
        }
        // The parameter is everything after the first dot: a journey's name may have dots itself.
        let (kind, of) = name
            .split_once('.')
            .filter(|(_, of)| !of.is_empty())
            .ok_or_else(unknown)?;
        match kind {
            "evidence" => {
                let step = of.strip_prefix("fault.").and_then(|step| step.parse().ok());
                step.map(Self::EvidenceFault).ok_or_else(unknown)
            }
            "never" => {
                let never = Never::ALL.iter().find(|never| never.name() == of);
                never.copied().map(Self::Never).ok_or_else(unknown)
            }
            "journey" => Ok(Self::Journey(of.into())),
            "alert" => Ok(Self::Alert(of.into())),
            "rung" => Ok(Self::Rung(of.into())),
            "release" => Ok(Self::Release(of.into())),
            "log" => Ok(Self::Log(of.into())),
            _ => Err(unknown()),
        }
    }
}

impl Serialize for CheckId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CheckId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for CheckId {
    fn schema_name() -> Cow<'static, str> {
        "CheckId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "The name of a check: budget, downtime, bad-answers, lost-writes, corrupt-writes, phantom-writes, deploy, rollback, \
                journey.NAME, alert.KIND, never.WHAT, rung.NAME, release.NAME or log.SERVICE.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_reads_back_from_its_name() {
        let plain = PLAIN.iter().map(|(check, _)| check.clone());
        let with_parameters = [
            CheckId::EvidenceFault(12),
            CheckId::Journey("a.b".into()),
            CheckId::Alert("rolled-back".into()),
            CheckId::Never(Never::Rollback),
            CheckId::Never(Never::Alert),
            CheckId::Never(Never::Fallback),
            CheckId::Rung("last-good".into()),
            CheckId::Release("v2".into()),
            CheckId::Log("app".into()),
        ];
        for check in plain.chain(with_parameters) {
            assert_eq!(check.to_string().parse(), Ok(check.clone()), "{check}");
            let json = serde_json::to_string(&check).unwrap();
            assert_eq!(json, format!("\"{check}\""));
            assert_eq!(serde_json::from_str::<CheckId>(&json).unwrap(), check);
            assert_eq!(
                check.is_evidence(),
                check.to_string().starts_with("evidence."),
                "{check}"
            );
        }
    }

    /// Scenario files, stored histories and reports use these names: another one is an entry of [`RENAMED`].
    #[test]
    fn the_names_of_checks_stay() {
        for name in [
            "evidence.steady",
            "evidence.fault.3",
            "evidence.voids",
            "evidence.gaps",
            "evidence.labels",
            "evidence.end",
            "budget",
            "downtime",
            "journey.home page",
            "bad-answers",
            "lost-writes",
            "corrupt-writes",
            "phantom-writes",
            "deploy",
            "rollback",
            "alert.rejected",
            "never.rollback",
            "never.alert",
            "never.fallback",
            "rung.memory",
            "release.v1",
            "log.app",
        ] {
            assert_eq!(name.parse::<CheckId>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn a_name_of_an_earlier_version_is_read_as_the_present_one() {
        assert_eq!("lost-links".parse(), Ok(CheckId::LostWrites));
        assert_eq!(CheckId::stored("corrupt-links").to_string(), "corrupt-writes");
        assert_eq!(CheckId::renamed("lost-writes"), None);
    }

    #[test]
    fn a_name_of_no_check_is_refused_and_survives_in_a_history() {
        for name in [
            "",
            "downtimes",
            "journey.",
            "journey",
            "evidence.fault.x",
            "never.mind",
            "x.y",
        ] {
            assert_eq!(name.parse::<CheckId>(), Err(UnknownCheck { name: name.into() }));
            assert_eq!(CheckId::stored(name).to_string(), name);
        }
    }
}
