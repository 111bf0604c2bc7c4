//! The files' own words, as types. A doc comment here is the description an editor shows from the JSON Schema.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sample::Mode;
use crate::units::{Rate, Share, Size, Span};

/// A table of names to templates, in the order of the names.
pub type Texts = BTreeMap<String, String>;

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
    /// Environment variables added to services of the system, to switch a layer off, say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Texts>,
    /// Journeys at another rate than the system file says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<String, Rate>,
    /// `false` starts on an empty store: nothing is seeded, and journeys that need seeded records do not run.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub seeded: bool,
    /// How often this is expected to happen in a year, and why one thinks so. Never guessed by the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_year: Option<PerYear>,
    /// What an outage costs that is still open when the drill ends: the time until a person has repaired it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual_recovery: Option<Span>,
    /// The contract profile that the verdict uses.
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
    /// A calendar five minutes is down when any of its requests fail.
    FiveMinuteMean,
}

/// The lengths of a drill's parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// All journeys good for this long before the first step (500 ms).
    pub steady: Span,
    /// All journeys good for this long after the last step or revert: recovery has been seen (1500 ms).
    pub quiet: Span,
    /// At most this long after the last step or revert, however bad it looks (5 s): then the outage is still open.
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When, counted from the end of the steady-state check.
    pub at: Span,
    /// Revert it after this long. Without it the fault stays until the drill ends: the system must cope by itself.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub lasting: Option<Span>,
    /// The fault: its name, and its parameters as the file gives them.
    #[serde(flatten)]
    pub fault: FaultCall,
}

/// Only a place holder: which faults there are is known to the catalogue, which the schema is completed with.
impl JsonSchema for Step {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object", "description": "One thing that happens: a time and one fault." })
    }
}

/// A fault's name with its parameters: `kill = { service = "app" }`.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultCall {
    /// The fault's name, one of the catalogue's.
    pub name: String,
    /// Its parameters, checked against the catalogue.
    pub params: serde_json::Value,
}

impl Serialize for FaultCall {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(&self.name, &self.params)])
    }
}

impl<'de> Deserialize<'de> for FaultCall {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut calls = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
        match (calls.pop_first(), calls.is_empty()) {
            (Some((name, params)), true) => Ok(Self { name, params }),
            _ => Err(serde::de::Error::custom(
                "a step is one fault; write two steps for two",
            )),
        }
    }
}

/// What the catalogue tells about a fault: enough to check a file and to teach a reader. The fault modules own them;
/// the loader is given them, so that files are checked without knowing any fault.
#[derive(Debug, Clone, Copy)]
pub struct FaultKind {
    /// The key in a step.
    pub name: &'static str,
    /// One line: what breaks.
    pub summary: &'static str,
    /// Its family in the documentation: release, store, process, network, dependency, resource.
    pub family: &'static str,
    /// An example step body, as TOML.
    pub example: &'static str,
    /// Whether `for` makes sense: something can be reverted.
    pub lasts: bool,
    /// What it needs of the system, or it could never take effect.
    pub requires: &'static [Requirement],
    /// The JSON Schema of its parameters.
    pub schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
    /// Parses parameters, to report what serde finds.
    pub check: fn(&serde_json::Value) -> Result<(), String>,
}

/// What a fault needs of the system that it breaks, beyond that what it names is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// Its service runs when its time comes: it starts, or a release was deployed to it before.
    Running,
    /// Its service is brought back by a restart policy.
    BroughtBack,
    /// Its volume has a limited size, of no more than [`LARGEST_FILLED`].
    SizedVolume,
    /// The limit that it asks for is lower than the service's own.
    LowerLimit,
    /// Some service is told where the drill's alert receiver is.
    Alerts,
}

/// No volume for a drill is larger; whatever is, was not meant to be filled.
pub const LARGEST_FILLED: Size = Size(1 << 30);

/// What must hold. Whatever is not stated: downtime within the budget, no journey of data lost or corrupt.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The service's downtime, judged on its upper bound (`at_most`) and its lower bound (`at_least`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downtime: Option<Limits>,
    /// What each journey may suffer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub journeys: BTreeMap<String, Tolerance>,
    /// The way back to a release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// Alerts that must arrive, in any order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<ExpectedAlert>,
    /// What must not happen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<Never>,
    /// Rungs that must have answered at least once: the fallback was really exercised.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rungs: Vec<String>,
    /// Releases that must have answered at least once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<String>,
    /// Acknowledged writes that may be lost (0). A control that must lose some says so in `control.breaches`.
    pub lost_links: u64,
    /// A text that must stand in the logs of a service.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub logs: BTreeMap<String, String>,
}

/// A range of times.
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

/// What a journey may suffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Tolerance {
    /// Every answer the normal one.
    #[serde(rename = "always good")]
    AlwaysGood,
    /// No bad answer at all, and no fallback needed to be.
    #[serde(rename = "never down", alias = "fallback allowed")]
    NeverDown,
    /// Bad answers in whatever number; counts towards the downtime when the journey is essential.
    #[serde(rename = "may be down")]
    MayBeDown,
    /// It must have been down: what really happens, stated.
    #[serde(rename = "goes down")]
    GoesDown,
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

/// What must not happen in a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Never {
    /// Answers going back from a later release to an earlier one.
    Rollback,
    /// Any alert.
    Alert,
    /// Any answer by a fallback.
    Fallback,
}

/// Why a scenario must breach, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// What it proves that this one breaches.
    pub because: String,
    /// The names of exactly the checks that must breach.
    pub breaches: Vec<String>,
}

/// A system: the services a drill starts, and what its users do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// One sentence.
    pub summary: String,
    /// The service that users talk to; may be left out when there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// The services, by name. They start in the order of `after`, then of names.
    #[serde(rename = "service")]
    pub services: BTreeMap<String, Service>,
    /// Records that journeys and seeding speak of, by name: fields as templates over `{n}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub records: BTreeMap<String, Records>,
    /// How the store is filled before the drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<Seed>,
    /// What users do.
    #[serde(default, rename = "journey")]
    pub journeys: Vec<Journey>,
    /// Where an answer says which release gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// How a release reaches production. Without it: all at once (stop the old one, start the new one).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deploy: Vec<DeployAction>,
}

/// One service of a system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Where it comes from: exactly one of `package`, `image`, `dockerfile`, `command`.
    pub build: Build,
    /// Its arguments, as templates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The release it starts with; `{release}` in templates.
    #[serde(default)]
    pub release: String,
    /// The port it listens on inside a container; `{listen}` gives the whole address to bind.
    pub port: u16,
    /// Further ports by name; `{listen.NAME}` gives the address to bind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ports: BTreeMap<String, u16>,
    /// Environment variables, as templates. Nothing is inherited from the harness's own.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub env: Texts,
    /// Folders that outlive the process: name to path inside a container; `{volume.NAME}` gives the path to use.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub volumes: Texts,
    /// Volumes of other services that this one shares: volume name here to `service/volume` there.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub shares: Texts,
    /// When it counts as ready.
    #[serde(default)]
    pub ready: Ready,
    /// Services that must be ready before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// `false` leaves it down until a deploy starts it.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub starts: bool,
    /// What brings it back when its process ends by itself.
    #[serde(default)]
    pub restart: Restart,
    /// Limits of its resources.
    #[serde(default)]
    pub limits: ResourceLimits,
}

/// Where a service comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Build {
    /// A package of the cargo workspace around the system file: built statically, so that it runs in an empty image.
    Package {
        /// The package.
        name: String,
        /// Its binary, when it is not named like the package.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bin: Option<String>,
        /// Packages whose binaries lie beside it (`/NAME` in the image; `{bin.NAME}` gives the path).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        with: Vec<String>,
    },
    /// An image the engine has or can pull. Containers only.
    Image(String),
    /// A Dockerfile, relative to the system file. Containers only.
    Dockerfile(PathBuf),
    /// A program and its first arguments. Local processes only.
    Command(Vec<String>),
}

/// When a service counts as ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ready {
    /// A path that answers with a status below 400; without it, a port that accepts a connection is enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The named port to ask; the main one without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// At most this long (10 s).
    pub within: Span,
}

impl Default for Ready {
    fn default() -> Self {
        Self {
            path: None,
            port: None,
            within: Span::from_secs(10),
        }
    }
}

/// What brings a service back when its process ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Nothing.
    #[default]
    No,
    /// The engine (or the harness, for local processes), with back-off, whenever it ended without being told to.
    Always,
}

/// Limits of a service's resources. What a target cannot limit makes the scenario unsupported there.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResourceLimits {
    /// Memory; beyond it the kernel kills the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    /// Processor share: 50% is half of one core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Share>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<u32>,
    /// Volumes of a limited size, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub volume: BTreeMap<String, Size>,
}

/// A family of records: `{NAME.FIELD}` in templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// How many there are: they are used in turn. Without it every use is a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The fields, as templates over `{n}`, a number of its own for each record.
    pub fields: Texts,
}

/// How the store is filled: one request a record, through the front door.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The counted records to store.
    pub records: String,
    /// The request that stores one.
    pub request: Request,
    /// Its right answer.
    pub answer: Answer,
}

/// One thing a user does, with the right answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Journey {
    /// Its name in reports and expectations.
    pub name: String,
    /// Whether the service is down when this journey is (true). Others are reported apart.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub essential: bool,
    /// Probes in all, shared evenly by its connection modes and clients.
    pub rate: Rate,
    /// So many users at the very same instant, each time (1).
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub clients: u32,
    /// How its probes connect (both ways).
    #[serde(default = "both_modes")]
    pub connections: Vec<Mode>,
    /// An answer later than this is bad (250 ms).
    #[serde(default = "deadline")]
    pub deadline: Span,
    /// The client gives up after this (1 s).
    #[serde(default = "timeout")]
    pub timeout: Span,
    /// What is asked.
    pub request: Request,
    /// The right answer.
    pub answer: Answer,
    /// How a right answer says that it was served another way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
    /// This journey writes: what was acknowledged is remembered and read back at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remember: Option<Remember>,
}

fn one() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_one(value: &u32) -> bool {
    *value == 1
}

fn both_modes() -> Vec<Mode> {
    vec![Mode::New, Mode::Reused]
}

fn deadline() -> Span {
    Span::from_millis(250)
}

fn timeout() -> Span {
    Span::from_secs(1)
}

/// A request, as templates over records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The method (GET).
    #[serde(default = "get")]
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Headers.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub header: Texts,
    /// Form fields, sent as `application/x-www-form-urlencoded`.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub form: Texts,
    /// A body, instead of a form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

fn get() -> String {
    "GET".into()
}

/// The right answer. Content is always checked: a redirect to the wrong place is bad, not up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The status, exactly.
    pub status: u16,
    /// Headers that must have exactly these values, as templates.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub header: Texts,
    /// A text the body must contain, as a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_contains: Option<String>,
}

/// How a right answer says that it was served another way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// The header that names the way.
    pub header: String,
    /// Values of it that are the normal way; any other is a fallback, named by the value.
    pub normal: Vec<String>,
}

/// How an acknowledged write is read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remember {
    /// The header of the acknowledgement that says where it can be read: `{link}` in `request`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_header: Option<String>,
    /// Where it can be read when the acknowledgement does not say, or when there was none: `{link}` as a template over
    /// records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The request that reads it back.
    pub request: Request,
    /// The answer when it is there and right.
    pub answer: Answer,
    /// The status that says it is not there.
    #[serde(default = "not_found")]
    pub gone: u16,
}

fn not_found() -> u16 {
    404
}

/// Where an answer says which release gave it: exactly one of `header`, `body`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Identity {
    /// The header that names the release.
    Header(String),
    /// The part of the body that names it.
    Body(Between),
}

/// A part of a text: what stands between two others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// It begins after the first place where this stands.
    pub after: String,
    /// It ends before the next place where this stands.
    pub until: String,
}

/// One action of a deploy recipe, in order. `{release}` is the new release, `{service}` the slot it goes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum DeployAction {
    /// Start the release in the slot: stop what runs there, start the new one under the same address.
    Replace(#[serde(default)] EmptyTable),
    /// Ask a service of the system over HTTP.
    Request {
        /// The service to ask.
        service: String,
        /// Its named port; the main one without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<String>,
        /// What is asked.
        request: Request,
        /// At most this long (30 s). An answer of 400 or above is a refusal, recorded as such.
        #[serde(default = "deploy_limit")]
        within: Span,
    },
    /// Run a program (never a shell), with templates in its arguments.
    Command {
        /// Program and arguments.
        argv: Vec<String>,
        /// At most this long (5 min).
        #[serde(default = "command_limit")]
        within: Span,
    },
}

/// A table without keys: `{}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmptyTable {}

fn deploy_limit() -> Span {
    Span::from_secs(30)
}

fn command_limit() -> Span {
    Span::from_secs(300)
}

/// The project file `firedrill.toml`, searched from the scenario's folder upward: what holds for all scenarios.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Project {
    /// The downtime that may be used.
    pub budget: Budget,
    /// The contract profile that verdicts use.
    pub contract: Contract,
    /// What an outage costs that is still open when a drill ends, where the scenario does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manual_recovery: Option<Span>,
    /// The ledger of real incidents, and the year they are counted in.
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

/// Where real incidents are written down, and which year they are counted in.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Year {
    /// The budget's window up to now, whatever the date.
    #[default]
    Rolling,
    /// From the first of January to the last of December.
    Calendar,
}

/// So much downtime in so long a window.
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

/// A scenario with everything it refers to, checked: what a drill runs and what a history begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The scenario's name: its file's, without the ending.
    pub name: String,
    /// The folder that relative paths of the system file are relative to. Not kept in a history.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The scenario as written.
    pub scenario: Scenario,
    /// The system, with the scenario's `releases`, `env` and `rates` applied.
    pub system: System,
    /// The project's settings.
    pub project: Project,
}

impl Plan {
    /// The service that users talk to.
    pub fn entry(&self) -> &str {
        self.system
            .entry
            .as_deref()
            .or_else(|| self.system.services.keys().next().map(String::as_str))
            .unwrap_or_default()
    }

    /// The contract profile of the verdict: the scenario's, else the project's.
    pub fn contract(&self) -> Contract {
        self.scenario.contract.unwrap_or(self.project.contract)
    }

    /// What an outage costs that is still open at the end: the scenario's price, else the project's, else unknown.
    pub fn manual_recovery(&self) -> Option<Span> {
        self.scenario.manual_recovery.or(self.project.manual_recovery)
    }
}
