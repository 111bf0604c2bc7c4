//! Keys of a stored plan that this version does not know.
//!
//! Most of them are ignored. One in what a scenario requires may be a requirement that this version does not check, so
//! that *met* would be a guess: those are collected by name, and leave the drill undecided.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::Scenario;

/// The names of the keys of one table that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnknownKeys(BTreeSet<String>);

/// Flattened into a table, it takes what no other field does.
impl<'de> Deserialize<'de> for UnknownKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let keys = BTreeMap::<String, IgnoredAny>::deserialize(deserializer)?;
        Ok(Self(keys.into_keys().collect()))
    }
}

impl Scenario {
    /// The keys in what had to hold that this version does not know, with the tables that they are in:
    /// `expect.downtime.on_average`. A newer version wrote them, and may have required something by them.
    pub fn unknown_requirements(&self) -> Vec<String> {
        let expect = &self.expect;
        let mut tables = vec![("expect", &expect.unknown)];
        tables.extend(
            expect
                .downtime
                .iter()
                .map(|limits| ("expect.downtime", &limits.unknown)),
        );
        tables.extend(
            expect
                .rollback
                .iter()
                .map(|rollback| ("expect.rollback", &rollback.unknown)),
        );
        tables.extend(
            expect
                .alerts
                .iter()
                .map(|alert| ("expect.alerts", &alert.unknown)),
        );
        tables.extend(self.control.iter().map(|control| ("control", &control.unknown)));
        let keys = tables
            .into_iter()
            .flat_map(|(table, keys)| keys.0.iter().map(move |key| format!("{table}.{key}")));
        // Two alerts may have the same key.
        keys.collect::<BTreeSet<_>>().into_iter().collect()
    }
}
