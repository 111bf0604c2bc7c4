//! A system file: the services a drill starts, and what its users do.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Build, Captures, CommandProbe, Http, JourneyStep, Ready, Statuses, TcpProbe, Texts, Tls, Upload, is_true,
    yes,
};
use crate::sample::Mode;
use crate::units::{Rate, Share, Size, Span};

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
    /// Records that journeys and seeding use, by name: fields as templates over `{n}`.
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
    /// The kinds of alerts that the services send. Where they are named, `expect.alerts` may name no other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alert_kinds: Vec<String>,
}

/// One service of a system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Where it comes from: exactly one of `package`, `image`, `dockerfile`, `command`.
    pub build: Build,
    /// The folder in which its `command` runs, and in which a program given as a path is looked for; relative to the system
    /// file. Without it, the folder of the system file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_folder: Option<PathBuf>,
    /// The user that it runs as, with its group: `1000:1000`, or a name that the image knows. Without it, the image's own.
    /// Containers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Its arguments, as templates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The release it starts with; `{release}` in templates.
    #[serde(default)]
    pub release: String,
    /// The port it listens on inside a container; `{listen}` gives the whole address to bind. A service that nobody connects
    /// to, such as a worker, has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Further ports by name; `{listen.NAME}` gives the address to bind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ports: BTreeMap<String, u16>,
    /// How it speaks TLS, when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// The version of HTTP in which it is asked (auto).
    #[serde(default, skip_serializing_if = "Http::is_auto")]
    pub http: Http,
    /// Environment variables, as templates. A local process inherits PATH, HOME, LANG and TZ where they are not set here, and
    /// nothing else.
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
    /// `false`: it does not run until a deploy starts it.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub starts: bool,
    /// What restarts it when its process ends by itself.
    #[serde(default)]
    pub restart: Restart,
    /// Limits of its resources.
    #[serde(default)]
    pub limits: ResourceLimits,
}

/// What restarts a service when its process ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Restart {
    /// Nothing.
    #[default]
    No,
    /// The engine (or the harness, for local processes), with back-off, whenever nobody stopped it.
    Always,
}

/// Limits of a service's resources. A backend that cannot set one of them does not run the scenario.
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
    /// How many records; they are used in turn. Without it, every use makes a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The fields, as templates over `{n}`, the number of the record.
    pub fields: Texts,
}

/// How the store is filled: one request a record, through the entry.
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

/// One thing a user does, with the right answer: either one request (`request` and `answer`) or several (`step`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Journey {
    /// Its name in reports and expectations.
    pub name: String,
    /// Whether the service is down when this journey is (true). Others are reported apart.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub essential: bool,
    /// Probes in total, divided evenly among its connection modes and clients.
    pub rate: Rate,
    /// How many users send the request at the same instant (1).
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub clients: u32,
    /// How its probes connect (both modes; a command, and a `tcp` journey that sends nothing: new ones only): `new`, each request
    /// over a connection of its own, or `reused`, over kept connections.
    #[serde(default = "both_modes")]
    pub connections: Vec<Mode>,
    /// An answer later than this is bad (250 ms). For a journey with steps: the last answer, counted from the first
    /// request.
    #[serde(default = "deadline")]
    pub deadline: Span,
    /// The client gives up after this (1 s). For a journey with steps: all of them together.
    #[serde(default = "timeout")]
    pub timeout: Span,
    /// The service that is asked (the entry). A command names services in its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Its named port; the main one without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// What is asked over HTTP. A journey has exactly one of `request`, `step`, `command`, `tcp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// The right answer to `request`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// Values of the right answer, by name, for `remember`: `{capture.NAME}`. An answer without the value is bad.
    #[serde(default, skip_serializing_if = "Captures::is_empty")]
    pub capture: Captures,
    /// Several requests of one user, in order, instead of `request`. The cookies that answers set are kept for the probe.
    /// The probe ends with the first answer that is not good, and that is its outcome; it is a fallback if any answer was
    /// one.
    #[serde(default, rename = "step", skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<JourneyStep>,
    /// The program that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandProbe>,
    /// What is asked over TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpProbe>,
    /// How a right answer says that a fallback gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
    /// For a journey that writes: how its acknowledged writes are read back at the end.
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

/// A request, as templates over records. At most one of `form` (with or without `file`), `json` and `body`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The method (GET).
    #[serde(default = "get")]
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Headers. `Host` is the address of the service that is asked, or its `server_name` over TLS, unless it
    /// is given here.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub header: Texts,
    /// Form fields, sent as `application/x-www-form-urlencoded`.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub form: Texts,
    /// A file to upload with the form, which is sent as `multipart/form-data` then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Upload>,
    /// A JSON body: a table, a list or one value, with templates in its texts. Sent as `application/json`, unless `header`
    /// has another `Content-Type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// A body as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

fn get() -> String {
    "GET".into()
}

/// The right answer. Content is always checked: a redirect to the wrong place is a bad answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The status: a number such as 302, a class such as `2xx`, a range such as `200-299`, or a list of these.
    pub status: Statuses,
    /// Headers that must have exactly these values, as templates. A header that comes several times has the value of any
    /// of its lines, and of all of them joined with `, `.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub header: Texts,
    /// Texts that headers must contain, as templates.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub header_contains: Texts,
    /// Headers that must be there, with any value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub header_present: Vec<String>,
    /// A text the body must contain, as a template. A body with `Content-Encoding: gzip` or `deflate` is unpacked first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_contains: Option<String>,
    /// A regular expression that must match somewhere in the body. Braces belong to it: it has no placeholders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_matches: Option<String>,
    /// Values that the body must have, by JSON pointer, such as `"/items/0/id"`, with templates in their texts. A text with
    /// a placeholder is also equal to the number or boolean that is written so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<String, serde_json::Value>,
    /// The body has no end, such as a stream of events: the answer is whole once `body_contains` was read, or the head
    /// if there is none, and the connection is closed then (false).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub endless: bool,
    /// The largest body that is read, also unpacked; a larger one makes the probe void (16MiB).
    #[serde(default = "body_limit", skip_serializing_if = "is_body_limit")]
    pub body_limit: Size,
    /// As many header lines are read; more of them, or more than 400 KiB, make the probe void (1000).
    #[serde(default = "header_limit", skip_serializing_if = "is_header_limit")]
    pub header_limit: u32,
}

fn body_limit() -> Size {
    Size(16 << 20)
}

fn is_body_limit(limit: &Size) -> bool {
    *limit == body_limit()
}

fn header_limit() -> u32 {
    1000
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_header_limit(limit: &u32) -> bool {
    *limit == header_limit()
}

/// How a right answer says that a fallback gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// The header that names the way.
    pub header: String,
    /// Values of it that are the normal way; any other is a fallback, named by the value.
    pub normal: Vec<String>,
    /// The fallbacks that there are. Where they are named, `expect.rungs` may name no other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rungs: Vec<String>,
}

/// How an acknowledged write is read back: by one request (`request` and `answer`), or by several (`step`), such as a login
/// before it. Both may use what the journey captured up to the write: `{capture.NAME}`.
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// The answer when it is there and right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// Several requests that read it back, in order, instead of `request`. The last answer shows whether it is there; a
    /// wrong answer before it says nothing.
    #[serde(default, rename = "step", skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<JourneyStep>,
    /// The status that means it does not exist (404).
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

/// A part of a text: what is between two others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// It begins after the first occurrence of this text.
    pub after: String,
    /// It ends before the next occurrence of this text.
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
        request: Box<Request>,
        /// At most this long (30 s).
        #[serde(default = "deploy_limit")]
        within: Span,
        /// The statuses by which it refuses a release (none). Another status of 400 or above is a failure of the pipeline: the
        /// fault was not injected.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[schemars(inner(range(min = 200, max = 599)))]
        refused: Vec<u16>,
    },
    /// Run a program (never a shell), with templates in its arguments.
    Command {
        /// Program and arguments.
        argv: Vec<String>,
        /// At most this long (5 min).
        #[serde(default = "command_limit")]
        within: Span,
        /// The exit codes by which it refuses a release (none). 0 accepts it; any other end is a failure of the pipeline: the
        /// fault was not injected.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[schemars(inner(range(min = 1, max = 255)))]
        refused: Vec<u8>,
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
