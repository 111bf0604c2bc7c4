//! The ledger of real incidents, through the command line.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::stored::firedrill;

const CAUSE: &str = "the wrong loader";

fn add(folder: &Path, args: &[&str]) -> crate::stored::Ran {
    firedrill(folder, &[&["budget", "add", "--cause", CAUSE], args].concat())
}

fn statement(folder: &Path, args: &[&str]) -> Value {
    let text = firedrill(folder, &[&["budget", "--json"], args].concat()).exits(0);
    serde_json::from_str(&text).unwrap()
}

/// So many hours ago.
fn ago(hours: i64) -> String {
    let second = jiff::Timestamp::now().as_second() - hours * 3600;
    jiff::Timestamp::from_second(second).unwrap().to_string()
}

#[test]
fn the_incident_takes_153_percent_and_the_check_fails() {
    let folder = tempfile::tempdir().unwrap();
    add(folder.path(), &["--undated", "--duration", "23m"]).exits(0);
    let text = firedrill(folder.path(), &["budget", "--check"]).exits(1);
    assert!(
        text.contains("23 min (153 %)") && text.contains("none: 8 min over budget"),
        "{text}"
    );
    assert!(text.contains("undated"), "{text}");
    assert!(text.contains("burn rate 175.2"), "{text}");
}

#[test]
fn incidents_add_up_and_the_ledger_is_append_only() {
    let folder = tempfile::tempdir().unwrap();
    add(
        folder.path(),
        &[
            "--start",
            &ago(48),
            "--duration",
            "3m",
            "--link",
            "https://example.org/1",
        ],
    )
    .exits(0);
    let file = folder.path().join("ledger.jsonl");
    let first = std::fs::read(&file).unwrap();
    add(folder.path(), &["--start", &ago(5), "--end", &ago(4)]).exits(0);
    assert!(std::fs::read(&file).unwrap().starts_with(&first));
    let statement = self::statement(folder.path(), &[]);
    assert_eq!(statement["spent"], 3780.0, "{statement}");
    assert_eq!(statement["incidents"].as_array().unwrap().len(), 2);
}

#[test]
fn a_line_that_is_cut_off_stays_is_reported_and_hides_no_other() {
    let folder = tempfile::tempdir().unwrap();
    add(folder.path(), &["--start", &ago(48), "--duration", "3m"]).exits(0);
    let file = folder.path().join("ledger.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();
    let torn = format!("{whole}{}", &whole[..30]);
    std::fs::write(&file, &torn).unwrap();
    add(folder.path(), &["--start", &ago(4), "--duration", "2m"]).exits(0);
    assert!(std::fs::read_to_string(&file).unwrap().starts_with(&torn));
    let ran = firedrill(folder.path(), &["budget", "--check"]);
    assert!(
        ran.errors()
            .contains("ledger.jsonl:2: left out: the line is cut off"),
        "{}",
        ran.errors()
    );
    let text = ran.exits(3);
    assert!(text.contains("≥ 5 min") && text.contains("≤ 10 min"), "{text}");
}

#[test]
fn a_mistake_is_refused_with_its_reason_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let tomorrow = ago(-24);
    for (args, words) in [
        (
            &["--start", "yesterday", "--duration", "3m"][..],
            "`yesterday` is not a time",
        ),
        (&["--start", &tomorrow, "--duration", "3m"], "ends in the future"),
        (
            &["--start", "2026-01-02T00:00Z", "--end", "2026-01-01T00:00Z"],
            "is before --start",
        ),
        (
            &["--start", "2026-01-02T00:00Z", "--duration", "0s"],
            "the downtime is zero",
        ),
        (
            &["--start", "2026-01-02T00:00Z", "--duration", "3"],
            "not a length of time",
        ),
        (&["--start", "2026-01-02T00:00Z"], "--duration"),
        (
            &["--undated", "--duration", "3m", "--link", "ftp://x"],
            "must start with https://",
        ),
        (
            &["--undated", "--duration", "3m", "--time-zone", "Mars/Base"],
            "unknown time zone `Mars/Base`",
        ),
        (
            &[
                "--undated",
                "--duration",
                "3m",
                "--ledger",
                "nowhere/ledger.jsonl",
            ],
            "there is no folder nowhere",
        ),
        (
            &[
                "--start",
                "2026-03-29 02:30",
                "--duration",
                "3m",
                "--time-zone",
                "Europe/Berlin",
            ],
            "is not a time",
        ),
    ] {
        let errors = add(folder.path(), args).refused();
        assert!(errors.contains(words), "{args:?}: {errors}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_project_file_says_where_the_ledger_is_and_which_year_counts() {
    let folder = tempfile::tempdir().unwrap();
    let scenarios = folder.path().join("scenarios");
    std::fs::create_dir(&scenarios).unwrap();
    let project = "[budget]\ndowntime = \"1h\"\n[ledger]\nfile = \"incidents.jsonl\"\nyear = \"calendar\"\n";
    std::fs::write(scenarios.join("firedrill.toml"), project).unwrap();
    add(folder.path(), &["--undated", "--duration", "30m"]).exits(0);
    assert!(scenarios.join("incidents.jsonl").is_file());
    let statement = self::statement(folder.path(), &[]);
    assert_eq!(
        (&statement["percent"], &statement["runs_out"] == "already"),
        (&Value::from(50.0), false)
    );
    let text = firedrill(
        folder.path(),
        &["budget", "--contract", "full-minutes", "--year", "rolling"],
    )
    .exits(0);
    assert!(
        text.contains("contract: full minutes") && text.contains("the 365 days until"),
        "{text}"
    );
    assert!(
        firedrill(folder.path(), &["budget", "--contract", "never"])
            .refused()
            .contains("strict")
    );
    std::fs::write(scenarios.join("firedrill.toml"), "[ledgr]\n").unwrap();
    assert!(
        firedrill(folder.path(), &["budget"])
            .refused()
            .contains("did you mean")
    );
}

#[test]
fn an_incident_in_the_ledger_twice_is_named_when_it_is_added_and_when_it_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let undated = ["--undated", "--duration", "8m"];
    assert_eq!(
        add(folder.path(), &undated).errors().matches("warning").count(),
        0
    );
    let again = add(folder.path(), &undated).errors();
    assert!(again.contains("ledger.jsonl:1 is the same incident"), "{again}");
    let ran = firedrill(folder.path(), &["budget", "--check"]);
    let doubled = "ledger.jsonl:2: the incident of line 1 once more, and both count";
    assert!(ran.errors().contains(doubled), "{}", ran.errors());
    ran.exits(1);
}

#[test]
fn an_hour_in_lines_of_45_seconds_is_an_hour() {
    let folder = tempfile::tempdir().unwrap();
    let first: jiff::Timestamp = ago(48).parse().unwrap();
    let lines = (0..80).map(|piece| {
        let start = jiff::Timestamp::from_second(first.as_second() + piece * 45).unwrap();
        serde_json::json!({ "start": start, "downtime": "45s", "cause": "piece" }).to_string() + "\n"
    });
    std::fs::write(folder.path().join("ledger.jsonl"), lines.collect::<String>()).unwrap();
    let check = ["budget", "--contract", "full-minutes", "--check"];
    let text = firedrill(folder.path(), &check).exits(1);
    assert!(text.contains("spent      1 h (400 %)"), "{text}");
}

#[test]
fn a_merge_conflict_in_the_ledger_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let line = serde_json::json!({ "start": ago(48), "downtime": "7m", "cause": "a" });
    let text = format!("<<<<<<< HEAD\n{line}\n=======\n>>>>>>> other\n");
    std::fs::write(folder.path().join("ledger.jsonl"), text).unwrap();
    let ran = firedrill(folder.path(), &["budget", "--check"]);
    let errors = ran.errors();
    assert!(
        errors.contains("ledger.jsonl:1: left out: the line is the mark of a merge conflict"),
        "{errors}"
    );
    assert!(!errors.contains("Add the incident again"), "{errors}");
    ran.exits(3);
}

#[test]
fn twenty_writers_at_once_lose_no_line() {
    let folder = tempfile::tempdir().unwrap();
    let writers: Vec<_> = (1..=20)
        .map(|minutes: u32| {
            Command::new(env!("CARGO_BIN_EXE_firedrill"))
                .args(["budget", "add", "--undated", "--cause", CAUSE, "--duration"])
                .arg(format!("{minutes}s"))
                .current_dir(folder.path())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    assert_eq!(statement(folder.path(), &[])["spent"], 210.0);
}
