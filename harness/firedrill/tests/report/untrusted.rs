//! Text from outside: names, answers, log lines, files. No output of ours contains a character of theirs that controls a
//! terminal, changes the reading direction or is not allowed in XML, a command for a CI system, or a link.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use firedrill::history;
use serde_json::Value;

use crate::folder;

/// Colours, a cleared screen, a window title, C1, a changed reading direction, no characters, a command for GitHub's
/// runner, Markdown, an address.
const HOSTILE: &str = "x\u{1b}[8my\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}2J\u{202e}\u{2066}\u{200f}\u{61c}\u{fffe}\u{ffff}\u{7f}\r\n::error title=forged::f\n\
    ##[add-mask]m <!-- --> @everyone http://evil.example/a WWW.evil.example [a](b) GH-12";

/// Every text of a JSON value, by its place; places of lists count as one.
fn places(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::String(_) => drop(found.insert(at.to_owned())),
        Value::Array(items) => items
            .iter()
            .for_each(|item| places(item, &format!("{at}/*"), found)),
        Value::Object(fields) => fields
            .iter()
            .for_each(|(key, value)| places(value, &format!("{at}/{key}"), found)),
        _ => {}
    }
}

/// Appends the hostile text to every text at a place.
fn plant(value: &mut Value, at: &str, place: &str) {
    match value {
        Value::String(text) if at == place => text.push_str(HOSTILE),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| plant(item, &format!("{at}/*"), place)),
        Value::Object(fields) => fields
            .iter_mut()
            .for_each(|(key, value)| plant(value, &format!("{at}/{key}"), place)),
        _ => {}
    }
}

fn write(run: &Path, events: &[Value]) {
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    fs::write(run.join("events.jsonl"), lines).unwrap();
}

/// A stored run in which every text is hostile that may be any text; how many those are.
fn hostile_run(runs: &Path, name: &str) -> usize {
    let (from, run) = (folder(name), runs.join(name));
    fs::create_dir_all(run.join("logs")).unwrap();
    fs::copy(from.join("samples.bin"), run.join("samples.bin")).unwrap();
    let text = fs::read_to_string(from.join("events.jsonl")).unwrap();
    let mut events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kind = |event: &Value| event["event"].as_str().unwrap().to_owned();
    let mut all = BTreeSet::new();
    for event in &events {
        places(event, &kind(event), &mut all);
    }
    write(&run, &events);
    let whole = history::read(&run).unwrap().torn;
    let mut planted = 0;
    for place in all.iter().filter(|place| !place.ends_with("/event")) {
        let before = events.clone();
        for event in &mut events {
            let at = kind(event);
            plant(event, &at, place);
        }
        write(&run, &events);
        // Texts of a fixed vocabulary make the line unreadable: those stay as they were.
        match history::read(&run) {
            Ok(history) if history.torn == whole => planted += 1,
            _ => events = before,
        }
    }
    write(&run, &events);
    fs::write(
        run.join("logs/app.log"),
        format!("2026-01-01T00:00:00Z ERROR {HOSTILE}\n::error title=forged::x\nError `````` {HOSTILE}\n"),
    )
    .unwrap();
    planted
}

fn firedrill(place: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(arguments)
        .current_dir(place)
        .env_remove("NO_COLOR")
        .output()
        .unwrap()
}

/// Whether a character may be in any output.
fn is_allowed(c: char) -> bool {
    let reads_otherwise = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}'
    );
    c == '\n' || c == '\t' || !(c.is_control() || reads_otherwise)
}

/// Without the colours that Firedrill uses.
fn without_colors(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after.find('m').unwrap_or(0);
        let ours = after[..end].split(';').all(|code| {
            matches!(
                code,
                "" | "0" | "1" | "2" | "4" | "31" | "32" | "33" | "34" | "35" | "36" | "39"
            )
        });
        if ours && end > 0 || after.starts_with('m') {
            rest = &after[end + 1..];
        } else {
            plain.push('\u{1b}');
            rest = after;
        }
    }
    plain + rest
}

fn assert_harmless(what: &str, text: &str) {
    let plain = without_colors(text);
    if let Some((line, c)) = plain
        .lines()
        .find_map(|line| Some((line, line.chars().find(|c| !is_allowed(*c))?)))
    {
        panic!("{what} contains {c:?}: {line}");
    }
}

/// Its standard output.
fn assert_output_harmless(place: &Path, arguments: &[&str]) -> String {
    let output = firedrill(place, arguments);
    let (text, errors) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(!errors.contains("panicked"), "{arguments:?}: {errors}");
    for text in [&text, &errors] {
        assert_harmless(&format!("{arguments:?}"), text);
        // What is printed goes through a runner; what is in a file does not.
        let mut lines = without_colors(text)
            .lines()
            .map(str::trim_start)
            .map(str::to_owned)
            .collect::<Vec<_>>();
        lines.retain(|line| line.starts_with("::error title=forged") || line.contains("##["));
        assert_eq!(lines, [""; 0], "{arguments:?}");
    }
    text
}

#[test]
fn no_text_of_a_stored_run_controls_what_shows_it() {
    let place = tempfile::tempdir().unwrap();
    let runs = place.path().join("runs");
    for name in crate::STORED {
        let planted = hostile_run(&runs, name);
        assert!(planted > 20, "{name}: only {planted} texts are hostile");
    }
    let first = format!("runs/{}", crate::STORED[0]);
    // The same scenario as another run, to compare with.
    hostile_run(&place.path().join("base"), crate::STORED[0]);
    let events = place
        .path()
        .join("base")
        .join(crate::STORED[0])
        .join("events.jsonl");
    let other = fs::read_to_string(&events)
        .unwrap()
        .replace("\"run\":\"", "\"run\":\"b");
    fs::write(&events, other).unwrap();
    for color in ["always", "never"] {
        for arguments in [
            &["report", "runs"][..],
            &["report", "runs", "--format", "json"],
            &["report", "runs", "--format", "junit"],
            &["report", "runs", "--format", "github"],
            &["report", "runs", "--format", "html"],
            &["report", &first, "--json"],
            &["merge", "runs"],
            &["merge", "runs", "--json"],
            &["projection", "runs", "--years", "1000"],
            &["projection", "runs", "--years", "1000", "--json"],
            &["compare", "base", "runs"],
            &["compare", "base", "runs", "--json"],
        ] {
            assert_output_harmless(place.path(), &[&["--color", color], arguments].concat());
        }
    }
    for arguments in [
        &["report", "runs", "--format", "markdown"][..],
        &["report", &first, "--incident"],
        &["merge", "runs", "--markdown"],
        &["projection", "runs", "--years", "1000", "--markdown"],
        &["compare", "base", "runs", "--markdown"],
    ] {
        let text = assert_output_harmless(place.path(), arguments);
        assert!(!text.is_empty(), "{arguments:?} printed nothing");
        for line in outside_code(&text) {
            let lower = line.to_lowercase();
            for markup in ["http://evil", "www.evil", "<!--", "@everyone", "](b)", "gh-12"] {
                let harmless = lower.replace("\\]", "");
                assert!(!harmless.contains(markup), "{arguments:?}: {markup} in {line}");
            }
        }
    }
    // Files are shown later by something else.
    for (format, file) in [
        ("junit", "junit.xml"),
        ("html", "page.html"),
        ("terminal", "text"),
    ] {
        firedrill(
            place.path(),
            &["report", "runs", "--format", format, "--output", file],
        );
        assert_harmless(file, &fs::read_to_string(place.path().join(file)).unwrap());
    }
}

/// The lines of a Markdown text that are not in a fence, without what is code in them.
fn outside_code(text: &str) -> Vec<String> {
    let mut fence: Option<String> = None;
    let mut lines = Vec::new();
    for line in text.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if *open == ticks && line.len() == ticks.len() => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => lines.push(line.split('`').step_by(2).collect()),
        }
    }
    lines
}

#[test]
fn no_scenario_file_controls_what_shows_its_problems() {
    let place = tempfile::tempdir().unwrap();
    let scenarios = place.path().join("scenarios");
    fs::create_dir(&scenarios).unwrap();
    let name = "a\u{1b}[2J\u{202e}::b.toml";
    fs::write(scenarios.join(name), "summary = \"x\"\nsystem = \"y\"\n").unwrap();
    let broken = format!(
        "summary = \"{}\"\nsystem = \"sys\u{202e}\"\n\"key\u{9b}\" = 1\n# \u{1b}]0;t\u{7}\n::error title=forged::x\n",
        HOSTILE.replace(['\n', '\r'], "")
    );
    fs::write(scenarios.join("broken.toml"), &broken).unwrap();
    for line in broken.lines().filter(|line| !line.is_empty()) {
        let number = line.len();
        fs::write(scenarios.join(format!("part-{number}.toml")), line).unwrap();
    }
    for color in ["always", "never"] {
        for arguments in [
            &["check"][..],
            &["check", "--json"],
            &["list"],
            &["run", name],
            &["report", "no\u{1b}[2J\u{202e}where"],
            &["budget", "--ledger", "no\u{1b}[2J\u{202e}where"],
            &["clean", "--runs", "no\u{1b}[2J\u{202e}where"],
            &["report", "--no\u{1b}[2J\u{202e}where"],
        ] {
            assert_output_harmless(place.path(), &[&["--color", color], arguments].concat());
        }
    }
    let refused = String::from_utf8(firedrill(place.path(), &["check"]).stderr).unwrap();
    assert!(refused.contains("is not the name of a scenario"), "{refused}");
}
