//! A suite for machines and for Markdown: all drills of one call, or of its shards together.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::format::{self, NOT_APPLICABLE, bounds, count, percent};
use super::summary::{DrillSummary, Ending, SuiteResult};
use firedrill_judge::compare::MIN_DRILLS;
use firedrill_judge::measure::Bounds;

/// Rows beyond this are counted, not listed: GitHub takes 65 536 characters.
const MOST_ROWS: usize = 150;

/// The results that a headline counts, the most urgent first.
const UNEXPECTED: [SuiteResult; 5] = [
    SuiteResult::Breached,
    SuiteResult::ControlUnexpected,
    SuiteResult::NotRun,
    SuiteResult::Undecided,
    SuiteResult::Skipped,
];

/// A result in the JSON summary. Its values are part of format 1: they stay when the wording of reports changes.
fn json_result(result: SuiteResult) -> &'static str {
    match result {
        SuiteResult::Met => "met",
        SuiteResult::ControlAsExpected => "as expected",
        SuiteResult::Breached => "breached",
        SuiteResult::ControlUnexpected => "unexpected",
        SuiteResult::Undecided => "undecided",
        SuiteResult::NotRun => "not run",
        SuiteResult::Skipped => "skipped",
    }
}

/// What a reader must see first has the lowest number.
fn urgency(result: SuiteResult) -> u8 {
    match result {
        SuiteResult::Breached | SuiteResult::ControlUnexpected => 0,
        SuiteResult::NotRun => 1,
        SuiteResult::Undecided => 2,
        SuiteResult::Skipped => 3,
        SuiteResult::Met | SuiteResult::ControlAsExpected => 4,
    }
}

fn number(lines: &[&DrillSummary], wanted: SuiteResult) -> usize {
    lines.iter().filter(|line| line.result() == wanted).count()
}

/// The summary as one JSON value: counts, and an object for each drill.
pub fn summary_json(lines: &[&DrillSummary], seed: u64, backend: &str) -> Value {
    let as_expected = lines.iter().filter(|line| line.is_as_expected()).count();
    json!({
        "format": 1,
        "backend": backend,
        "seed": seed,
        "drills": lines.len(),
        "as_expected": as_expected,
        "breached": number(lines, SuiteResult::Breached),
        "controls_unexpected": number(lines, SuiteResult::ControlUnexpected),
        "undecided": number(lines, SuiteResult::Undecided),
        "not_run": number(lines, SuiteResult::NotRun),
        "skipped": number(lines, SuiteResult::Skipped),
        "lines": lines.iter().map(|line| json_row(line)).collect::<Vec<_>>(),
    })
}

fn json_row(line: &DrillSummary) -> Value {
    let mut row =
        json!({ "scenario": line.name, "control": line.control, "result": json_result(line.result()) });
    match &line.ending {
        Ending::Judged(judged) => {
            let downtime = judged.downtime;
            row["verdict"] = json!(judged.verdict);
            row["downtime"] = json!({
                "low": downtime.low.as_secs_f64(),
                "high": downtime.high.map(|high| high.as_secs_f64()),
            });
            row["percent"] = json!(judged.percent);
            row["why"] = json!(judged.check_names());
        }
        Ending::Skipped(why) | Ending::NotRun(why) => row["why"] = json!(why),
    }
    row
}

/// All repeats of one scenario.
struct Repeats<'a> {
    /// The one that is shown: the worst.
    worst: &'a DrillSummary,
    all: Vec<&'a DrillSummary>,
}

impl Repeats<'_> {
    /// What a reader must see first is the least: by result, then by cost, then by name.
    fn order(&self) -> (u8, Reverse<u64>, &str) {
        let (urgency, cost) = weight(self.worst);
        (urgency, cost, &self.worst.name)
    }

    fn are_as_expected(&self) -> bool {
        self.all.iter().all(|line| line.is_as_expected())
    }

    /// The worst result, and in how many of the repeats unless in all.
    fn result(&self) -> String {
        let result = self.worst.result();
        let same = number(&self.all, result);
        match self.all.len() {
            all if same == all => result.word().to_owned(),
            all => format!("{} in {same} of {all}", result.word()),
        }
    }

    /// The median downtime; of fewer than [`MIN_DRILLS`] repeats every one, and of a single one nothing more.
    fn median(&self) -> String {
        let downtimes = self.all.iter().filter_map(|line| Some(line.judged()?.downtime));
        let downtimes: Vec<Bounds> = downtimes.collect();
        match downtimes.len() {
            // Of one drill, the column before this one has the downtime.
            0 | 1 => NOT_APPLICABLE.to_owned(),
            n if n < MIN_DRILLS => format::list(downtimes.into_iter().map(bounds)),
            _ => bounds(median(&downtimes)),
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
    // A missing upper bound sorts last: an outage that did not end is longer than any that did.
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

/// The order of repeats and rows: what is urgent, then what costs most; without a price, most of all.
fn weight(line: &DrillSummary) -> (u8, Reverse<u64>) {
    let share = line
        .judged()
        .map_or(0.0, |judged| judged.percent.unwrap_or(f64::MAX));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "to sort by; the cast saturates"
    )]
    let thousandths = (share * 1e3) as u64;
    (urgency(line.result()), Reverse(thousandths))
}

/// The repeats of each scenario, the worst first.
fn by_scenario<'a>(lines: &[&'a DrillSummary]) -> Vec<Repeats<'a>> {
    let mut scenarios: BTreeMap<&str, Vec<&DrillSummary>> = BTreeMap::new();
    for line in lines {
        scenarios.entry(&line.name).or_default().push(line);
    }
    let repeats = |all: Vec<&'a DrillSummary>| {
        // `min_by_key`: the most urgent result has the lowest number.
        // A scenario is shown by its worst drill; the others only count.
        let worst = *all.iter().min_by_key(|line| weight(line))?;
        Some(Repeats { worst, all })
    };
    let mut rows: Vec<Repeats<'_>> = scenarios.into_values().filter_map(repeats).collect();
    // The worst first: rows beyond the limit are left out.
    rows.sort_by(|a, b| a.order().cmp(&b.order()));
    rows
}

/// The summary as Markdown: a headline, what is unexpected, and the rest folded away. A row for each scenario, with all
/// its repeats.
pub fn summary_markdown(lines: &[&DrillSummary], seed: u64, backend: &str) -> String {
    let (expected, other): (Vec<Repeats<'_>>, Vec<Repeats<'_>>) =
        by_scenario(lines).into_iter().partition(Repeats::are_as_expected);
    let mut text = format!(
        "### Firedrill: {} of {} as expected\n\nOn {}, seed {seed}.",
        lines.iter().filter(|line| line.is_as_expected()).count(),
        count(lines.len(), "drill"),
        cell(backend)
    );
    for result in UNEXPECTED {
        let number = number(lines, result);
        if number > 0 {
            let _ = write!(text, " **{number} {}.**", result.word());
        }
    }
    text.push('\n');
    if !other.is_empty() {
        text.push_str(&table(&other));
    }
    if !expected.is_empty() {
        let _ = write!(
            text,
            "\n<details><summary>{} as expected</summary>\n{}\n</details>\n",
            count(expected.len(), "scenario"),
            table(&expected)
        );
    }
    text
}

fn table(rows: &[Repeats<'_>]) -> String {
    let mut text = "\n| result | scenario | n | worst downtime | median | budget used, at most | why |\n\
                    |---|---|--:|---|---|--:|---|\n"
        .to_owned();
    for row in rows.iter().take(MOST_ROWS) {
        let line = row.worst;
        let (downtime, share, why) = match &line.ending {
            Ending::Judged(judged) => {
                let share = judged.percent.map_or_else(|| "unknown".to_owned(), percent);
                (bounds(judged.downtime), share, judged.check_names())
            }
            Ending::Skipped(why) | Ending::NotRun(why) => {
                (NOT_APPLICABLE.to_owned(), NOT_APPLICABLE.to_owned(), why.clone())
            }
        };
        let control = if line.control { " (negative control)" } else { "" };
        // A row is one line; the whole reason is in the drill's own report.
        let why: String = why.chars().take(160).collect();
        let _ = writeln!(
            text,
            "| {} | {}{control} | {} | {downtime} | {} | {share} | {} |",
            row.result(),
            cell(&line.name),
            row.all.len(),
            row.median(),
            cell(&why)
        );
    }
    if rows.len() > MOST_ROWS {
        let _ = writeln!(text, "\nand {} more", rows.len() - MOST_ROWS);
    }
    text
}

/// Text for a cell of a Markdown table: it stays inside, and is no markup.
pub(super) fn cell(text: &str) -> String {
    super::markdown::escaped(text, 400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::Judged;
    use firedrill_judge::Verdict;
    use firedrill_model::check::CheckId;

    fn judged(name: &str, verdict: Verdict, millis: u64) -> DrillSummary {
        let time = Duration::from_millis(millis);
        let mut line = DrillSummary::failed(name, false, "");
        let failed = (verdict != Verdict::Met).then_some(CheckId::Downtime);
        line.ending = Ending::Judged(Judged {
            verdict,
            as_expected: verdict == Verdict::Met,
            downtime: Bounds::between(time, time),
            percent: Some(time.as_secs_f64() / 9.0),
            damage: None,
            checks: failed.into_iter().collect(),
        });
        line
    }

    #[test]
    fn many_repeats_are_one_row_for_each_scenario_the_worst_first() {
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
            text.contains("41 scenarios as expected") && !text.contains("more"),
            "{text}"
        );
        assert!(text.contains("857 of 860 drills as expected"), "{text}");
    }

    #[test]
    fn few_repeats_are_listed_and_have_no_median() {
        let two = [judged("a", Verdict::Met, 1000), judged("a", Verdict::Met, 2000)];
        let text = summary_markdown(&two.iter().collect::<Vec<_>>(), 7, "process");
        assert!(
            text.contains("| met | a | 2 | 2.000 s | 1.000 s, 2.000 s |"),
            "{text}"
        );
        let still_down = Bounds {
            low: Duration::ZERO,
            high: None,
        };
        let down = |millis| Bounds::between(Duration::from_millis(millis), Duration::from_millis(millis + 5));
        assert_eq!(
            median(&[still_down, down(7), still_down, down(9), still_down]).high,
            None
        );
        assert_eq!(
            median(&[down(3), down(7), still_down]),
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
