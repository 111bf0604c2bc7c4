//! The project file: the budget and other settings of all scenarios.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Contract;
use crate::units::Span;

/// The project file `firedrill.toml`, searched from the scenario's folder upward: the settings of all scenarios.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Project {
    /// The downtime that may be used.
    pub budget: Budget,
    /// The contract that verdicts use.
    pub contract: Contract,
    /// The price of an outage that is still down when a drill ends, where the scenario names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manual_recovery: Option<Span>,
    /// The ledger of real incidents, and the year they count in.
    #[serde(skip_serializing_if = "is_usual")]
    pub ledger: LedgerFile,
}

fn is_usual(ledger: &LedgerFile) -> bool {
    *ledger == LedgerFile::default()
}

impl Default for Project {
    fn default() -> Self {
        Self {
            budget: Budget::default(),
            contract: Contract::Strict,
            manual_recovery: None,
            ledger: LedgerFile::default(),
        }
    }
}

/// Where real incidents are recorded, and which year they count in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerFile {
    /// The file, relative to the project file (ledger.jsonl).
    pub file: PathBuf,
    /// The time zone of the calendar, and of times without one: a name such as Europe/Berlin (UTC).
    pub time_zone: String,
    /// Which year the budget is for (rolling).
    pub year: Year,
}

impl Default for LedgerFile {
    fn default() -> Self {
        Self {
            file: "ledger.jsonl".into(),
            time_zone: "UTC".into(),
            year: Year::default(),
        }
    }
}

/// Which year a budget is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Year {
    /// The budget's window up to now, whatever the date.
    #[default]
    Rolling,
    /// From the first of January to the last of December.
    Calendar,
}

/// The downtime that is allowed in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// The downtime (15 min).
    pub downtime: Span,
    /// The window (365 d).
    pub window: Span,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            downtime: Span::from_secs(900),
            window: Span::from_secs(365 * 86_400),
        }
    }
}
