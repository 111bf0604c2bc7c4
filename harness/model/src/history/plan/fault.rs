//! A step of a stored plan, and what judging must know of its fault.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::scenario;
use crate::units::Span;

/// One thing that happened: a time and a fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// When it was due, counted from the end of the steady-state check.
    pub at: Span,
    /// It was to be reverted after this long; at the drill's end without it.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasting: Option<Span>,
    /// What was broken.
    pub fault: Fault,
}

/// A fault with its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Which.
    pub name: FaultName,
    /// Its parameters as the scenario gave them, to be shown.
    #[serde(default)]
    pub params: Value,
}

/// A fault's name. Faults come and go with versions, so any name is read; what judging asks of it is asked here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultName(String);

impl FaultName {
    /// Whether this fault puts another release in place.
    pub fn is_deploy(&self) -> bool {
        self.0 == scenario::DEPLOY
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FaultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<T: Into<String>> From<T> for FaultName {
    fn from(name: T) -> Self {
        Self(name.into())
    }
}

impl Fault {
    /// Whether requests of users pass what it breaks directly. That is so for a service as a whole, and for the link
    /// from the users to it; a link between two services is out of their sight.
    pub fn is_seen_by_users(&self) -> bool {
        self.param("from").is_none_or(|from| from == scenario::USER)
    }

    /// The release that it puts in place, for a deploy.
    pub fn release(&self) -> Option<&str> {
        self.param("release").filter(|_| self.name.is_deploy())
    }

    /// The service that it breaks, for a fault of one.
    pub fn service(&self) -> Option<&str> {
        self.param("service")
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).and_then(Value::as_str)
    }
}

impl From<&scenario::Step> for Step {
    fn from(step: &scenario::Step) -> Self {
        Self {
            at: step.at,
            lasting: step.lasting,
            fault: Fault {
                name: step.fault.name.as_str().into(),
                params: step.fault.params.clone(),
            },
        }
    }
}

/// Written by hand for format 1, in which the fault's name was the key of its parameters: `"kill": { … }`.
impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = Map::<String, Value>::deserialize(deserializer)?;
        let at = table.remove("at").ok_or_else(|| D::Error::missing_field("at"))?;
        let at = Span::deserialize(at).map_err(D::Error::custom)?;
        let lasting = table.remove("for").map(Span::deserialize).transpose();
        // `at` and `for` are removed by now: in format 1 the key that is left is the fault.
        let fault = match table.remove("fault") {
            Some(fault) => Fault::deserialize(fault).map_err(D::Error::custom)?,
            None => {
                let (name, params) = table
                    .into_iter()
                    .next()
                    .ok_or_else(|| D::Error::missing_field("fault"))?;
                Fault {
                    name: name.into(),
                    params,
                }
            }
        };
        Ok(Self {
            at,
            lasting: lasting.map_err(D::Error::custom)?,
            fault,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(json: Value) -> Step {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_step_of_format_1_reads_like_one_of_format_2() {
        let old = step(json!({ "at": "1s", "for": "2s", "reset": { "from": "edge", "to": "app" } }));
        let new = json!({ "at": "1s", "for": "2s", "fault": { "name": "reset", "params": { "from": "edge", "to": "app" } } });
        assert_eq!(old, step(new.clone()));
        assert_eq!(serde_json::to_value(&old).unwrap(), new);
        assert!(serde_json::from_value::<Step>(json!({ "at": "1s" })).is_err());
    }

    #[test]
    fn what_judging_asks_of_a_fault_is_answered_from_its_parameters() {
        let deploy = step(json!({ "at": "1s", "deploy": { "service": "app", "release": "v2" } })).fault;
        assert!(deploy.name.is_deploy() && deploy.is_seen_by_users());
        assert_eq!(deploy.service(), Some("app"));
        let of_users = step(json!({ "at": "1s", "reset": { "from": "user", "to": "app" } })).fault;
        assert!(of_users.is_seen_by_users() && !of_users.name.is_deploy());
        let between = step(json!({ "at": "1s", "reset": { "from": "edge", "to": "app" } })).fault;
        assert!(!between.is_seen_by_users());
        assert_eq!(between.service(), None);
    }
}
