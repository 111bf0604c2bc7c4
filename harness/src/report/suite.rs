//! All drills of one call (or of its shards, put together) for machines and for Markdown.

use std::fmt::Write;

use serde_json::{Value, json};

use super::line::{Line, Outcome};
use super::text::word;
use crate::sla::Verdict;

/// Rows beyond this are counted, not listed: a comment holds 65 536 characters.
const MOST_ROWS: usize = 150;

/// How a line's result is called.
fn result(line: &Line) -> &'static str {
    match &line.result {
        Outcome::Judged { stated: true, .. } if line.control => "as stated",
        Outcome::Judged { stated: true, .. } => "met",
        Outcome::Judged { stated: false, .. } if line.control => "not as stated",
        Outcome::Judged { verdict, .. } => word((*verdict).max(Verdict::Undecided)),
        Outcome::Skipped(_) => "skipped",
        Outcome::Failed(_) => "not run",
    }
}

/// What a reader must see first has the lowest number.
fn urgency(line: &Line) -> u8 {
    match result(line) {
        "breached" | "not as stated" => 0,
        "not run" => 1,
        "undecided" => 2,
        "skipped" => 3,
        _ => 4,
    }
}

fn count(lines: &[&Line], wanted: &str) -> usize {
    lines.iter().filter(|line| result(line) == wanted).count()
}

/// The summary as one JSON value: counts, and an object a drill.
pub fn summary_json(lines: &[&Line], seed: u64, target: &str) -> Value {
    let stated = lines.iter().filter(|line| line.is_stated()).count();
    json!({
        "format": 1,
        "target": target,
        "seed": seed,
        "drills": lines.len(),
        "as_stated": stated,
        "breached": count(lines, "breached"),
        "controls_not_as_stated": count(lines, "not as stated"),
        "undecided": count(lines, "undecided"),
        "not_run": count(lines, "not run"),
        "skipped": count(lines, "skipped"),
        "lines": lines.iter().map(|line| row(line)).collect::<Vec<_>>(),
    })
}

fn row(line: &Line) -> Value {
    let mut row = json!({ "scenario": line.name, "control": line.control, "result": result(line) });
    match &line.result {
        Outcome::Judged {
            verdict,
            downtime,
            percent,
            why,
            ..
        } => {
            row["verdict"] = json!(verdict);
            let (low, high) = (
                downtime.low.as_secs_f64(),
                downtime.high.map(|high| high.as_secs_f64()),
            );
            row["downtime"] = json!({ "low": low, "high": high });
            row["percent"] = json!(percent);
            row["why"] = json!(why);
        }
        Outcome::Skipped(why) | Outcome::Failed(why) => row["why"] = json!(why),
    }
    row
}

/// The summary as Markdown: a headline, what is not as stated, and the rest folded away.
pub fn summary_markdown(lines: &[&Line], seed: u64, target: &str) -> String {
    let mut sorted = lines.to_vec();
    sorted.sort_by_key(|line| urgency(line));
    let (stated, other): (Vec<&Line>, Vec<&Line>) = sorted.into_iter().partition(|line| line.is_stated());
    let mut text = format!(
        "### Firedrill: {} of {} drills as stated\n\nOn {}, seed {seed}.",
        stated.len(),
        lines.len(),
        cell(target)
    );
    for what in ["breached", "not as stated", "not run", "undecided", "skipped"] {
        let count = count(lines, what);
        if count > 0 {
            let _ = write!(text, " **{count} {what}.**");
        }
    }
    text.push('\n');
    if !other.is_empty() {
        text.push_str(&table(&other));
    }
    if !stated.is_empty() {
        let _ = write!(
            text,
            "\n<details><summary>{} as stated</summary>\n{}\n</details>\n",
            stated.len(),
            table(&stated)
        );
    }
    text
}

fn table(lines: &[&Line]) -> String {
    let mut text =
        "\n| result | scenario | downtime | of the budget | why |\n|---|---|---|--:|---|\n".to_owned();
    for line in lines.iter().take(MOST_ROWS) {
        let (downtime, percent, why) = match &line.result {
            Outcome::Judged {
                downtime,
                percent,
                why,
                ..
            } => {
                let percent =
                    percent.map_or_else(|| "no price".to_owned(), |percent| format!("{percent:.2} %"));
                (downtime.to_string(), percent, why)
            }
            Outcome::Skipped(why) | Outcome::Failed(why) => ("–".to_owned(), "–".to_owned(), why),
        };
        let control = if line.control { " (control)" } else { "" };
        let why: String = why.chars().take(160).collect();
        let _ = writeln!(
            text,
            "| {} | {}{control} | {downtime} | {percent} | {} |",
            result(line),
            cell(&line.name),
            cell(&why)
        );
    }
    if lines.len() > MOST_ROWS {
        let _ = writeln!(text, "\nand {} more", lines.len() - MOST_ROWS);
    }
    text
}

/// Text that stays inside its cell, and does nothing there.
pub(super) fn cell(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '#' => {
                safe.push('\\');
                safe.push(c);
            }
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '@' => safe.push_str("@\u{200b}"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first_and_nothing_breaks_out_of_its_cell() {
        let skipped = Line::skipped("a", false, "no limits here");
        let failed = Line::failed("b|c", false, "no\n<img> @team `x`");
        let text = summary_markdown(&[&skipped, &failed], 7, "process");
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("| ") && !line.starts_with("| result"))
            .collect();
        assert!(rows[0].contains("b\\|c") && rows[1].contains("| a |"), "{text}");
        assert!(!text.contains("<img>") && !text.contains("@team"), "{text}");
    }
}
