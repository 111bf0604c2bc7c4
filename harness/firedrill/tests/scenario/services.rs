//! Services without a port, what they are built from, and when they are ready.

use firedrill::scenario::{Build, Condition, load};

use crate::{Folder, faults};

const SYSTEM: &str = r#"
summary = "an app and a worker"
entry = "app"

[service.app]
build = { command = ["app"] }
args = ["{listen}"]
port = 8000

[service.worker]
build = { image = "worker" }
ready = { log = "ready" }

[[journey]]
name = "home"
rate = "10/s"
request = { path = "/" }
answer = { status = 200 }
"#;

const SCENARIO: &str = "summary = \"s\"\nsystem = \"systems/valid.toml\"\n";

/// The codes of the problems after a part of the system was replaced.
fn codes(part: &str, by: &str) -> Vec<&'static str> {
    assert!(SYSTEM.contains(part), "{part}");
    Folder::new(SCENARIO, &SYSTEM.replacen(part, by, 1)).codes()
}

#[test]
fn a_service_needs_a_port_wherever_somebody_connects_to_it() {
    assert_eq!(codes("app", "app"), [""; 0]);
    let cases = [
        ("entry = \"app\"", "entry = \"worker\""),
        ("args = [\"{listen}\"]", "args = [\"{service.worker}\"]"),
        ("args = [\"{listen}\"]", "args = [\"{service.worker.host}\"]"),
        ("ready = {", "args = [\"{listen}\"]\nready = {"),
        ("{ log = \"ready\" }", "{ path = \"/\" }"),
        (
            "[[journey]]",
            "[[deploy]]\nrequest = { service = \"worker\", request = { path = \"/\" } }\n[[journey]]",
        ),
    ];
    for (part, by) in cases {
        assert_eq!(codes(part, by), ["no-port"], "{by}");
    }
    let step = "[[step]]\nat = \"1s\"\nblackhole = { from = \"app\", to = \"worker\" }\n";
    let folder = Folder::new(&format!("{SCENARIO}{step}"), SYSTEM);
    assert_eq!(folder.codes(), ["no-port"]);
    // A single service is the entry without being named.
    let (single, _) = SYSTEM.split_once("[service.worker]").unwrap();
    let (_, journey) = SYSTEM.split_once("[[journey]]").unwrap();
    let single = format!("{single}[[journey]]{journey}")
        .replace("entry = \"app\"\n", "")
        .replace("port = 8000\n", "")
        .replace("{listen}", "");
    assert_eq!(Folder::new(SCENARIO, &single).codes(), ["no-port"]);
}

#[test]
fn a_named_port_is_enough_where_it_is_named() {
    let with_port = "ports = { admin = 9 }\nready = {";
    assert_eq!(codes("ready = {", with_port), [""; 0]);
    let system = SYSTEM
        .replace(
            "ready = { log = \"ready\" }",
            "ports = { admin = 9 }\nready = { path = \"/\", port = \"admin\" }",
        )
        .replace("{listen}", "{service.worker.admin.address}");
    assert_eq!(Folder::new(SCENARIO, &system).codes(), [""; 0]);
}

#[test]
fn keys_of_readiness_that_exclude_each_other_are_refused() {
    for ready in [
        "{ log = \"ready\", command = [\"true\"] }",
        "{ command = [\"true\"], header = { a = \"b\" } }",
    ] {
        assert_eq!(codes("{ log = \"ready\" }", ready), ["ready-conflict"], "{ready}");
    }
    let cases = [
        ("{ command = [] }", "empty-command"),
        ("{ command = [\"ask\", \"{service.ap}\"] }", "unknown-service"),
        (
            "{ command = [\"ask\", \"{env.PASSWORD}\"] }",
            "secret-in-argument",
        ),
        ("{ log = \" \" }", "empty-log-text"),
    ];
    for (ready, code) in cases {
        assert_eq!(codes("{ log = \"ready\" }", ready), [code], "{ready}");
    }
    let ports = "ports = { admin = 9 }\nready = { log = \"ready\", port = \"admin\" }";
    assert_eq!(codes("ready = { log = \"ready\" }", ports), ["ready-conflict"]);
}

#[test]
fn what_is_waited_for_depends_on_the_port_where_nothing_is_named() {
    let plan = load(&Folder::new(SCENARIO, SYSTEM).scenario(), &faults()).unwrap();
    let condition = |name: &str| {
        let service = &plan.system.services[name];
        service.ready.condition(service.port.is_some()).to_string()
    };
    assert_eq!(condition("app"), Condition::Connection.to_string());
    assert_eq!(condition("worker"), Condition::Log("ready").to_string());
    let silent = SYSTEM.replace("ready = { log = \"ready\" }\n", "");
    let plan = load(&Folder::new(SCENARIO, &silent).scenario(), &faults()).unwrap();
    let worker = &plan.system.services["worker"];
    assert_eq!(worker.ready.condition(worker.port.is_some()), Condition::Process);
}

#[test]
fn what_a_service_is_built_from_is_there() {
    let cases = [
        ("{ command = [\"./app\"] }", "no-such-file"),
        ("{ command = [\"{folder}/app\"] }", ""),
        ("{ command = [\"/nowhere/app\"] }", ""),
        ("{ dockerfile = \"Dockerfile\" }", "no-such-file"),
        (
            "{ dockerfile = { path = \"valid.toml\", context = \"nowhere\" } }",
            "no-such-file",
        ),
        ("{ dockerfile = { path = \"valid.toml\", context = \"..\" } }", ""),
        ("{ dockerfile = \"valid.toml\" }", ""),
        (
            "{ dockerfile = { path = \"valid.toml\", args = { A = \"{release}{{}}\" } } }",
            "",
        ),
        (
            "{ dockerfile = { path = \"valid.toml\", args = { A = \"{env.TOKEN}\" } } }",
            "unknown-placeholder",
        ),
        (
            "{ dockerfile = { path = \"valid.toml\", stage = \"run\" } }",
            "unknown-key",
        ),
        ("{ package = { name = \"edge\" } }", ""),
        ("{ package = { name = \"egde\" } }", "unknown-package"),
        (
            "{ package = { name = \"edge\", with = [\"nobody\"] } }",
            "unknown-package",
        ),
    ];
    for (build, code) in cases {
        let wanted: Vec<&str> = [code].into_iter().filter(|code| !code.is_empty()).collect();
        assert_eq!(codes("{ command = [\"app\"] }", build), wanted, "{build}");
    }
    for (user, code) in [
        ("1000:1000", ""),
        ("app", ""),
        ("a:b:c", "bad-user"),
        (":1", "bad-user"),
        ("", "bad-user"),
    ] {
        let wanted: Vec<&str> = [code].into_iter().filter(|code| !code.is_empty()).collect();
        let by = format!("user = \"{user}\"\nready = {{");
        assert_eq!(codes("ready = {", &by), wanted, "{user}");
    }
}

#[test]
fn a_dockerfile_is_its_path_or_a_table() {
    let built = |dockerfile: &str| {
        let system = SYSTEM.replace(
            "{ command = [\"app\"] }",
            &format!("{{ dockerfile = {dockerfile} }}"),
        );
        let plan = load(&Folder::new(SCENARIO, &system).scenario(), &faults()).unwrap();
        match plan.system.services["app"].build.clone() {
            Build::Dockerfile(file) => file,
            other => panic!("{other}"),
        }
    };
    assert_eq!(built("\"valid.toml\""), built("{ path = \"valid.toml\" }"));
    let table = built("{ path = \"../systems/valid.toml\", target = \"run\" }");
    assert_eq!(table.context().display().to_string(), "../systems");
    assert_eq!(table.target.as_deref(), Some("run"));
}
