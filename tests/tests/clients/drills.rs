//! A service that speaks lines, asked over TCP and by its client.

use std::path::{Path, PathBuf};

use acceptance::{Ended, Kind};
use firedrill::backend::{self, Source};
use firedrill::history::{self, Event, History};
use firedrill::sample::{Bad, Outcome, Sample};
use firedrill::scenario::System;
use serde_json::json;

/// The service of lines, and one that speaks HTTP beside it.
const SERVICES: &str = r#"
summary = "a store that speaks lines"
entry = "ENTRY"

[service.store]
build = { package = { name = "shapes" } }
args = ["lines", "--listen", "{listen}", "--store", "{volume.data}/items", "--release", "{release}"]
release = "v1"
port = 6379
volumes = { data = "/data" }

[service.front]
build = { package = { name = "shapes" } }
args = ["plain", "--listen", "{listen}", "--store", "{volume.data}/items"]
port = 8000
ready = { path = "/health", within = "20s" }
volumes = { data = "/data" }

[records.item]
fields = { id = "item-{n}", value = "value-{n}" }
"#;

/// Only what is not answered counts here: a busy machine makes answers late.
const PATIENT: &str = "deadline = \"3s\"\ntimeout = \"4s\"\n";

/// The program of the shapes, which is the client too.
pub(crate) async fn shapes() -> PathBuf {
    let system: System = serde_json::from_value(json!({
        "summary": "the program",
        "service": { "app": { "build": { "package": { "name": "shapes" } }, "port": 8000 } },
    }))
    .unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = backend::sources(&system, here, &|_| {}).await.unwrap();
    match sources.remove("app") {
        Some(Source::Binaries(binaries)) => binaries[0].1.clone(),
        other => panic!("{other:?}"),
    }
}

/// A system file with this entry and these journeys.
pub(crate) fn system(entry: &str, journeys: &[&str]) -> String {
    SERVICES.replace("ENTRY", entry) + &journeys.concat()
}

pub(crate) fn ping() -> String {
    let keys = "name = \"ping\"\nrate = \"40/s\"\nservice = \"store\"\n";
    format!("[[journey]]\n{keys}{PATIENT}tcp = {{ send = \"PING\\r\\n\", expect = \"+PONG\" }}\n")
}

/// Each probe stores an item and reads it.
fn item() -> String {
    let keys = "name = \"item\"\nrate = \"20/s\"\nservice = \"store\"\n";
    let send = "SET {item.id} {item.value}\\r\\nGET {item.id}\\r\\n";
    format!(
        "[[journey]]\n{keys}{PATIENT}tcp = {{ send = \"{send}\", expect = \"{{item.value}}\", lines = 3 }}\n"
    )
}

/// The client, run with these words after the address.
fn by_the_client(program: &Path, words: &str, contains: &str) -> String {
    let address = "\"--listen\", \"{service.store.host}:{service.store.port}\"";
    let argv = format!(
        "[{:?}, \"lines\", \"--role\", \"client\", {address}, \"--send\", \"{words}\"]",
        program.display().to_string()
    );
    let command = format!("command = {{ argv = {argv}, output_contains = \"{contains}\" }}");
    format!("[[journey]]\nname = \"client\"\nrate = \"5/s\"\n{PATIENT}{command}\n")
}

fn front() -> String {
    format!(
        "[[journey]]\nname = \"front\"\nrate = \"20/s\"\n{PATIENT}request = {{ path = \"/\" }}\nanswer = {{ status = 200 }}\n"
    )
}

/// Runs one scenario, and reads its history.
pub(crate) fn drill(kind: Kind, system: &str, scenario: &str) -> (Ended, Option<History>) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("system.toml", system);
    write(
        "one.toml",
        &format!("summary = \"one fault\"\nsystem = \"system.toml\"\n{scenario}"),
    );
    run(kind, &folder.path().join("one.toml"), &folder.path().join("runs"))
}

pub(crate) fn run(kind: Kind, scenario: &Path, runs: &Path) -> (Ended, Option<History>) {
    let (kind, scenario) = (kind.to_string(), scenario.display().to_string());
    let ended = acceptance::run_alone(runs, &["run", "--backend", &kind, &scenario]);
    let history = acceptance::run_folders(runs)
        .first()
        .map(|run| history::read(run).unwrap());
    (ended, history)
}

/// The samples of a journey.
pub(crate) fn samples<'h>(history: &'h History, name: &str) -> Vec<&'h Sample> {
    let ids = history.events.iter().filter_map(|event| match &event.event {
        Event::Stream { stream, journey, .. } if journey == name => Some(*stream),
        _ => None,
    });
    let ids: Vec<_> = ids.collect();
    history
        .samples
        .iter()
        .filter(|sample| ids.contains(&sample.stream))
        .collect()
}

const KILL: &str = "[[step]]\nat = \"300ms\"\nfor = \"1s\"\nkill = { service = \"store\" }\n";

pub(crate) async fn a_kill_is_seen_over_tcp_and_by_a_command(kind: Kind) {
    let client = by_the_client(&shapes().await, "SET {item.id} {item.value}", "OK");
    let system = system("store", &[&ping(), &item(), &client]);
    let expect = "[expect]\ndowntime = { at_least = \"300ms\" }\n\
        journeys = { ping = \"goes down\", item = \"goes down\", client = \"goes down\" }\n";
    let (ended, history) = drill(kind, &system, &format!("{KILL}{expect}"));
    assert_eq!(ended.code, Some(0), "{ended}");
    let history = history.unwrap();
    let client = samples(&history, "client");
    let refused = |sample: &&&Sample| sample.outcome == Outcome::Bad(Bad::Status) && sample.status == 1;
    assert!(client.iter().any(|sample| refused(&sample)), "{client:#?}");
    assert!(
        client.iter().any(|sample| sample.outcome == Outcome::Good),
        "{ended}"
    );
}

/// What the broken release answers is wrong content over TCP, and an exit code of the client.
pub(crate) async fn wrong_answers_are_told_apart(kind: Kind) {
    let client = by_the_client(&shapes().await, "PING", "PONG");
    let system = system("store", &[&ping(), &client]);
    let step = "[[step]]\nat = \"300ms\"\ndeploy = { service = \"store\", release = \"broken\" }\n";
    let expect = "[expect]\njourneys = { ping = \"goes down\", client = \"goes down\" }\n";
    let timing = "timing = { settle = \"2s\" }\n";
    let (ended, history) = drill(kind, &system, &format!("{timing}{step}{expect}"));
    let history = history.unwrap_or_else(|| panic!("{ended}"));
    let last = |journey: &str| {
        samples(&history, journey)
            .last()
            .map(|sample| (sample.outcome, sample.status))
    };
    assert_eq!(last("ping"), Some((Outcome::Bad(Bad::Content), 0)), "{ended}");
    assert_eq!(last("client"), Some((Outcome::Bad(Bad::Status), 2)), "{ended}");
}

/// The users' link to a service that a journey names, while the entry is well.
pub(crate) async fn a_link_to_another_service_than_the_entry_can_break(kind: Kind) {
    let client = by_the_client(&shapes().await, "PING", "PONG");
    let system = system("front", &[&front(), &ping(), &client]);
    let step = "[[step]]\nat = \"300ms\"\nfor = \"1s\"\nreset = { to = \"store\" }\n";
    let expect =
        "[expect]\njourneys = { front = \"never down\", ping = \"goes down\", client = \"may be down\" }\n";
    let (ended, history) = drill(kind, &system, &format!("{step}{expect}"));
    assert_eq!(ended.code, Some(0), "{ended}");
    let history = history.unwrap();
    let bad = |journey: &str| {
        samples(&history, journey)
            .iter()
            .filter(|sample| sample.outcome.is_bad())
            .count()
    };
    assert!(bad("client") > 0 && bad("front") == 0, "{ended}");
}

pub(crate) async fn a_program_that_is_not_here_starts_nothing() {
    let journey =
        "[[journey]]\nname = \"client\"\nrate = \"5/s\"\ncommand = { argv = [\"no-such-program\"] }\n";
    let (ended, history) = drill(Kind::Process, &system("store", &[journey]), KILL);
    assert_eq!(ended.code, Some(2), "{ended}");
    assert!(
        ended.err.contains("no-such-program") && ended.err.contains("client"),
        "{ended}"
    );
    assert!(history.is_none(), "{ended}");
}

/// The processor time of the commands is counted as the drill's own.
pub(crate) async fn commands_are_the_drill_s_own_load() {
    let words = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
    let journey = |words: &str| {
        format!(
            "[[journey]]\nname = \"client\"\nrate = \"5/s\"\n{PATIENT}command = {{ argv = [\"sh\", \"-c\", \"{words}\"] }}\n"
        )
    };
    let own = |words: &str| {
        let (ended, history) = drill(Kind::Process, &system("store", &[&journey(words)]), "");
        assert_eq!(ended.code, Some(0), "{ended}");
        let history = history.unwrap();
        history.load.iter().map(|load| load.own).sum::<u64>()
    };
    let (busy, idle) = (own(words), own("exit 0"));
    // A hundred thousand rounds of a shell, some ten times.
    assert!(
        busy > idle + 100_000,
        "{busy} µs with busy commands, {idle} µs with others"
    );
}
