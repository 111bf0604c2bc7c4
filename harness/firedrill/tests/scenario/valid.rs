//! What a valid set of files becomes.

use firedrill::scenario::{Contract, Tolerance, load};
use firedrill::units::Span;

use crate::catalogue::FAULTS;
use crate::{Folder, SCENARIO, SYSTEM};

#[test]
fn a_scenario_its_system_and_the_project_file_become_one_plan() {
    let folder = Folder::new(SCENARIO, SYSTEM);
    folder.write(
        "firedrill.toml",
        "contract = \"request\"\nbudget = { downtime = \"5m\" }\n",
    );
    let plan = load(&folder.scenario(), FAULTS).unwrap();
    assert_eq!(plan.name, "scenario");
    assert_eq!(plan.folder, folder.0.path().join("systems"));
    assert_eq!(plan.entry(), "edge");
    assert_eq!(
        plan.contract(),
        Contract::Minute5,
        "the scenario's word is the last"
    );
    assert_eq!(plan.project.budget.downtime, Span::from_secs(300));
    assert_eq!(plan.scenario.steps[1].fault.name, "truncate-file");
    assert_eq!(plan.scenario.steps[1].lasting, Some(Span::from_millis(500)));
    assert_eq!(plan.scenario.expect.journeys["shorten"], Tolerance::NeverDown);
}

#[test]
fn the_scenarios_releases_environment_and_rates_are_put_onto_the_system() {
    let plan = load(&Folder::new(SCENARIO, SYSTEM).scenario(), FAULTS).unwrap();
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
    let plan = load(&folder.scenario(), FAULTS).unwrap();
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
    let plan = load(&folder.0.path().join("a/b/deep.toml"), FAULTS).unwrap();
    assert_eq!(plan.manual_recovery(), Some(Span::from_secs(60)));
    assert_eq!(plan.folder, folder.0.path().join("systems"));
}

#[test]
fn every_fault_of_the_real_catalogue_accepts_its_own_example() {
    let kinds = firedrill::fault::kinds();
    let volumes = "volumes = { store = \"/data\" }";
    let bounded = format!("{volumes}\nrestart = \"always\"\nlimits = {{ volume = {{ store = \"4MiB\" }} }}");
    let system = SYSTEM.replace(volumes, &bounded);
    for kind in &kinds {
        let scenario = format!(
            "summary = \"s\"\nsystem = \"systems/valid.toml\"\nstep = [{{ {} }}]\n",
            kind.example
        );
        let folder = Folder::new(&scenario, &system);
        let loaded = load(&folder.scenario(), &kinds);
        assert!(
            loaded.is_ok(),
            "{}: {:?}",
            kind.name,
            loaded.err().map(|problems| problems.rows())
        );
    }
}
