//! How an edge is set up: one TOML text, and switches that override it, so that a scenario can take a layer away.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::alert;
use crate::redact;
pub use crate::redact::Secret;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no TOML, or not of this shape.
    #[error("the configuration: {0}")]
    Shape(#[from] toml::de::Error),
    /// The live slot is none of the slots.
    #[error("`live.slot` is `{0}`, which is none of the slots")]
    UnknownSlot(String),
    /// There is nowhere to start the next release.
    #[error("there must be two slots at least: one for the live release and one for the next")]
    OneSlot,
    /// Anybody could deploy.
    #[error("`token` must not be empty: it guards the admin listener")]
    NoToken,
}

/// Everything an edge is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where users come in.
    pub listen: SocketAddr,
    /// Where the pipeline comes in.
    pub admin: SocketAddr,
    /// The admin listener's bearer token.
    pub token: Secret,
    /// The folder of the state, which outlives the process.
    pub state: PathBuf,
    /// The header of an answer that names the release that gave it.
    #[serde(default)]
    pub identity: Option<String>,
    /// What is live when there is no state yet.
    pub live: Placed,
    /// The places where a release can run.
    #[serde(rename = "slot")]
    pub slots: BTreeMap<String, Slot>,
    /// When a release is ready in its slot.
    #[serde(default)]
    pub ready: Ready,
    /// How requests are passed on.
    #[serde(default)]
    pub proxy: Proxy,
    /// When to go back.
    #[serde(default)]
    pub watch: Watch,
    /// The first gate; without it there is none.
    #[serde(default)]
    pub unit: Option<Unit>,
    /// The second gate; without it there is none.
    #[serde(default)]
    pub staging: Option<Staging>,
    /// Who is told.
    #[serde(default)]
    pub alert: alert::Settings,
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// When it is no TOML, not of this shape, or contradicts itself.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut config: Self = toml::from_str(text)?;
        if !config.slots.contains_key(&config.live.slot) {
            return Err(Error::UnknownSlot(config.live.slot));
        }
        if config.slots.len() < 2 {
            return Err(Error::OneSlot);
        }
        if config.token.expose().is_empty() {
            return Err(Error::NoToken);
        }
        config.alert.secrets = config.staging.iter().flat_map(Staging::secrets).collect();
        config.alert.secrets.push(config.token.clone());
        Ok(config)
    }
}

/// A release in its slot.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placed {
    /// The slot.
    pub slot: String,
    /// The release.
    pub release: String,
}

/// A place where a release can run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Its address: `http://host:port`.
    pub url: String,
}

/// When a release is ready in its slot.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ready {
    /// A path that answers with a status below 400.
    pub path: String,
    /// At most this long.
    #[serde(deserialize_with = "span")]
    pub within: Duration,
}

impl Default for Ready {
    fn default() -> Self {
        Self {
            path: "/readyz".into(),
            within: Duration::from_secs(10),
        }
    }
}

/// How requests are passed on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    /// A live release that has not answered by then is compared with the last working one. Well below the users' own
    /// patience, so that the second answer is still in time.
    #[serde(deserialize_with = "span")]
    pub deadline: Duration,
    /// An answer that no release has given by then is not waited for any longer.
    #[serde(deserialize_with = "span")]
    pub give_up: Duration,
    /// A request's body, at most, in bytes: it is kept until the answer is there.
    pub longest_request: usize,
    /// An answer's body, at most, in bytes, that is received as a whole before its first byte is passed on.
    pub longest_answer: usize,
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            deadline: Duration::from_millis(120),
            give_up: Duration::from_secs(2),
            longest_request: 2 << 20,
            longest_answer: 1 << 20,
        }
    }
}

/// When to go back.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watch {
    /// `false` leaves a bad release live: its failures are told, nothing is done.
    pub rollback: bool,
    /// So many requests that the new release failed and the last working one answered.
    pub pairs: usize,
    /// Within so long.
    #[serde(deserialize_with = "span")]
    pub window: Duration,
    /// A release that was watched for so long without being rolled back has proved itself.
    #[serde(deserialize_with = "span")]
    pub settle: Duration,
    /// What goes on is told again after so long.
    #[serde(deserialize_with = "span")]
    pub repeat: Duration,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            rollback: true,
            pairs: 3,
            window: Duration::from_secs(10),
            settle: Duration::from_secs(60),
            repeat: Duration::from_secs(30),
        }
    }
}

/// The unit gate: a command that ends with 0 when the release may pass. `{release}` in its arguments.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// `false` switches it off.
    #[serde(default = "yes")]
    pub on: bool,
    /// Program and arguments; never a shell.
    pub command: Vec<String>,
    /// At most this long.
    #[serde(default = "ten_seconds", deserialize_with = "span")]
    pub within: Duration,
}

/// The staging gate: a second instance of the candidate on a copy of the production store.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staging {
    /// `false` switches it off.
    #[serde(default = "yes")]
    pub on: bool,
    /// Program and arguments that serve a release; `{release}`, `{listen}`, `{store}`.
    pub command: Vec<String>,
    /// Its environment, the same templates. Nothing else of the edge's own is passed on.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The folder of the production store, which is copied.
    pub store: PathBuf,
    /// Where the known records are in the copy.
    pub known: Known,
    /// At most this long to become ready.
    #[serde(default = "ten_seconds", deserialize_with = "span")]
    pub within: Duration,
    /// A journey whose answers take longer than this, in the median, fails.
    #[serde(default = "late", deserialize_with = "span")]
    pub late: Duration,
    /// What is tried, in order.
    #[serde(rename = "journey")]
    pub journeys: Vec<Journey>,
}

impl Staging {
    /// What must not be printed of its environment.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let secret = self.env.iter().filter(|(name, _)| redact::sounds_secret(name));
        secret.map(|(_, value)| Secret::new(value)).collect()
    }
}

/// Known records: a JSON object in a file of the store, each member one record.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The file, relative to the store.
    pub file: PathBuf,
    /// Where the target is in a member's value, as a JSON pointer. Members without one are passed over.
    pub target: String,
    /// So many of them are tried, evenly spread.
    #[serde(default = "twenty")]
    pub sample: usize,
}

/// One thing tried in staging, several times over.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journey {
    /// Its name in the evidence.
    pub name: String,
    /// What it is tried over: known records (`{key}`, `{target}`), or new ones (`{n}`).
    pub over: Over,
    /// How often, over new ones: once says nothing of a release that works once.
    #[serde(default = "three")]
    pub times: usize,
    /// Also asked of the last working release afterwards, on what the candidate has left: the way back must stay open.
    #[serde(default)]
    pub way_back: bool,
    /// The method.
    #[serde(default = "get")]
    pub method: String,
    /// The path.
    pub path: String,
    /// Form fields.
    #[serde(default)]
    pub form: BTreeMap<String, String>,
    /// The right status.
    pub status: u16,
    /// Headers that must have one of these values.
    #[serde(default)]
    pub header: BTreeMap<String, Vec<String>>,
}

/// What a journey is tried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// Records of the copied store.
    Known,
    /// Records made for the occasion.
    New,
}

fn yes() -> bool {
    true
}

fn get() -> String {
    "GET".into()
}

fn three() -> usize {
    3
}

fn twenty() -> usize {
    20
}

fn late() -> Duration {
    Proxy::default().deadline
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

/// A duration as people write it: "120ms", "10s".
pub(crate) fn span<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let span = jiff::SignedDuration::deserialize(from)?;
    Duration::try_from(span).map_err(serde::de::Error::custom)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const SMALL: &str = r#"
        listen = "127.0.0.1:0"
        admin = "127.0.0.1:0"
        token = "open sesame"
        state = "state"
        live = { slot = "blue", release = "v1" }
        slot.blue.url = "http://127.0.0.1:1"
        slot.green.url = "http://127.0.0.1:2"
    "#;

    #[test]
    fn durations_are_written_as_people_do() {
        let config = Config::parse(&format!("{SMALL}\nproxy.deadline = \"80ms\"")).unwrap();
        assert_eq!(config.proxy.deadline, Duration::from_millis(80));
    }

    #[test]
    fn a_token_is_not_printed() {
        let config = Config::parse(SMALL).unwrap();
        assert!(!format!("{config:?}").contains("sesame"));
    }

    #[test]
    fn an_unknown_key_or_slot_is_an_error() {
        assert!(Config::parse(&format!("{SMALL}\nproxy.deadlin = \"80ms\"")).is_err());
        let elsewhere = SMALL.replace("slot = \"blue\"", "slot = \"red\"");
        assert!(matches!(Config::parse(&elsewhere), Err(Error::UnknownSlot(slot)) if slot == "red"));
    }
}
