//! Imports run one way. A new module is a new line in [`ARROWS`]; an import that runs against them fails here, with its
//! place.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read the sources has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// What each top module may import of the others. The order is the direction: a module names only later ones.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "cli",
        &[
            "drill", "fault", "target", "report", "sla", "measure", "history", "scenario", "sample", "units",
            "wait",
        ],
    ),
    (
        "drill",
        &[
            "fault", "target", "link", "probe", "history", "scenario", "sample", "units", "wait",
        ],
    ),
    (
        "fault",
        &["target", "link", "scenario", "sample", "units", "wait"],
    ),
    ("target", &["link", "scenario", "units", "wait"]),
    ("probe", &["scenario", "sample", "units", "wait"]),
    ("link", &["sample", "units", "wait"]),
    (
        "report",
        &["sla", "measure", "history", "scenario", "sample", "units"],
    ),
    ("sla", &["measure", "history", "scenario", "sample", "units"]),
    ("measure", &["history", "scenario", "sample", "units"]),
    ("history", &["scenario", "sample", "units"]),
    ("scenario", &["sample", "units"]),
    ("units", &[]),
    ("sample", &["units"]),
    ("wait", &[]),
];

/// Modules that decide and never look: no clock, no files, no network, no runtime.
const PURE: [&str; 3] = ["measure", "sla", "report"];
const IMPURE: [&str; 9] = [
    "tokio",
    "std::fs",
    "std::net",
    "std::process",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "rand::random",
];

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file below a path, with its text.
fn files(path: &Path, found: &mut Vec<(PathBuf, String)>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            files(&entry.unwrap().path(), found);
        }
    } else if path.extension().is_some_and(|ending| ending == "rs") {
        found.push((path.to_owned(), fs::read_to_string(path).unwrap()));
    }
}

/// A module's files: `src/NAME.rs`, or everything in `src/NAME/`.
fn module(name: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for path in [sources().join(format!("{name}.rs")), sources().join(name)] {
        if path.exists() {
            files(&path, &mut found);
        }
    }
    found
}

/// A line without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or(line)
}

/// The top modules that a line names: `crate::a::b`, `crate::{a, b::c}` on one line.
fn named(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    for after in line.split("crate::").skip(1) {
        let word = |text: &str| -> String {
            text.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        };
        match after.strip_prefix('{') {
            None => names.push(word(after)),
            Some(group) => {
                let mut depth = 0;
                let mut start = true;
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' => start = depth == 0,
                        c if c.is_alphabetic() && start => {
                            names.push(word(&group[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                    if depth < 0 {
                        break;
                    }
                }
            }
        }
    }
    names
}

fn against_the_arrows(name: &str, text: &str) -> Vec<(usize, String)> {
    let known = |other: &str| ARROWS.iter().any(|(module, _)| *module == other);
    let allowed = ARROWS
        .iter()
        .find(|(module, _)| *module == name)
        .map_or(&[][..], |(_, allowed)| allowed);
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for other in named(code(line)) {
            if other != name && known(&other) && !allowed.contains(&other.as_str()) {
                found.push((number + 1, other));
            }
        }
    }
    found
}

#[test]
fn imports_run_along_the_arrows() {
    let mut wrong = Vec::new();
    for (name, _) in ARROWS {
        for (path, text) in module(name) {
            for (line, other) in against_the_arrows(name, &text) {
                wrong.push(format!("{}:{line}: {name} imports {other}", path.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "against the arrows of harness/tests/layers.rs:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn an_import_against_the_arrows_is_seen() {
    assert_eq!(
        against_the_arrows("measure", "use crate::drill::run;"),
        [(1, "drill".to_owned())]
    );
    assert_eq!(
        against_the_arrows("sla", "x\nuse crate::{measure::{A, B}, cli::C};"),
        [(2, "cli".to_owned())]
    );
    assert_eq!(
        against_the_arrows(
            "sla",
            "// crate::cli is where this is printed\nuse crate::measure::A;"
        ),
        []
    );
    assert_eq!(
        against_the_arrows("probe", "fn f() { crate::fault::parse() }"),
        [(1, "fault".to_owned())]
    );
}

#[test]
fn every_module_has_its_arrows() {
    let lib = fs::read_to_string(sources().join("lib.rs")).unwrap();
    let modules = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for module in modules {
        assert!(
            ARROWS.iter().any(|(name, _)| *name == module),
            "{module} is missing in ARROWS"
        );
    }
}

#[test]
fn what_decides_has_no_clock_no_files_and_no_runtime() {
    for name in PURE {
        for (path, text) in module(name) {
            let text = text.split("#[cfg(test)]").next().unwrap();
            for (number, line) in text.lines().enumerate() {
                for impure in IMPURE {
                    assert!(
                        !code(line).contains(impure),
                        "{}:{}: {name} uses {impure}",
                        path.display(),
                        number + 1
                    );
                }
            }
        }
    }
}

#[test]
fn only_the_drill_writes_histories() {
    for (name, _) in ARROWS
        .iter()
        .filter(|(name, _)| !["drill", "history"].contains(name))
    {
        for (path, text) in module(name) {
            assert!(
                !text.contains("history::Writer") && !text.contains("Writer::create"),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn the_harness_knows_nothing_of_what_it_rehearses() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    for package in ["shortener", "edge"] {
        assert!(!manifest.contains(package), "harness/Cargo.toml names {package}");
    }
    let mut all = Vec::new();
    files(&sources(), &mut all);
    for (path, text) in all {
        let before_tests = text.split("#[cfg(test)]").next().unwrap();
        let line = before_tests
            .lines()
            .map(code)
            .position(|line| line.contains("shortener"));
        assert_eq!(line, None, "{} names the shortener", path.display());
    }
}
