//! The command line as people and CI meet it: the real binary, its exit codes, what it prints and what it leaves.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use acceptance::{Ended, command, run, run_folders, workspace};
use serde_json::Value;

/// An engine that is not there.
const NO_ENGINE: &str = "unix:///nowhere/firedrill-test.sock";

/// A scenario of its own, on the shortener's system, and a place for its runs.
struct Case {
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Case {
    fn new(body: &str) -> Self {
        let system = workspace().join("scenarios/systems/shortener.toml");
        Self::with_system(&system.display().to_string(), body)
    }

    fn with_system(system: &str, body: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("case.toml");
        let head =
            format!("summary = \"a case of its own\"\nsystem = {system:?}\nreleases = {{ app = \"v3\" }}\n");
        std::fs::write(
            &file,
            head + "timing = { quiet = \"300ms\", settle = \"600ms\" }\n" + body,
        )
        .unwrap();
        Self { folder, file }
    }

    fn runs(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    fn run(&self, args: &[&str]) -> Ended {
        let file = self.file.display().to_string();
        let mut all = vec!["run", &file];
        all.extend(args);
        run(&self.runs(), &all)
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

const EMPTIED: &str = r#"
[[step]]
at = "100ms"
empty-file = { service = "app", volume = "store", file = "urls.json" }
"#;

#[test]
fn a_drill_that_meets_exits_0_and_its_stored_run_is_judged_the_same() {
    let case = Case::new(EMPTIED);
    let ended = case.run(&["--backend", "process", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended}");
    let report = lines(&ended.out)
        .into_iter()
        .find_map(|line| line.get("report").cloned())
        .unwrap();
    let [folder] = run_folders(&case.runs()).try_into().unwrap();
    let again = run(&case.runs(), &["report", &folder.display().to_string(), "--json"]);
    assert_eq!(again.code, Some(0), "{again}");
    let again: Value = serde_json::from_str(&again.out).unwrap();
    for key in ["verdict", "checks", "downtime", "outages", "data", "budget"] {
        assert_eq!(again[key], report[key], "{key}");
    }
}

#[test]
fn a_drill_that_breaches_exits_1_and_says_what_was_required() {
    let case = Case::new(&format!("{EMPTIED}\n[expect]\nnever = [\"fallback\"]\n"));
    let ended = case.run(&["--backend", "process"]);
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(ended.out.contains("never.fallback"), "{ended}");
}

#[test]
fn a_fault_that_does_not_take_effect_exits_3() {
    let step = "[[step]]\nat = \"100ms\"\nflip-bit = { service = \"app\", volume = \"store\", file = \"urls.json\", text = \"nowhere\" }\n";
    let ended = Case::new(step).run(&["--backend", "process"]);
    assert_eq!(ended.code, Some(3), "{ended}");
    assert!(ended.out.contains("evidence.fault.0"), "{ended}");
}

#[test]
fn after_many_drills_the_unexpected_ones_are_named_first_with_their_reports() {
    let case = Case::new(
        "[[step]]\nat = \"100ms\"\nkill = { service = \"app\" }\n[expect]\ndowntime = { at_most = \"0s\" }\n",
    );
    let ended = case.run(&["--backend", "process", "-n", "2"]);
    assert_eq!(ended.code, Some(1), "{ended}");
    let next = ended.err.split("Next steps").nth(1).unwrap_or_default();
    let first = next.lines().nth(1).unwrap_or_default();
    assert!(
        first.contains("why case") && first.contains("firedrill report"),
        "{ended}"
    );
}

#[test]
fn a_bad_file_exits_2_and_starts_nothing() {
    let case = Case::new("[[step]]\nat = \"100ms\"\nkil = { service = \"app\" }\n");
    let ended = case.run(&["--backend", "process"]);
    assert_eq!(ended.code, Some(2), "{ended}");
    assert!(
        ended.err.contains("kill") && ended.err.contains("nothing was started"),
        "{ended}"
    );
    assert!(!case.runs().exists(), "a run folder was made");
    assert_eq!(run(&case.runs(), &["run", "no-such-scenario"]).code, Some(2));
    assert_eq!(run(&case.runs(), &["no-such-command"]).code, Some(2));
    assert_eq!(run(&case.runs(), &["report", "no-such-run"]).code, Some(2));
}

#[test]
fn containers_without_an_engine_exit_4_and_say_what_to_do() {
    let case = Case::new(EMPTIED);
    let file = case.file.display().to_string();
    let mut command = command(&case.runs(), &["run", &file, "--backend", "docker"]);
    let ended = Ended::from(command.env("DOCKER_HOST", NO_ENGINE).output().unwrap());
    assert_eq!(ended.code, Some(4), "{ended}");
    assert!(ended.err.contains("--backend process"), "{ended}");
}

#[test]
fn what_a_backend_cannot_do_is_skipped_with_the_reason_and_exits_3_when_nothing_else_ran() {
    let folder = tempfile::tempdir().unwrap();
    let system = folder.path().join("image.toml");
    let text = r#"
        summary = "an image"
        [service.app]
        build = { image = "nowhere/nothing:1" }
        port = 80
        [[journey]]
        name = "home"
        rate = "10/s"
        request = { path = "/" }
        answer = { status = 200 }
    "#;
    std::fs::write(&system, text).unwrap();
    let case = Case::with_system(&system.display().to_string(), "");
    let file = case.file.display().to_string();
    // `auto` says which backend it took and why.
    let mut command = command(&case.runs(), &["run", &file]);
    let ended = Ended::from(command.env("DOCKER_HOST", NO_ENGINE).output().unwrap());
    assert_eq!(ended.code, Some(3), "{ended}");
    assert!(
        ended
            .err
            .contains("backend: process (no container engine answers"),
        "{ended}"
    );
    assert!(ended.err.contains("skipped"), "{ended}");
    assert_eq!(
        run_folders(&case.runs()),
        [] as [PathBuf; 0],
        "a skipped drill leaves no run folder"
    );
}

/// The marks in the environment of every process that a run started.
fn processes_of(run: &Path) -> usize {
    let mark = format!("FIREDRILL_RUN={}", run.file_name().unwrap().to_string_lossy());
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let marked = |entry: &std::fs::DirEntry| {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes())
    };
    entries.filter(marked).count()
}

#[test]
fn ctrl_c_reverts_removes_the_services_and_exits_130() {
    let step = "[[step]]\nat = \"0s\"\nfor = \"10m\"\npause = { service = \"app\" }\n";
    let case = Case::new(step);
    let file = case.file.display().to_string();
    let mut command = command(&case.runs(), &["run", &file, "--backend", "process", "--json"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("\"injected\"") {
        line.clear();
        assert!(
            out.read_line(&mut line).unwrap() > 0,
            "it ended before its fault was injected"
        );
    }
    let [folder] = run_folders(&case.runs()).try_into().unwrap();
    assert_eq!(processes_of(&folder), 1);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains("\"reverted\""), "{rest}");
    assert_eq!(processes_of(&folder), 0);
    let report = run(&case.runs(), &["report", &folder.display().to_string()]);
    assert!(report.out.contains("interrupted"), "{report}");
}

#[test]
fn lists_checks_and_descriptions_are_readable_by_machines() {
    let runs = tempfile::tempdir().unwrap();
    for args in [
        &["list", "--json"][..],
        &["faults", "--json"],
        &["doctor", "--json"],
    ] {
        let ended = run(runs.path(), args);
        assert_eq!(ended.code, Some(0), "{ended}");
        assert!(!lines(&ended.out).is_empty(), "{ended}");
    }
    let schema = run(runs.path(), &["schema"]);
    assert!(serde_json::from_str::<Value>(&schema.out).unwrap()["$defs"].is_object());
    assert_eq!(run(runs.path(), &["check"]).code, Some(0));
    let invalid = run(
        runs.path(),
        &["check", "--json", "scenarios/invalid/unknown-key.toml"],
    );
    assert_eq!(invalid.code, Some(2), "{invalid}");
    assert_eq!(lines(&invalid.out)[0]["code"], "unknown-key", "{invalid}");
}

/// Whether `doctor` finds an engine, and what it says about it, with these variables.
fn engine(variables: &[(&str, &str)]) -> (bool, String) {
    let runs = tempfile::tempdir().unwrap();
    let mut command = acceptance::command(runs.path(), &["doctor", "--json"]);
    let ended: acceptance::Ended = command.envs(variables.iter().copied()).output().unwrap().into();
    let rows = lines(&ended.out);
    let row = rows
        .iter()
        .find(|row| row.to_string().contains("container engine"))
        .unwrap_or_else(|| panic!("{ended}"));
    (row["good"] == true, row.to_string())
}

#[test]
fn the_engine_is_the_one_that_docker_would_use() {
    let config = tempfile::tempdir().unwrap();
    let folder = config.path().to_str().unwrap();
    let (found, said) = engine(&[
        ("DOCKER_HOST", ""),
        ("DOCKER_CONFIG", folder),
        ("DOCKER_CONTEXT", "nowhere"),
    ]);
    assert!(
        !found && said.contains("the Docker context `nowhere` has no file"),
        "{said}"
    );
    // An empty variable is none.
    let usual = engine(&[("DOCKER_CONFIG", folder)]);
    let empty = engine(&[("DOCKER_CONFIG", folder), ("DOCKER_HOST", "")]);
    assert_eq!(usual.0, empty.0, "{usual:?} {empty:?}");
}

#[test]
fn help_and_completions_are_there_for_every_command() {
    let runs = tempfile::tempdir().unwrap();
    let help = run(runs.path(), &["--help"]);
    assert_eq!(help.code, Some(0), "{help}");
    assert!(help.out.contains("Exit codes"), "{help}");
    for shell in ["bash", "zsh", "fish"] {
        let ended = run(runs.path(), &["completions", shell]);
        assert!(
            ended.code == Some(0) && ended.out.contains("firedrill"),
            "{ended}"
        );
    }
}
