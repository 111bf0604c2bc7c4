//! What a valid set of files becomes.

use firedrill::check::CheckId;
use firedrill::history;
use firedrill::scenario::{Code, Contract, Tolerance, load};
use firedrill::units::Span;

use crate::{Folder, SCENARIO, SYSTEM, faults};

#[test]
fn a_scenario_its_system_and_the_project_file_become_one_plan() {
    let folder = Folder::new(SCENARIO, SYSTEM);
    folder.write(
        "firedrill.toml",
        "contract = \"request\"\nbudget = { downtime = \"5m\" }\n",
    );
    let plan = load(&folder.scenario(), &faults()).unwrap();
    assert_eq!(plan.name, "scenario");
    assert_eq!(plan.folder, folder.0.path().join("systems"));
    assert_eq!(plan.entry(), "edge");
    assert_eq!(
        history::plan::Plan::from(&plan).contract(),
        Contract::Minute5,
        "the scenario's word is the last"
    );
    assert_eq!(plan.project.budget.downtime, Span::from_secs(300));
    assert_eq!(plan.scenario.steps[1].fault.name, "truncate-file");
    assert_eq!(plan.scenario.steps[1].lasting, Some(Span::from_millis(500)));
    assert_eq!(
        plan.scenario.expect.journeys["shorten"].tolerance,
        Tolerance::NeverDown
    );
}

#[test]
fn a_share_of_bad_answers_is_of_all_journeys_or_of_one() {
    let bad = "bad = { at_most = \"0.1%\" }";
    let table = format!("shorten = {{ tolerance = \"fallback allowed\", {bad} }}");
    let scenario = SCENARIO
        .replace("shorten = \"fallback allowed\"", &table)
        .replace("[expect]\n", "[expect]\nbad = { at_most = \"2%\" }\n");
    let plan = load(&Folder::new(&scenario, SYSTEM).scenario(), &faults()).unwrap();
    let shorten = plan.scenario.expect.journeys["shorten"];
    assert_eq!(shorten.tolerance, Tolerance::NeverDown);
    let stored = history::plan::Plan::from(&plan).scenario.expect;
    let share = |journey| stored.bad_of(journey).map(|share| share.to_string());
    assert_eq!(share("shorten").as_deref(), Some("0.1%"));
    assert_eq!(share("resolve").as_deref(), Some("2%"));
    for (wrong, code) in [
        (table.replace("tolerance", "tolerence"), "unknown-key"),
        (table.replace("0.1%", "0.1"), "bad-quantity"),
        ("shorten = \"fallback alowed\"".into(), "unknown-value"),
        ("shorten = 3".into(), "wrong-type"),
    ] {
        let scenario = SCENARIO.replace("shorten = \"fallback allowed\"", &wrong);
        assert_eq!(Folder::new(&scenario, SYSTEM).codes(), [code], "{wrong}");
    }
}

#[test]
fn a_drill_waits_as_long_as_its_limits_unless_the_file_says_how_long() {
    let settle = |timing: &str, expect: &str| {
        let scenario =
            format!("summary = \"s\"\nsystem = \"systems/valid.toml\"\n{timing}\n[expect]\n{expect}\n");
        let plan = load(&Folder::new(&scenario, SYSTEM).scenario(), &faults()).unwrap();
        plan.scenario.timing.settle.to_string()
    };
    assert_eq!(settle("", ""), "5s");
    assert_eq!(settle("", "downtime = { at_most = \"30s\" }"), "30s");
    assert_eq!(settle("", "rollback = { to = \"v1\", within = \"8s\" }"), "8s");
    assert_eq!(
        settle(
            "timing = { quiet = \"1s\" }",
            "alerts = [{ kind = \"failing\", within = \"9s\" }]"
        ),
        "9s"
    );
    let said = "timing = { settle = \"40s\" }";
    assert_eq!(settle(said, "downtime = { at_most = \"30s\" }"), "40s");
}

#[test]
fn the_scenarios_releases_environment_and_rates_are_put_onto_the_system() {
    let plan = load(&Folder::new(SCENARIO, SYSTEM).scenario(), &faults()).unwrap();
    assert_eq!(plan.system.services["app"].release, "v3");
    assert_eq!(plan.system.services["edge"].env["EDGE_GATE"], "off");
    assert_eq!(
        plan.system.services["edge"].env["EDGE_CANDIDATE"],
        "{bin.shortener}"
    );
    assert_eq!(plan.system.journeys[0].rate.to_string(), "50/s");
    assert_eq!(plan.system.journeys[1].rate.to_string(), "20/s");
}

#[test]
fn without_a_project_file_the_defaults_hold() {
    let folder = Folder::new("summary = \"s\"\nsystem = \"systems/valid.toml\"\n", SYSTEM);
    let plan = load(&folder.scenario(), &faults()).unwrap();
    assert_eq!(plan.project.budget.downtime, Span::from_secs(900));
    assert!(plan.scenario.seeded && plan.scenario.steps.is_empty());
}

#[test]
fn the_nearest_project_file_upward_is_used() {
    let folder = Folder::new(SCENARIO, SYSTEM);
    folder.write("firedrill.toml", "manual_recovery = \"1m\"\n");
    folder.write(
        "a/b/deep.toml",
        SCENARIO
            .replace("systems/", "../../systems/")
            .replace("manual_recovery", "#"),
    );
    let plan = load(&folder.0.path().join("a/b/deep.toml"), &faults()).unwrap();
    assert_eq!(
        history::plan::Plan::from(&plan).manual_recovery(),
        Some(Span::from_secs(60))
    );
    assert_eq!(plan.folder, folder.0.path().join("systems"));
}

/// A system in which every fault of the catalogue can take effect.
fn system_for_every_fault() -> String {
    let volumes = "volumes = { store = \"/data\" }";
    let bounded = format!("{volumes}\nrestart = \"always\"\nlimits = {{ volume = {{ store = \"4MiB\" }} }}");
    SYSTEM.replace(volumes, &bounded)
}

/// A scenario of one step.
fn one_step(step: &str) -> Folder {
    let scenario = format!("summary = \"s\"\nsystem = \"systems/valid.toml\"\nstep = [{{ {step} }}]\n");
    Folder::new(&scenario, &system_for_every_fault())
}

#[test]
fn every_fault_accepts_its_own_example() {
    for kind in faults().kinds() {
        assert_eq!(one_step(kind.example).codes(), [""; 0], "{}", kind.name);
    }
}

#[test]
fn every_fault_refuses_a_key_that_it_does_not_know_and_says_where_and_what_was_meant() {
    for kind in faults().kinds() {
        // The last key of the fault's table, misspelt.
        let (before, value) = kind.example.rsplit_once(" = ").unwrap();
        let (_, key) = before.rsplit_once(' ').unwrap();
        let folder = one_step(&format!("{before}x = {value}"));
        let rows = load(&folder.scenario(), &faults()).unwrap_err().rows();
        let unknown = rows.iter().find(|row| row.code == Code::UnknownKey);
        let unknown = unknown.unwrap_or_else(|| panic!("{} accepts `{key}x`: {rows:?}", kind.name));
        assert_eq!(unknown.message, format!("unknown key `{key}x`"));
        assert_eq!(
            unknown.help,
            Some(format!("did you mean `{key}`?")),
            "{}",
            kind.name
        );
        assert_eq!(unknown.line, Some(3), "{}", kind.name);

        // A key that is like none of them, in front of the others.
        let step = kind.example.replacen(
            &format!("{} = {{", kind.name),
            &format!("{} = {{ zzzzzzzzzzzz = 1,", kind.name),
            1,
        );
        assert_eq!(one_step(&step).codes(), ["unknown-key"], "{}", kind.name);
    }
}

#[test]
fn names_of_an_earlier_version_are_read_with_a_hint() {
    let old = SCENARIO
        .replace("[expect]\n", "[expect]\nlost_links = 3\ncorrupt_links = 4\n")
        .replace("breaches = [\"downtime\"]", "breaches = [\"lost-links\"]");
    let plan = load(&Folder::new(&old, SYSTEM).scenario(), &faults()).unwrap();
    let expect = &plan.scenario.expect;
    assert_eq!((expect.lost_writes, expect.corrupt_writes), (3, 4));
    assert_eq!(
        plan.scenario.control.as_ref().unwrap().breaches,
        [CheckId::LostWrites]
    );
    let hints: Vec<String> = plan.hints.iter().map(ToString::to_string).collect();
    assert_eq!(
        hints,
        [
            "`lost_links` is now called `lost_writes`",
            "`corrupt_links` is now called `corrupt_writes`",
            "`lost-links` is now called `lost-writes`",
        ]
    );
    assert!(plan.hints.iter().all(|hint| hint.row().line.is_some()));
    let both = SCENARIO.replace("[expect]\n", "[expect]\nlost_links = 3\nlost_writes = 4\n");
    assert_eq!(Folder::new(&both, SYSTEM).codes(), ["unknown-key"]);
}
