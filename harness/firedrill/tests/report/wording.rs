//! The words of all reports: no machine format, no unfilled template, no wrong plural, no phrase that the glossary avoids.

use std::process::Command;

use firedrill::report::{self, DrillOutcome, DrillReport};
use firedrill::sample::Outcome;
use firedrill::{history, judge, measure};

use crate::plain_english::avoided;
use crate::{STORED, drills, folder};

/// Beginnings of a debug rendering or of JSON.
const RAW: [&str; 9] = [
    "Some(", "None)", "Ok(", "Err(", "{\"", "[\"", "\":", " { ", "\\\"",
];

/// The report of a stored history without its logs: those are quoted as the services wrote them.
fn without_logs(name: &str) -> DrillOutcome {
    let history = history::read(&folder(name)).unwrap();
    let measured = measure::measure(&history);
    let judgement = judge::judge(&history, &measured);
    DrillOutcome::Judged(Box::new(DrillReport::new(
        &history,
        measured,
        judgement,
        Vec::new(),
    )))
}

/// Every text that people read, by the name of its format.
fn texts() -> Vec<(String, String)> {
    let stored: Vec<DrillOutcome> = STORED.iter().map(|name| without_logs(name)).collect();
    let others = drills()
        .into_iter()
        .filter(|drill| !matches!(drill, DrillOutcome::Judged(_)));
    let all: Vec<DrillOutcome> = stored.iter().cloned().chain(others).collect();
    let mut texts = vec![
        ("markdown".to_owned(), report::markdown(&all)),
        ("annotations".to_owned(), report::github(&all)),
        ("junit".to_owned(), report::junit(&all).unwrap()),
        ("page".to_owned(), visible(&report::html(&all).unwrap())),
    ];
    for (name, drill) in STORED.iter().zip(&stored) {
        let DrillOutcome::Judged(drill) = drill else {
            continue;
        };
        texts.push((format!("terminal {name}"), report::terminal(drill, 100, false)));
        texts.push((format!("post-mortem {name}"), report::incident(drill)));
        texts.push((format!("snapshot {name}"), snapshot(name)));
    }
    texts
}

fn snapshot(name: &str) -> String {
    let history = history::read(&folder(name)).unwrap();
    let measured = measure::measure(&history);
    let judgement = judge::judge(&history, &measured);
    report::snapshot(&history, &measured, &judgement, None)
}

/// The text of a page: neither tags nor what is between those of styles and scripts.
fn visible(page: &str) -> String {
    let mut text = page.to_owned();
    for element in ["style", "script"] {
        while let Some(begin) = text.find(&format!("<{element}")) {
            let end = text[begin..].find(&format!("</{element}>")).unwrap();
            text.replace_range(begin..=begin + end, " ");
        }
    }
    let mut visible = String::new();
    for part in text.split('<') {
        visible.push_str(part.split_once('>').map_or(part, |(_, text)| text));
        visible.push(' ');
    }
    visible
}

/// `{name}`: a placeholder that nobody filled.
fn placeholder(text: &str) -> Option<&str> {
    let mut parts = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    parts.find_map(|(name, _)| {
        let is_name = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c == '_' || c == '.');
        is_name.then_some(name)
    })
}

/// `1 drills`.
fn wrong_plural(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pairs = words.windows(2);
    let plural = |word: &str| word.len() > 3 && word.ends_with('s') && !word.ends_with("ss");
    pairs
        .filter(|pair| pair[0] == "1" && plural(pair[1]))
        .map(|pair| pair.join(" "))
        .next()
}

#[test]
fn no_report_contains_raw_json_a_debug_rendering_or_an_unfilled_template() {
    for (name, text) in texts() {
        for raw in RAW {
            let line = text.lines().find(|line| line.contains(raw));
            assert_eq!(line, None, "{name} contains {raw}");
        }
        assert_eq!(placeholder(&text), None, "{name}");
    }
}

#[test]
fn every_report_is_in_plain_english() {
    for (name, text) in texts() {
        assert_eq!(avoided(&text), None, "{name}");
        assert_eq!(wrong_plural(&text), None, "{name}");
    }
}

#[test]
fn the_words_of_outcomes_are_plain_english() {
    for outcome in Outcome::ALL {
        let words = match outcome {
            Outcome::Void(void) => void.to_string(),
            Outcome::Bad(bad) => bad.to_string(),
            Outcome::Good | Outcome::Fallback => continue,
        };
        assert_eq!(avoided(&words), None);
    }
}

#[test]
fn every_help_and_every_schema_is_in_plain_english() {
    let help = firedrill(&["--help"]);
    let commands = help
        .split("Commands:")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    let commands: Vec<&str> = commands
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.contains(&"run") && commands.len() > 8, "{commands:?}");
    for command in commands {
        assert_eq!(
            avoided(&firedrill(&[command, "--help"])),
            None,
            "{command} --help"
        );
    }
    for file in ["project", "system", "scenario", "report"] {
        let schema: serde_json::Value = serde_json::from_str(&firedrill(&["schema", file])).unwrap();
        for text in descriptions(&schema) {
            assert_eq!(avoided(text), None, "schema {file}");
        }
    }
}

fn firedrill(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a schema says to people.
fn descriptions(schema: &serde_json::Value) -> Vec<&str> {
    use serde_json::Value;
    match schema {
        Value::Array(items) => items.iter().flat_map(descriptions).collect(),
        Value::Object(table) => {
            let own = table.get("description").and_then(Value::as_str);
            own.into_iter()
                .chain(table.values().flat_map(descriptions))
                .collect()
        }
        _ => Vec::new(),
    }
}
