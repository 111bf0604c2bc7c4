//! The configuration: one TOML text. Command-line switches override parts of it, so that a drill can remove a layer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use firedrill_logs::Secret;
use firedrill_logs::redact;
use serde::{Deserialize, Deserializer};

use crate::alert;
use crate::duration::with_unit;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not TOML, has an unknown key, or a value of the wrong type.
    #[error("invalid configuration: {0}")]
    Shape(#[from] toml::de::Error),
    /// The live slot is not defined.
    #[error("`live.slot` names the slot `{0}`, which is not defined")]
    UnknownSlot(String),
    /// There is no slot for the next release.
    #[error("define at least two slots: one for the live release and one for the next")]
    OneSlot,
    /// Without a token anybody could deploy.
    #[error("`token` must not be empty: it protects the admin listener")]
    NoToken,
}

/// The configuration of an edge.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The address that users connect to.
    pub listen: SocketAddr,
    /// The address that the deployment pipeline connects to.
    pub admin: SocketAddr,
    /// The bearer token of the admin listener.
    pub token: Secret,
    /// The folder of the state, which must survive a restart.
    pub state: PathBuf,
    /// The response header in which a release sends its name.
    #[serde(default)]
    pub identity: Option<String>,
    /// The live release when there is no state yet.
    pub live: Placed,
    /// The slots in which a release can run, by name.
    #[serde(rename = "slot")]
    pub slots: BTreeMap<String, Slot>,
    /// When a release is ready in its slot.
    #[serde(default)]
    pub ready: Ready,
    /// How requests are forwarded.
    #[serde(default)]
    pub proxy: Proxy,
    /// When a release is rolled back.
    #[serde(default)]
    pub watch: Watch,
    /// The unit gate, if there is one.
    #[serde(default)]
    pub unit: Option<Unit>,
    /// The staging gate, if there is one.
    #[serde(default)]
    pub staging: Option<Staging>,
    /// Alerts and their receivers.
    #[serde(default)]
    pub alert: alert::Settings,
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// When it is not TOML, has unknown keys or wrong types, or contradicts itself.
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

/// A release and the slot that it runs in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placed {
    /// The slot.
    pub slot: String,
    /// The release.
    #[serde(deserialize_with = "release_name")]
    pub release: String,
}

/// Reads the name of a release. It becomes part of file names and of command lines, so it must neither leave a folder nor
/// look like an option.
fn release_name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let name = String::deserialize(from)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let valid = (1..=64).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with(['.', '-']);
    if valid {
        return Ok(name);
    }
    Err(serde::de::Error::custom(
        "the name of a release has 1 to 64 letters, digits, `.`, `_` or `-`, and begins with a letter, a digit or `_`",
    ))
}

/// A slot in which a release can run.
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
    /// The path that is requested; a status below 400 means ready.
    pub path: String,
    /// How long a release may take to become ready.
    #[serde(deserialize_with = "with_unit")]
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

/// How requests are forwarded.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    /// When the live release has not answered after this time, the request is also sent to the last working one. Choose it
    /// well below the users' timeout, so that the second answer is in time.
    #[serde(deserialize_with = "with_unit")]
    pub deadline: Duration,
    /// How long the edge waits for an answer at all.
    #[serde(deserialize_with = "with_unit")]
    pub give_up: Duration,
    /// The largest request body, in bytes. It is held in memory until the answer is complete.
    pub longest_request: usize,
    /// The largest answer body that is received completely before it is forwarded, in bytes. Larger ones are streamed.
    pub longest_answer: usize,
    /// The hosts that are served; requests for others get status 421. Without any, every valid host is served.
    pub hosts: Vec<String>,
    /// Rules for some paths.
    pub route: Vec<Route>,
}

/// A rule for a path and everything below it. The longest matching path wins.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The path, beginning with `/`.
    pub path: String,
    /// Whether a request that may change something is repeated on the last working release when the live one fails it. The
    /// edge adds an idempotency key to such a request; set this to `false` where the service ignores the key, because a
    /// repeated request would then be executed twice. Users see the failures of these requests.
    #[serde(default = "yes")]
    pub replay: bool,
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            deadline: Duration::from_millis(120),
            give_up: Duration::from_secs(2),
            longest_request: 2 << 20,
            longest_answer: 1 << 20,
            hosts: Vec::new(),
            route: Vec::new(),
        }
    }
}

/// When a release is rolled back.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watch {
    /// `false` leaves a bad release live and only sends alerts.
    pub rollback: bool,
    /// How many requests the new release must fail that the last working one answers.
    pub pairs: usize,
    /// The time within which they count together.
    #[serde(deserialize_with = "with_unit")]
    pub window: Duration,
    /// A release that is live for this long without a rollback has settled.
    #[serde(deserialize_with = "with_unit")]
    pub settle: Duration,
    /// How often an alert is repeated while its cause lasts.
    #[serde(deserialize_with = "with_unit")]
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

/// The unit gate: a command that exits with 0 when the release passes. `{release}` in its arguments is replaced.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// `false` switches it off.
    #[serde(default = "yes")]
    pub on: bool,
    /// The program and its arguments. No shell is involved.
    pub command: Vec<String>,
    /// How long the command may take.
    #[serde(default = "ten_seconds", deserialize_with = "with_unit")]
    pub within: Duration,
}

/// The staging gate: a second instance of the candidate on a copy of the production store.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staging {
    /// `false` switches it off.
    #[serde(default = "yes")]
    pub on: bool,
    /// The program and its arguments that serve a release. `{release}`, `{listen}` and `{store}` are replaced.
    pub command: Vec<String>,
    /// Its environment, with the same placeholders. Of the edge's own environment only `PATH` and `TMPDIR` are inherited.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The folder of the production store, which is copied.
    pub store: PathBuf,
    /// Where the copy contains known records.
    pub known: Known,
    /// How long the release may take to become ready.
    #[serde(default = "ten_seconds", deserialize_with = "with_unit")]
    pub within: Duration,
    /// The longest allowed median time of a journey's answers.
    #[serde(default = "late", deserialize_with = "with_unit")]
    pub late: Duration,
    /// The journeys, in order.
    #[serde(rename = "journey")]
    pub journeys: Vec<Journey>,
}

impl Staging {
    /// The secrets in its environment.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let secret = self.env.iter().filter(|(name, _)| redact::is_secret_name(name));
        secret.map(|(_, value)| Secret::new(value)).collect()
    }
}

/// Known records: a JSON object in a file of the store, each member one record.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The file, relative to the store.
    pub file: PathBuf,
    /// A JSON pointer to the target in a member's value. Members without a target are skipped.
    pub target: String,
    /// How many records are tried; they are spread evenly over the file.
    #[serde(default = "twenty")]
    pub sample: usize,
}

/// One kind of request that is tried in staging, several times.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journey {
    /// Its name in the evidence.
    pub name: String,
    /// The records it uses: known ones (`{key}`, `{target}`) or new ones (`{n}`).
    pub over: Over,
    /// The number of new records. One is not enough: a release may fail from the second write on.
    #[serde(default = "three")]
    pub times: usize,
    /// Whether the last working release is tried afterwards on the store that the candidate wrote: a rollback must remain
    /// possible.
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
    /// The expected status.
    pub status: u16,
    /// Response headers, each with its allowed values.
    #[serde(default)]
    pub header: BTreeMap<String, Vec<String>>,
}

/// The records that a journey uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// Records in the copied store.
    Known,
    /// New records.
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
    fn durations_have_units() {
        let config = Config::parse(&format!("{SMALL}\nproxy.deadline = \"80ms\"")).unwrap();
        assert_eq!(config.proxy.deadline, Duration::from_millis(80));
    }

    #[test]
    fn the_debug_form_hides_the_token() {
        let config = Config::parse(SMALL).unwrap();
        assert!(!format!("{config:?}").contains("sesame"));
    }

    #[test]
    fn a_release_name_that_could_leave_a_folder_or_look_like_an_option_is_refused() {
        let named =
            |name: &str| Config::parse(&SMALL.replace("release = \"v1\"", &format!("release = {name:?}")));
        for name in [
            "../../x",
            "a/b",
            ".hidden",
            "-x",
            "",
            "v 1",
            "v1\n",
            &"v".repeat(65),
        ] {
            assert!(matches!(named(name), Err(Error::Shape(_))), "{name:?}");
        }
        assert!(named("v3.1-rc_2").is_ok());
    }

    #[test]
    fn an_unknown_key_or_slot_is_an_error() {
        assert!(Config::parse(&format!("{SMALL}\nproxy.deadlin = \"80ms\"")).is_err());
        let elsewhere = SMALL.replace("slot = \"blue\"", "slot = \"red\"");
        assert!(matches!(Config::parse(&elsewhere), Err(Error::UnknownSlot(slot)) if slot == "red"));
    }
}
