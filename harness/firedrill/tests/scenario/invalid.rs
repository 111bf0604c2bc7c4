//! `scenarios/invalid/`: one broken file a rule, named by the rule's code, and the words in which it is refused.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use firedrill::scenario::{Code, Problems, load};
use miette::{GraphicalReportHandler, GraphicalTheme};

use crate::{Folder, SCENARIO, SYSTEM, faults};

/// Relative, so that the paths in the snapshots are too.
const FOLDER: &str = "../../scenarios/invalid";

/// Codes without a file, and why.
const WITHOUT_FILE: &[(Code, &str)] = &[
    (Code::UnknownScenario, "no file's fault but the command line's"),
    (Code::NoScenarios, "no file's fault but the command line's"),
    (Code::BadFileName, "made in a test, as its name is not the code's"),
    (Code::FileUnreadable, "a file that is there can be read"),
    (Code::FileTooLarge, "made in a test, not stored"),
    (Code::TooManyValues, "made in a test, not stored"),
    (Code::MoreProblems, "made in a test, not stored"),
    (Code::TooManyServices, "made in a test, not stored"),
    (Code::TooManySteps, "made in a test, not stored"),
    (Code::TooManyJourneys, "made in a test, not stored"),
    (Code::Renamed, "a hint: the file is valid"),
    (Code::DoesNotFit, "what no other code catches: nothing is known"),
];

/// The broken scenarios: `CODE.toml`, or `CODE/CODE.toml` where a project file belongs to it.
fn files() -> Vec<(String, PathBuf)> {
    let mut files: Vec<(String, PathBuf)> = std::fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("systems"))
        .map(|path| {
            let code = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let file = if path.is_dir() {
                path.join(format!("{code}.toml"))
            } else {
                path
            };
            (code, file)
        })
        .collect();
    files.sort();
    files
}

fn refusal(path: &Path) -> Problems {
    match load(path, &faults()) {
        Err(problems) => problems,
        Ok(_) => panic!("{} is valid", path.display()),
    }
}

fn rendered(problems: &Problems) -> String {
    let mut text = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .render_report(&mut text, problems)
        .unwrap();
    text
}

#[test]
fn every_broken_file_is_refused_for_its_own_rule_and_no_other() {
    for (code, path) in files() {
        let codes: Vec<&str> = refusal(&path)
            .iter()
            .map(|problem| problem.code().name())
            .collect();
        assert_eq!(codes, [code.as_str()], "{}", rendered(&refusal(&path)));
    }
}

#[test]
fn every_rule_has_a_broken_file() {
    let with_file: BTreeSet<String> = files().into_iter().map(|(code, _)| code).collect();
    let without: BTreeSet<&str> = WITHOUT_FILE.iter().map(|(code, _)| code.name()).collect();
    for code in Code::ALL {
        let (name, has_file) = (code.name(), with_file.contains(code.name()));
        assert_ne!(has_file, without.contains(name), "{name}");
    }
    assert_eq!(with_file.len() + without.len(), Code::ALL.len());
}

#[test]
fn every_refusal_says_what_and_where_and_what_to_do() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (code, path) in files() {
            insta::assert_snapshot!(code, rendered(&refusal(&path)));
        }
    });
}

#[test]
fn a_problem_has_its_place_for_a_machine_too() {
    let rows = refusal(&Path::new(FOLDER).join("unknown-key.toml")).rows();
    let row = serde_json::to_value(&rows[0]).unwrap();
    assert_eq!(
        row,
        serde_json::json!({
            "file": "../../scenarios/invalid/unknown-key.toml",
            "line": 11,
            "column": 1,
            "code": "unknown-key",
            "message": "unknown key `dowmtime`",
            "help": "did you mean `downtime`?",
        })
    );
}

#[test]
fn all_problems_of_all_files_are_reported_at_once() {
    let scenario = SCENARIO
        .replace("summary", "sumary")
        .replace("at = \"1s\"", "at = \"soon\"")
        .replace("resolve = \"never", "reslove = \"never")
        .replace("service = \"edge\"", "service = \"edgy\"");
    let system = SYSTEM
        .replace("status = 200", "status = 20")
        .replace("{listen}", "{lsten}");
    let folder = Folder::new(&scenario, &system);
    folder.write("firedrill.toml", "contract = \"lax\"\n");
    let codes: BTreeSet<&str> = folder.codes().into_iter().collect();
    for code in [
        "unknown-key",
        "bad-quantity",
        "unknown-journey",
        "unknown-service",
        "bad-status",
        "unknown-placeholder",
        "unknown-value",
    ] {
        assert!(codes.contains(code), "{code} is not among {codes:?}");
    }
}

#[test]
fn a_quantity_that_does_not_read_is_not_compared_with_others() {
    let scenario = SCENARIO
        .replace("at_most = \"1s\"", "at_most = \"soon\"")
        .replace("\"0s\"", "\"9s\"");
    let system = SYSTEM.replace(
        "rate = \"100/s\"",
        "rate = \"100/s\"\ntimeout = \"?\"\ndeadline = \"2s\"",
    );
    let codes = Folder::new(&scenario, &system).codes();
    assert_eq!(codes, ["bad-quantity", "bad-quantity"]);
}

#[test]
fn two_mistakes_of_syntax_are_two_problems_and_one_is_one() {
    let one = SCENARIO.replace("release = \"v2\"", "release = \"v2");
    assert_eq!(Folder::new(&one, SYSTEM).codes(), ["toml-syntax"]);
    let two = one.replace("contract =", "contract");
    assert_eq!(Folder::new(&two, SYSTEM).codes(), ["toml-syntax", "toml-syntax"]);
}

#[test]
fn behind_a_typing_mistake_the_rules_still_run() {
    let scenario = SCENARIO
        .replace("downtime", "dowmtime")
        .replace("at_least = \"0s\"", "at_least = \"3s\"")
        .replace("resolve = \"never", "reslove = \"never");
    let codes = Folder::new(&scenario, SYSTEM).codes();
    assert_eq!(
        codes,
        [
            "unknown-key",
            "unknown-check",
            "limits-crossed",
            "unknown-journey"
        ]
    );
}

#[test]
fn a_broken_system_of_two_scenarios_is_reported_once() {
    let folder = Folder::new(SCENARIO, &SYSTEM.replace("/data", "data"));
    folder.write("second.toml", SCENARIO);
    let paths = [folder.scenario(), folder.0.path().join("second.toml")];
    let problems = firedrill::scenario::load_all(&paths, &faults()).unwrap_err();
    assert_eq!(problems.iter().count(), 1, "{}", rendered(&problems));
}

#[test]
fn unknown_keys_are_refused_in_a_fault_that_is_made_of_two_structs() {
    let scenario = SCENARIO
        .replace("keep =", "kep =")
        .replace("volume = \"copy\"", "volume = \"copy\", mode = 7");
    let codes = Folder::new(&scenario, SYSTEM).codes();
    assert_eq!(codes, ["unknown-key", "unknown-key"]);
}

#[test]
fn more_than_a_drill_can_carry_is_refused() {
    let steps = "[[step]]\nat = \"1s\"\nkill = { service = \"app\" }\n".repeat(1001);
    let scenario = format!("summary = \"s\"\nsystem = \"systems/valid.toml\"\n{steps}");
    assert_eq!(Folder::new(&scenario, SYSTEM).codes(), ["too-many-steps"]);

    let journeys: String = (0..65)
        .map(|n| {
            format!(
                "[[journey]]\nname = \"j{n}\"\nrate = \"1/s\"\nrequest = {{ path = \"/\" }}\nanswer = {{ status = 200 }}\n"
            )
        })
        .collect();
    let system = format!("{SYSTEM}{journeys}");
    let small = "summary = \"s\"\nsystem = \"systems/valid.toml\"\n";
    assert_eq!(Folder::new(small, &system).codes(), ["too-many-journeys"]);

    let large = format!("{small}#{}", "x".repeat(1 << 20));
    assert_eq!(Folder::new(&large, SYSTEM).codes(), ["file-too-large"]);

    let services: String = (0..63)
        .map(|n| format!("[service.s{n}]\nbuild = {{ image = \"x\" }}\nport = 80\n"))
        .collect();
    let system = format!("{SYSTEM}{services}");
    assert_eq!(Folder::new(small, &system).codes(), ["too-many-services"]);
}

#[test]
fn unknown_keys_by_the_thousand_are_counted_and_not_listed() {
    let small = "summary = \"s\"\nsystem = \"systems/valid.toml\"\n";
    let keys = |count: usize| (0..count).map(|n| format!("key{n} = 1\n")).collect::<String>();
    let many = format!("{}{small}", keys(150));
    let codes = Folder::new(&many, SYSTEM).codes();
    let unknown = codes.iter().filter(|code| **code == "unknown-key").count();
    assert_eq!((unknown, codes.last()), (100, Some(&"more-problems")));
    let more = format!("{}{small}", keys(60_000));
    assert_eq!(Folder::new(&more, SYSTEM).codes(), ["too-many-values"]);
}

#[test]
fn a_scenario_that_is_not_there_or_is_a_folder_is_unreadable() {
    let folder = Folder::new(SCENARIO, SYSTEM);
    for path in ["nothing.toml", "systems"] {
        let problems = refusal(&folder.0.path().join(path));
        let codes: Vec<Code> = problems.iter().map(|problem| problem.code()).collect();
        assert_eq!(codes, [Code::FileUnreadable], "{path}");
    }
}

#[test]
fn a_code_stands_for_every_place_in_which_its_mistake_can_be_made() {
    let cases = [
        ("entry = \"edge\"", "entry = \"egde\"", "unknown-service"),
        ("after = [\"app\"]", "after = [\"appp\"]", "unknown-service"),
        ("after = [\"app\"]", "after = [\"edge\"]", "after-cycle"),
        ("{service.app}", "{service.api}", "unknown-service"),
        ("{service.app.admin}", "{service.app.main}", "unknown-port"),
        ("port = \"admin\"", "port = \"amin\"", "unknown-port"),
        (
            "request = { service = \"edge\"",
            "request = { service = \"edg\"",
            "unknown-service",
        ),
        (
            "service = \"edge\",",
            "service = \"edge\", port = \"x\",",
            "unknown-port",
        ),
        ("release={release}", "release={relase}", "unknown-placeholder"),
        ("{bin.shortener}", "{bin.shortner}", "unknown-placeholder"),
        ("{volume.store}", "{volume.sore}", "unknown-volume"),
        (
            "shares = { copy = \"app/store\" }",
            "shares = { copy = \"edge/store\" }",
            "share-of-nothing",
        ),
        (
            "ready = {",
            "limits = { volume = { sto = \"1MiB\" } }\nready = {",
            "unknown-volume",
        ),
        ("records = \"known\"", "records = \"knwn\"", "unknown-record"),
        (
            "link_header = \"location\"",
            "link_header = \"loc ation\"",
            "bad-header-name",
        ),
        ("link_header = \"location\"\n", "", "unknown-placeholder"),
        (
            "link_header = \"location\"",
            "link = \"/{fresh.cod}\"",
            "unknown-field",
        ),
        (
            "link_header = \"location\"",
            "link_header = \"location\"\ngone = 0",
            "bad-status",
        ),
        (
            "header = \"x-release\"",
            "header = \"x release\"",
            "bad-header-name",
        ),
        ("path = \"/readyz\"", "path = \"readyz\"", "path-without-slash"),
        ("admin = 8001", "admin = 0", "port-zero"),
        ("count = 100", "count = 5000000000", "out-of-range"),
        ("port = 9000", "port = 90000", "out-of-range"),
    ];
    for (valid, broken, code) in cases {
        assert!(SYSTEM.contains(valid), "{valid}");
        let folder = Folder::new(SCENARIO, &SYSTEM.replacen(valid, broken, 1));
        assert_eq!(folder.codes(), [code], "{broken}");
    }
}

#[test]
fn a_fault_of_the_network_names_a_link_that_something_goes_over() {
    let cases = [
        (r#"to = "edge""#, ""),
        (r#"from = "user", to = "edge""#, ""),
        (r#"from = "edge", to = "app""#, ""),
        (r#"from = "edge", to = "app", port = "admin""#, ""),
        (r#"to = "app""#, "no-such-link"),
        (r#"from = "app", to = "edge""#, "no-such-link"),
        (r#"from = "edge", to = "edge""#, "no-such-link"),
        (r#"from = "edge", to = "apps""#, "unknown-service"),
        (r#"from = "egde", to = "app""#, "unknown-service"),
        (r#"from = "edge", to = "app", port = "main""#, "unknown-port"),
    ];
    for (link, code) in cases {
        let scenario = format!(
            "summary = \"s\"\nsystem = \"systems/valid.toml\"\n[[step]]\nat = \"1s\"\nblackhole = {{ {link} }}\n"
        );
        let codes = Folder::new(&scenario, SYSTEM).codes();
        let wanted: Vec<&str> = [code].into_iter().filter(|code| !code.is_empty()).collect();
        assert_eq!(codes, wanted, "{link}");
    }
}

#[test]
fn a_service_that_only_the_scenario_tells_of_another_has_a_link_too() {
    let scenario = |env: &str| {
        format!(
            "summary = \"s\"\nsystem = \"systems/valid.toml\"\n{env}\n[[step]]\nat = \"1s\"\nblackhole = {{ from = \"app\", to = \"edge\" }}\n"
        )
    };
    let codes = |env: &str| Folder::new(&scenario(env), SYSTEM).codes();
    assert_eq!(codes(""), ["no-such-link"]);
    assert_eq!(codes("env = { app = { NEXT = \"{service.edge}\" } }"), [""; 0]);
}

#[test]
fn what_a_scenario_changes_in_its_system_is_checked_like_the_system() {
    let cases = [
        ("resolve = \"50/s\"", "resolv = \"50/s\"", "unknown-journey"),
        ("resolve = \"50/s\"", "resolve = \"19990/s\"", "rate-too-high"),
        ("env = { edge", "env = { edg", "unknown-service"),
        ("EDGE_GATE =", "\"EDGE GATE\" =", "bad-env-name"),
        ("{service.app}", "{service.ap}", "unknown-service"),
        ("\"{service.app}\"", "\"{\"", "lone-brace"),
        ("logs = { app", "logs = { ap", "unknown-service"),
        ("old/urls.json", "/etc/passwd", "path-escapes-volume"),
        ("for = ", "fro = ", "unknown-fault"),
        ("never = [\"fallback\"]", "never = [\"alert\"]", "contradiction"),
    ];
    for (valid, broken, code) in cases {
        assert!(SCENARIO.contains(valid), "{valid}");
        let folder = Folder::new(&SCENARIO.replacen(valid, broken, 1), SYSTEM);
        assert_eq!(folder.codes(), [code], "{broken}");
    }
}

#[test]
fn a_control_names_checks_that_its_expectations_make_and_that_can_breach() {
    let cases = [
        ("downtime", ""),
        ("budget", ""),
        ("lost-writes", ""),
        ("journey.resolve", ""),
        ("alert.rolled-back", ""),
        ("never.fallback", ""),
        ("release.v2", ""),
        ("log.app", ""),
        ("rollback", ""),
        (
            "downtimes",
            "no check is called `downtimes`: did you mean `downtime`?",
        ),
        (
            "journey.home",
            "this scenario has no check `journey.home` that could breach",
        ),
        (
            "journey.resolv",
            "this scenario has no check `journey.resolv` that could breach: did you mean `journey.resolve`?",
        ),
        (
            "never.alert",
            "this scenario has no check `never.alert` that could breach",
        ),
        (
            "rung.last-good",
            "this scenario has no check `rung.last-good` that could breach",
        ),
        (
            "evidence.steady",
            "this scenario has no check `evidence.steady` that could breach",
        ),
    ];
    for (check, refusal) in cases {
        let scenario = SCENARIO.replace("breaches = [\"downtime\"]", &format!("breaches = [\"{check}\"]"));
        let folder = Folder::new(&scenario, SYSTEM);
        let rows =
            load(&folder.scenario(), &faults()).map_or_else(|problems| problems.rows(), |_| Vec::new());
        let said: Vec<String> = rows
            .iter()
            .map(|row| format!("{}: {}", row.message, row.help.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(rows.len(), usize::from(!refusal.is_empty()), "{check}: {said:?}");
        assert!(
            said.iter().all(|said| said.starts_with(refusal)),
            "{check}: {said:?}"
        );
        assert!(rows.iter().all(|row| row.code == Code::UnknownCheck), "{check}");
    }
}

#[test]
fn a_link_may_come_from_a_template_instead_of_a_header() {
    let system = SYSTEM.replace("link_header = \"location\"", "link = \"/{fresh.code}\"");
    assert_eq!(Folder::new(SCENARIO, &system).codes(), [""; 0]);
}
