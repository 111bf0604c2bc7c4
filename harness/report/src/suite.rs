//! All drills of one call (or of its shards, put together) for machines and for Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::summary::{DrillSummary, Outcome};
use super::text::word;
use firedrill_judge::Verdict;
use firedrill_judge::compare::MIN_DRILLS;
use firedrill_judge::measure::Bounds;

/// Rows beyond this are counted, not listed: a comment holds 65 536 characters.
const MOST_ROWS: usize = 150;

/// How a line's result is called.
fn result(line: &DrillSummary) -> &'static str {
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
fn urgency(line: &DrillSummary) -> u8 {
    match result(line) {
        "breached" | "not as stated" => 0,
        "not run" => 1,
        "undecided" => 2,
        "skipped" => 3,
        _ => 4,
    }
}

fn count(lines: &[&DrillSummary], wanted: &str) -> usize {
    lines.iter().filter(|line| result(line) == wanted).count()
}

/// The summary as one JSON value: counts, and an object a drill.
pub fn summary_json(lines: &[&DrillSummary], seed: u64, backend: &str) -> Value {
    let stated = lines.iter().filter(|line| line.is_stated()).count();
    json!({
        "format": 1,
        "target": backend,
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

fn row(line: &DrillSummary) -> Value {
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

/// All repeats of one scenario.
struct Row<'a> {
    /// The one that is told: the worst.
    worst: &'a DrillSummary,
    repeats: Vec<&'a DrillSummary>,
}

impl Row<'_> {
    /// What a reader must see first has the least: by result, then by what it took of the budget, then by name.
    fn order(&self) -> (u8, std::cmp::Reverse<u64>, &str) {
        let (urgency, taken) = weight(self.worst);
        (urgency, taken, &self.worst.name)
    }

    fn stated(&self) -> bool {
        self.repeats.iter().all(|line| line.is_stated())
    }

    /// Its result, and in how many of its repeats where not in all.
    fn result(&self) -> String {
        let told = result(self.worst);
        let same = self.repeats.iter().filter(|line| result(line) == told).count();
        match self.repeats.len() {
            all if same == all => told.to_owned(),
            all => format!("{told} in {same} of {all}"),
        }
    }

    /// The median downtime; of fewer than five repeats every one, and of a single one nothing more.
    fn median(&self) -> String {
        let downtimes: Vec<Bounds> = self.repeats.iter().filter_map(|line| downtime(line)).collect();
        match downtimes.len() {
            0 | 1 => "–".to_owned(),
            n if n < MIN_DRILLS => downtimes
                .iter()
                .map(Bounds::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            _ => median(&downtimes).to_string(),
        }
    }
}

/// The median lies between the median of the lower bounds and that of the upper ones. Of an even number of repeats it is
/// the greater of the two in the middle.
fn median(downtimes: &[Bounds]) -> Bounds {
    let middle = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    let high = |bounds: &Bounds| bounds.high.unwrap_or(Duration::MAX);
    let (low, high) = (
        middle(downtimes.iter().map(|bounds| bounds.low).collect()),
        middle(downtimes.iter().map(high).collect()),
    );
    Bounds {
        low,
        high: Some(high).filter(|high| *high < Duration::MAX),
    }
}

fn downtime(line: &DrillSummary) -> Option<Bounds> {
    match &line.result {
        Outcome::Judged { downtime, .. } => Some(*downtime),
        Outcome::Skipped(_) | Outcome::Failed(_) => None,
    }
}

/// The order of repeats and rows: what is urgent, then what took most of the budget; without a price, most of all.
fn weight(line: &DrillSummary) -> (u8, std::cmp::Reverse<u64>) {
    let taken = match &line.result {
        Outcome::Judged { percent, .. } => percent.unwrap_or(f64::MAX),
        Outcome::Skipped(_) | Outcome::Failed(_) => 0.0,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "to sort by; the cast saturates"
    )]
    let thousandths = (taken * 1e3) as u64;
    (urgency(line), std::cmp::Reverse(thousandths))
}

/// A row a scenario, the worst first.
fn rows<'a>(lines: &[&'a DrillSummary]) -> Vec<Row<'a>> {
    let mut scenarios: BTreeMap<&str, Vec<&DrillSummary>> = BTreeMap::new();
    for line in lines {
        scenarios.entry(&line.name).or_default().push(line);
    }
    let row = |repeats: Vec<&'a DrillSummary>| {
        let worst = *repeats.iter().min_by_key(|line| weight(line))?;
        Some(Row { worst, repeats })
    };
    let mut rows: Vec<Row<'_>> = scenarios.into_values().filter_map(row).collect();
    rows.sort_by(|a, b| a.order().cmp(&b.order()));
    rows
}

/// The summary as Markdown: a headline, what is not as stated, and the rest folded away. A row for each scenario, its
/// repeats in it.
pub fn summary_markdown(lines: &[&DrillSummary], seed: u64, backend: &str) -> String {
    let (stated, other): (Vec<Row<'_>>, Vec<Row<'_>>) = rows(lines).into_iter().partition(Row::stated);
    let mut text = format!(
        "### Firedrill: {} of {} drills as stated\n\nOn {}, seed {seed}.",
        lines.iter().filter(|line| line.is_stated()).count(),
        lines.len(),
        cell(backend)
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
            "\n<details><summary>{} {} as stated</summary>\n{}\n</details>\n",
            stated.len(),
            if stated.len() == 1 {
                "scenario"
            } else {
                "scenarios"
            },
            table(&stated)
        );
    }
    text
}

fn table(rows: &[Row<'_>]) -> String {
    let mut text = "\n| result | scenario | n | worst downtime | median | of the budget, at most | why |\n\
                    |---|---|--:|---|---|--:|---|\n"
        .to_owned();
    for row in rows.iter().take(MOST_ROWS) {
        let line = row.worst;
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
            "| {} | {}{control} | {} | {downtime} | {} | {percent} | {} |",
            row.result(),
            cell(&line.name),
            row.repeats.len(),
            row.median(),
            cell(&why)
        );
    }
    if rows.len() > MOST_ROWS {
        let _ = writeln!(text, "\nand {} more", rows.len() - MOST_ROWS);
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

    fn judged(name: &str, verdict: Verdict, millis: u64) -> DrillSummary {
        let time = Duration::from_millis(millis);
        let mut line = DrillSummary::failed(name, false, "");
        line.result = Outcome::Judged {
            verdict,
            stated: verdict == Verdict::Met,
            downtime: Bounds::between(time, time),
            percent: Some(time.as_secs_f64() / 9.0),
            data: String::new(),
            why: if verdict == Verdict::Met {
                String::new()
            } else {
                "downtime".into()
            },
        };
        line
    }

    #[test]
    fn a_night_is_a_row_a_scenario_with_its_repeats_folded_and_the_worst_first() {
        let mut night: Vec<DrillSummary> = Vec::new();
        for scenario in 0..43u64 {
            for repeat in 0..20 {
                let verdict = match (scenario, repeat) {
                    (30, 3) => Verdict::Breached,
                    (20, 3 | 4) => Verdict::Undecided,
                    _ => Verdict::Met,
                };
                night.push(judged(
                    &format!("s{scenario:02}"),
                    verdict,
                    scenario * 100 + repeat * 10,
                ));
            }
        }
        let lines: Vec<&DrillSummary> = night.iter().collect();
        let text = summary_markdown(&lines, 7, "docker");
        let rows: Vec<&str> = text.lines().filter(|line| line.contains("| s")).collect();
        assert_eq!(rows.len(), 43 + 2, "a row a scenario, and two headings: {text}");
        let row = |at: usize| {
            *rows
                .iter()
                .filter(|row| !row.contains("scenario"))
                .nth(at)
                .unwrap()
        };
        assert!(
            row(0).starts_with("| breached in 1 of 20 | s30 | 20 | 3.03"),
            "{text}"
        );
        assert!(row(0).contains("| 3.10"), "the median of all: {text}");
        assert!(
            row(1).starts_with("| undecided in 2 of 20 | s20 | 20 |"),
            "{text}"
        );
        assert!(
            row(2).starts_with("| met | s42 | 20 | 4.39"),
            "then by cost: {text}"
        );
        assert!(
            text.contains("41 scenarios as stated") && !text.contains("more"),
            "{text}"
        );
        assert!(text.contains("857 of 860 drills as stated"), "{text}");
    }

    #[test]
    fn few_repeats_are_listed_and_have_no_median() {
        let two = [judged("a", Verdict::Met, 1000), judged("a", Verdict::Met, 2000)];
        let text = summary_markdown(&two.iter().collect::<Vec<_>>(), 7, "process");
        assert!(
            text.contains("| met | a | 2 | 2.000 s | 1.000 s, 2.000 s |"),
            "{text}"
        );
        let still = Bounds {
            low: Duration::ZERO,
            high: None,
        };
        let down = |millis| Bounds::between(Duration::from_millis(millis), Duration::from_millis(millis + 5));
        assert_eq!(median(&[still, down(7), still, down(9), still]).high, None);
        assert_eq!(
            median(&[down(3), down(7), still]),
            Bounds::between(Duration::from_millis(3), Duration::from_millis(12))
        );
    }

    #[test]
    fn the_worst_comes_first_and_nothing_breaks_out_of_its_cell() {
        let skipped = DrillSummary::skipped("a", false, "no limits here");
        let failed = DrillSummary::failed("b|c", false, "no\n<img> @team `x`");
        let text = summary_markdown(&[&skipped, &failed], 7, "process");
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("| ") && !line.starts_with("| result"))
            .collect();
        assert!(rows[0].contains("b\\|c") && rows[1].contains("| a |"), "{text}");
        assert!(!text.contains("<img>") && !text.contains("@team"), "{text}");
    }
}
