//! Journeys that are no HTTP: the examples are valid, and what no such journey can do is refused.

use std::path::Path;

use firedrill::scenario::load;

use crate::{Folder, faults};

const SCENARIO: &str = "summary = \"nothing happens\"\nsystem = \"systems/valid.toml\"\n";

const SYSTEM: &str = r#"
summary = "a store and a page"
entry = "front"

[service.front]
build = { image = "front" }
port = 80

[service.store]
build = { image = "store" }
port = 6379
ports = { admin = 6380 }

[records.item]
count = 10
fields = { id = "item-{n}" }

[[journey]]
name = "page"
rate = "10/s"
request = { path = "/" }
answer = { status = 200 }
"#;

/// The codes for a system with one more journey of these keys.
fn codes(keys: &str) -> Vec<&'static str> {
    let journey = format!("{SYSTEM}\n[[journey]]\nname = \"other\"\nrate = \"10/s\"\n{keys}\n");
    Folder::new(SCENARIO, &journey).codes()
}

#[test]
fn the_example_in_the_documentation_is_valid() {
    let text = include_str!("../../../../docs/your-own-service.md");
    let (_, section) = text.split_once("## Services that speak no HTTP").unwrap();
    let (_, block) = section.split_once("```toml\n").unwrap();
    let (system, _) = block.split_once("```").unwrap();
    let folder = Folder::new(SCENARIO, system);
    let plan = load(&folder.scenario(), &faults()).unwrap();
    assert_eq!(plan.system.journeys.len(), 4);
    assert!(section.contains("blackhole = { to = \"db\" }"));
    let step = "[[step]]\nat = \"1s\"\nfor = \"1s\"\nblackhole = { to = \"db\" }\n";
    assert!(
        Folder::new(&format!("{SCENARIO}{step}"), system)
            .codes()
            .is_empty()
    );
}

#[test]
fn the_examples_are_valid() {
    let examples = Path::new("../../examples/redis");
    for name in ["killed.toml", "link-lost.toml"] {
        load(&examples.join(name), &faults()).unwrap();
    }
}

#[test]
fn a_journey_does_exactly_one_thing() {
    let valid = [
        "tcp = {}",
        "tcp = { expect = \"220 \" }",
        "tcp = { send = \"GET {item.id}\\r\\n\", expect = \"{item.id}\", lines = 2 }\nservice = \"store\"\nport = \"admin\"",
        "command = { argv = [\"ask\", \"{service.store.admin.host}\", \"{item.id}\"], env = { KEY = \"{env.KEY}\" } }",
        "request = { path = \"/\" }\nanswer = { status = 200 }\nservice = \"store\"",
    ];
    for keys in valid {
        assert!(codes(keys).is_empty(), "{keys}: {:?}", codes(keys));
    }
    let invalid = [
        ("", "not-exactly-one"),
        ("tcp = {}\ncommand = { argv = [\"ask\"] }", "not-exactly-one"),
        ("request = { path = \"/\" }", "missing-key"),
        ("tcp = {}\nanswer = { status = 200 }", "not-for-this-kind"),
        ("tcp = {}\nconnections = [\"reused\"]", "not-for-this-kind"),
        (
            "command = { argv = [\"ask\"] }\nconnections = [\"new\", \"reused\"]",
            "not-for-this-kind",
        ),
        (
            "command = { argv = [\"ask\"] }\nservice = \"store\"",
            "not-for-this-kind",
        ),
        ("tcp = { send = \"PING\" }", "nothing-expected"),
        ("tcp = { expect = \"\" }", "nothing-expected"),
        (
            "tcp = { send = \"PING\", expect = \"PONG\", lines = 0 }",
            "out-of-range",
        ),
        ("tcp = {}\nservice = \"stor\"", "unknown-service"),
        ("tcp = {}\nport = \"admin\"", "unknown-port"),
        (
            "tcp = { send = \"{item.name}\", expect = \"x\" }",
            "unknown-field",
        ),
        ("command = { argv = [] }", "empty-command"),
        ("command = { argv = [\"{item.id}\"] }", "unknown-placeholder"),
        (
            "command = { argv = [\"ask\", \"{env.KEY}\"] }",
            "secret-in-argument",
        ),
        (
            "command = { argv = [\"ask\", \"{service.db.host}\"] }",
            "unknown-service",
        ),
        (
            "command = { argv = [\"ask\"], env = { \"A B\" = \"x\" } }",
            "bad-env-name",
        ),
    ];
    for (keys, code) in invalid {
        assert_eq!(codes(keys), [code], "{keys}");
    }
}

/// Each command is a process: that there are too many is said where the rate is.
#[test]
fn commands_have_a_highest_rate_of_their_own() {
    let command = |rate: &str| {
        let journey =
            format!("[[journey]]\nname = \"ask\"\nrate = \"{rate}\"\ncommand = {{ argv = [\"ask\"] }}\n");
        format!("{SYSTEM}\n{journey}")
    };
    assert!(Folder::new(SCENARIO, &command("20/s")).codes().is_empty());
    assert_eq!(Folder::new(SCENARIO, &command("21/s")).codes(), ["rate-too-high"]);
    let raised = format!("{SCENARIO}rates = {{ ask = \"30/s\" }}\n");
    assert_eq!(Folder::new(&raised, &command("5/s")).codes(), ["rate-too-high"]);
}

/// A proxy is only where a journey passes it.
#[test]
fn users_have_a_link_to_each_service_that_a_journey_asks() {
    let step = |to: &str| {
        let step = format!("[[step]]\nat = \"1s\"\nfor = \"1s\"\nblackhole = {{ {to} }}\n");
        format!("{SCENARIO}{step}")
    };
    let with = |keys: &str| format!("{SYSTEM}\n[[journey]]\nname = \"other\"\nrate = \"10/s\"\n{keys}\n");
    let (main, admin) = (step("to = \"store\""), step("to = \"store\", port = \"admin\""));
    for keys in [
        "tcp = {}\nservice = \"store\"",
        "command = { argv = [\"ask\", \"{service.store}\"] }",
    ] {
        assert!(Folder::new(&main, &with(keys)).codes().is_empty(), "{keys}");
        assert_eq!(
            Folder::new(&admin, &with(keys)).codes(),
            ["no-such-link"],
            "{keys}"
        );
    }
    assert_eq!(Folder::new(&main, SYSTEM).codes(), ["no-such-link"]);
    assert!(Folder::new(&step("to = \"front\""), SYSTEM).codes().is_empty());
}

/// A text over TCP is no TLS, and a proxy that reads HTTP cannot carry it.
#[test]
fn what_a_tcp_journey_would_not_get_through_is_refused() {
    let journey = "[[journey]]\nname = \"other\"\nrate = \"10/s\"\ntcp = { send = \"PING\", expect = \"PONG\" }\nservice = \"store\"\n";
    let secure = SYSTEM.replace("port = 6379\n", "port = 6379\ntls = { ca = \"valid.toml\" }\n");
    assert_eq!(
        Folder::new(SCENARIO, &format!("{secure}\n{journey}")).codes(),
        ["not-for-this-kind"]
    );
    let step = "[[step]]\nat = \"1s\"\nfor = \"1s\"\nhttp-status = { to = \"TO\", status = 503 }\n";
    let codes = |to: &str| {
        let scenario = format!("{SCENARIO}{}", step.replace("TO", to));
        Folder::new(&scenario, &format!("{SYSTEM}\n{journey}")).codes()
    };
    assert_eq!(codes("store"), ["unreadable-link"]);
    assert!(codes("front").is_empty(), "{:?}", codes("front"));
}
