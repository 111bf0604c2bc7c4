//! Services that speak TLS or HTTP/2, drilled by the real binary on each backend.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod certificates;

use std::path::{Path, PathBuf};

use acceptance::trials::{missing, skip, trial};
use acceptance::{Ended, Kind};
use certificates::Authority;
use firedrill::check::CheckId;
use firedrill::history;
use firedrill::judge::{self, Verdict};
use firedrill::measure;

/// The name that certificates are for.
const NAME: &str = "shop.example";

/// A folder with one system and its scenarios.
struct Home {
    kind: Kind,
    folder: tempfile::TempDir,
}

/// What differs between the systems.
#[derive(Default)]
struct System<'a> {
    shape: &'a str,
    /// Keys of the service.
    keys: &'a str,
    /// Keys of `[service.app.tls]`; none without TLS.
    tls: Option<&'a str>,
    /// Variables: names and values.
    env: &'a [(&'a str, &'a str)],
    /// Keys of `ready`.
    ready: &'a str,
}

impl Home {
    /// Inside the workspace's target folder, so that its packages are found.
    fn new(kind: Kind, system: &System<'_>) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let home = Self { kind, folder };
        let tls = system.tls.map(|keys| format!("[service.app.tls]\n{keys}\n"));
        let env = system.env.iter();
        let env: String = env
            .map(|(name, value)| format!("{name} = '''\n{value}'''\n"))
            .collect();
        let (shape, keys, ready, tls) = (system.shape, system.keys, system.ready, tls.unwrap_or_default());
        home.write(
            "system.toml",
            &format!(
                r#"
summary = "A service of the shape {shape}."

[identity]
header = "x-release"

[service.app]
build = {{ package = {{ name = "shapes" }} }}
args = ["{shape}", "--listen", "{{listen}}", "--store", "{{volume.store}}/items", "--release", "{{release}}"]
release = "v1"
port = 8000
volumes = {{ store = "/data" }}
ready = {{ within = "20s"{ready} }}
{keys}
{tls}
[service.app.env]
{env}
[records.item]
fields = {{ id = "item-{{n}}", value = "value-{{n}}" }}

[records.known]
count = 3
fields = {{ id = "known-{{n}}", value = "value-{{n}}" }}

[seed]
records = "known"
request = {{ method = "POST", path = "/items/{{known.id}}", body = "{{known.value}}" }}
answer = {{ status = 201 }}

[[journey]]
name = "front"
rate = "40/s"
# Only what is not answered counts here: a busy machine makes answers late.
deadline = "3s"
timeout = "4s"
request = {{ path = "/" }}
answer = {{ status = 200, body_contains = "zoo" }}

[[journey]]
name = "store"
rate = "10/s"
deadline = "3s"
timeout = "4s"
request = {{ method = "POST", path = "/items/{{item.id}}", body = "{{item.value}}" }}
answer = {{ status = 201 }}

[journey.remember]
link = "/items/{{item.id}}"
request = {{ path = "{{link}}" }}
answer = {{ status = 200, body_contains = "{{item.value}}" }}
"#
            ),
        );
        home
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Runs a scenario of this body.
    fn drill(&self, body: &str) -> Drilled {
        let text = format!("summary = \"a drill\"\nsystem = \"system.toml\"\n{body}");
        self.write("drill.toml", &text);
        let runs = self.folder.path().join("runs");
        let scenario = self.folder.path().join("drill.toml").display().to_string();
        let ended = acceptance::run_alone(&runs, &["run", "--backend", &self.kind.to_string(), &scenario]);
        Drilled {
            folder: acceptance::run_folders(&runs).pop(),
            ended,
        }
    }
}

/// A drill that ended.
struct Drilled {
    ended: Ended,
    folder: Option<PathBuf>,
}

impl Drilled {
    /// Asserts the exit code: 0 as expected, 1 breached, 4 not carried out.
    fn ends_with(&self, code: i32) -> &Self {
        if self.was_not_probed() {
            skip("the machine was too busy to probe");
            return self;
        }
        assert_eq!(self.ended.code, Some(code), "{}", self.ended);
        self
    }

    /// Whether the machine was too busy to probe a service that ran: such a drill says nothing about the service.
    fn was_not_probed(&self) -> bool {
        let Some(history) = self
            .folder
            .as_deref()
            .and_then(|folder| history::read(folder).ok())
        else {
            return false;
        };
        let judgement = judge::judge(&history, &measure::measure(&history));
        let undecided = |id: CheckId| judgement.of(Verdict::Undecided).any(|check| check.id == id);
        let stalled = undecided(CheckId::EvidenceGaps) || undecided(CheckId::EvidenceVoids);
        stalled && !undecided(CheckId::EvidenceSteady)
    }

    fn says(&self, text: &str) -> &Self {
        // A terminal's lines are broken between words.
        let out: Vec<&str> = self.ended.out.split_whitespace().collect();
        assert!(out.join(" ").contains(text), "no `{text}` in {}", self.ended);
        self
    }

    fn report(&self, kind: &str) -> String {
        let folder = self
            .folder
            .as_deref()
            .unwrap_or(Path::new(""))
            .display()
            .to_string();
        let ended = acceptance::run(Path::new(""), &["report", &folder, "--format", kind]);
        assert_eq!(ended.code, Some(0), "{ended}");
        ended.out
    }
}

/// Nothing happens, and nobody fails.
const CALM: &str = "[expect]\njourneys = { front = \"always good\", store = \"always good\" }\n";
/// Killed, and started again.
const KILLED: &str = "[[step]]\nat = \"300ms\"\nfor = \"700ms\"\nkill = { service = \"app\" }\n\
     [expect]\njourneys = { front = \"goes down\", store = \"may be down\" }\n";

/// A service that speaks TLS with a certificate for [`NAME`], whose authority users trust.
fn good(kind: Kind, shape: &str, keys: &str) -> Home {
    let authority = Authority::new("good");
    let (certificate, key) = authority.sign(NAME);
    let home = Home::new(
        kind,
        &System {
            shape,
            keys,
            tls: Some(&format!("ca = \"ca.pem\"\nserver_name = \"{NAME}\"")),
            env: &[("SHAPES_TLS_v1", &(certificate + &key))],
            ready: ", path = \"/health\"",
        },
    );
    home.write("ca.pem", &authority.pem);
    home
}

fn https_is_good(kind: Kind) {
    let home = good(kind, "tls", "http = \"1.1\"");
    home.drill(CALM).ends_with(0).says("HTTP/1.1 over TLS 1.3");
}

fn http2_is_chosen_by_alpn(kind: Kind) {
    let home = good(kind, "tls", "");
    home.drill(CALM).ends_with(0).says("HTTP/2 over TLS 1.3");
}

/// The example of the documentation: users log in with the token of a form, write a note, and read it by its id.
fn users_log_in_over_http2(kind: Kind) {
    let home = good(kind, "login-tls", "");
    let documentation = include_str!("../../../docs/your-own-service.md");
    let mut blocks = documentation.split("```toml\n").skip(1);
    let example = blocks.find(|block| block.contains("[[journey.step]]")).unwrap();
    let example = example.split("```").next().unwrap();
    let example = example.replace("{env.NOTES_PASSWORD}", "correct horse");
    let system = std::fs::read_to_string(home.folder.path().join("system.toml")).unwrap();
    home.write("system.toml", &format!("{system}\n{example}"));
    let calm = "[expect]\njourneys = { front = \"always good\", \"write a note\" = \"always good\" }\n";
    let drilled = home.drill(calm);
    drilled.ends_with(0).says("HTTP/2 over TLS 1.3");
    let history = firedrill::history::read(drilled.folder.as_deref().unwrap()).unwrap();
    let data = firedrill::measure::measure(&history).data;
    assert!(
        data.acknowledged > 0 && data.intact == data.acknowledged,
        "{data:?}"
    );
}

fn http2_is_spoken_without_tls(kind: Kind) {
    let home = Home::new(
        kind,
        &System {
            shape: "http2",
            keys: "http = \"2\"",
            ready: ", path = \"/health\"",
            ..System::default()
        },
    );
    home.drill(CALM).ends_with(0).says("(HTTP/2)");
}

/// Requests that a closing connection did not process are no failures of the service.
fn connections_that_end_with_a_goaway_cost_no_answer(kind: Kind) {
    let drilled = good(kind, "goaway", "").drill(CALM);
    drilled.ends_with(0).says("HTTP/2 over TLS 1.3");
}

fn a_kill_behind_tls_is_an_outage(kind: Kind) {
    for http in ["1.1", "2"] {
        let home = good(kind, "tls", &format!("http = \"{http}\""));
        home.drill(KILLED).ends_with(0);
    }
}

/// A release with a certificate of another authority turns users away.
fn a_release_with_a_wrong_certificate_breaches_and_says_why(kind: Kind) {
    let (good, wrong) = (Authority::new("good"), Authority::new("wrong"));
    let ((first, first_key), (second, second_key)) = (good.sign(NAME), wrong.sign(NAME));
    let home = Home::new(
        kind,
        &System {
            shape: "tls",
            tls: Some(&format!("ca = \"ca.pem\"\nserver_name = \"{NAME}\"")),
            env: &[
                ("SHAPES_TLS_v1", &(first + &first_key)),
                ("SHAPES_TLS_v2", &(second + &second_key)),
            ],
            ..System::default()
        },
    );
    home.write("ca.pem", &good.pem);
    let drilled = home.drill(
        "[[step]]\nat = \"300ms\"\ndeploy = { service = \"app\", release = \"v2\" }\n\
         [expect]\njourneys = { front = \"never down\" }\n",
    );
    drilled
        .ends_with(1)
        .says("TLS failed")
        .says("invalid peer certificate: UnknownIssuer");
}

/// A certificate for another name is not the service's, whoever signed it.
fn a_certificate_for_another_name_is_refused(kind: Kind) {
    let authority = Authority::new("good");
    let (certificate, key) = authority.sign("other.example");
    let home = Home::new(
        kind,
        &System {
            shape: "tls",
            tls: Some(&format!("ca = \"ca.pem\"\nserver_name = \"{NAME}\"")),
            env: &[("SHAPES_TLS_v1", &(certificate + &key))],
            ..System::default()
        },
    );
    home.write("ca.pem", &authority.pem);
    let drilled = home.drill(CALM);
    // It is not even seeded.
    drilled.ends_with(4);
    drilled.says("not valid for name");
}

fn an_unverified_certificate_is_in_every_report(kind: Kind) {
    let (certificate, key) = Authority::new("unknown").sign("whatever.example");
    let home = Home::new(
        kind,
        &System {
            shape: "tls",
            tls: Some("verify = false"),
            env: &[("SHAPES_TLS_v1", &(certificate + &key))],
            ready: ", path = \"/health\"",
            ..System::default()
        },
    );
    let drilled = home.drill(CALM);
    let said = "TLS certificates were not verified (verify = false): app";
    drilled.ends_with(0);
    for kind in ["terminal", "markdown", "html", "junit"] {
        let report = drilled.report(kind).replace('\\', "");
        assert!(report.contains(said), "{kind}: {report}");
    }
    let json: serde_json::Value = serde_json::from_str(&drilled.report("json")).unwrap();
    assert_eq!(json["unverified"], serde_json::json!(["app"]));
}

fn a_service_may_require_a_certificate_of_its_clients(kind: Kind) {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let ((certificate, key), (shown, shown_key)) = (servers.sign(NAME), clients.sign("firedrill"));
    let env = [
        ("SHAPES_TLS_v1", &*(certificate + &key)),
        ("SHAPES_CLIENT_CA", &*clients.pem),
    ];
    let trust = format!("ca = \"ca.pem\"\nserver_name = \"{NAME}\"\n");
    let home = |tls: &str, ready| {
        let home = Home::new(
            kind,
            &System {
                shape: "tls",
                tls: Some(tls),
                env: &env,
                ready,
                ..System::default()
            },
        );
        home.write("ca.pem", &servers.pem);
        home.write("client.pem", &shown);
        home.write("client.key", &shown_key);
        home
    };
    let client = "client = { certificate = \"client.pem\", key = \"client.key\" }";
    let shows = home(&format!("{trust}{client}"), ", path = \"/health\"");
    shows.drill(CALM).ends_with(0);
    let text = home(&trust, "").drill(CALM).ends_with(4).ended.to_string();
    assert!(
        text.contains("TLS failed") || text.contains("connection broken"),
        "{text}"
    );
}

/// A named check and what it runs.
type Check = (&'static str, fn(Kind));

const CHECKS: &[Check] = &[
    ("https_is_good", https_is_good),
    ("http2_is_chosen_by_alpn", http2_is_chosen_by_alpn),
    ("users_log_in_over_http2", users_log_in_over_http2),
    ("http2_is_spoken_without_tls", http2_is_spoken_without_tls),
    (
        "connections_that_end_with_a_goaway_cost_no_answer",
        connections_that_end_with_a_goaway_cost_no_answer,
    ),
    ("a_kill_behind_tls_is_an_outage", a_kill_behind_tls_is_an_outage),
    (
        "a_release_with_a_wrong_certificate_breaches_and_says_why",
        a_release_with_a_wrong_certificate_breaches_and_says_why,
    ),
    (
        "a_certificate_for_another_name_is_refused",
        a_certificate_for_another_name_is_refused,
    ),
    (
        "an_unverified_certificate_is_in_every_report",
        an_unverified_certificate_is_in_every_report,
    ),
    (
        "a_service_may_require_a_certificate_of_its_clients",
        a_service_may_require_a_certificate_of_its_clients,
    ),
];

fn main() {
    let mut trials = Vec::new();
    for kind in [Kind::Process, Kind::Docker] {
        for (name, check) in CHECKS.iter().copied() {
            let run = move || async move { check(kind) };
            trials.push(trial(format!("{kind}::{name}"), missing(kind, []), run));
        }
    }
    acceptance::trials::run(trials);
}
