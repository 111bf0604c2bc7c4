//! A comparison of two sets of repeats, for a terminal and for Markdown.
//!
//! Takes what the judgement found between a baseline and a head, gives a table with the verdict and its caveats.

use std::fmt::Write;

use super::format::{NOT_APPLICABLE, count, list, long};
use super::suite::cell;
use super::text::{Paint, column, pad, plain};
use firedrill_judge::compare::{Comparison, Doubt, Finding, MIN_DRILLS, Metric, Row, Values, duration};

/// Rows beyond this are counted, not listed, in Markdown.
const MOST_ROWS: usize = 120;

fn metric(of: Metric) -> &'static str {
    match of {
        Metric::Downtime => "downtime",
        Metric::TimeToDetect => "time to detect",
        Metric::RollbackTime => "time to roll back",
        Metric::TimeToRecover => "time to recover",
        Metric::DataLoss => "data loss",
        Metric::Unexpected => "unexpected",
    }
}

fn finding(of: Finding) -> &'static str {
    match of {
        Finding::Regression => "REGRESSION",
        Finding::Improvement => "improvement",
        Finding::NoDifference => "no difference",
        Finding::Inconclusive(Doubt::TooFew) => "inconclusive: too few drills",
        Finding::Inconclusive(Doubt::NotInTurn) => "inconclusive: not run in turn",
        Finding::Inconclusive(Doubt::NoEvidence) => "inconclusive: no evidence",
    }
}

fn time(of: Metric, seconds: f64) -> String {
    // What did not happen within a drill is an infinite time.
    let never = match of {
        Metric::Downtime => "still down",
        _ => "never",
    };
    duration(seconds).map_or_else(|| never.to_owned(), long)
}

/// Whether drills are counted, and not timed.
fn is_count(row: &Row) -> bool {
    matches!(row.metric, Metric::DataLoss | Metric::Unexpected)
}

/// Median with least and greatest; of fewer than [`MIN_DRILLS`], the values and no median.
fn side(row: &Row, values: &Values) -> String {
    let n = values.values.len();
    let time = |seconds: f64| time(row.metric, seconds);
    if is_count(row) {
        // How many drills were affected: a median of counts that are mostly zero is zero.
        let affected = values.values.iter().filter(|value| **value > 0.0).count();
        return format!("{affected} of {}", count(n, "drill"));
    }
    // Too few for a median: the values themselves.
    if n < MIN_DRILLS {
        return list(values.values.iter().map(|value| time(*value)));
    }
    let (least, most) = values.range();
    // A range of one value says nothing.
    if least == most {
        return format!("{} (n {n})", time(values.median));
    }
    format!(
        "{} ({} … {}, n {n})",
        time(values.median),
        time(least),
        time(most)
    )
}

fn change(row: &Row) -> String {
    let (base, head) = (row.baseline.median, row.head.median);
    let time = |seconds: f64| time(row.metric, seconds);
    if is_count(row) || base == head || row.baseline.values.len().min(row.head.values.len()) < MIN_DRILLS {
        return NOT_APPLICABLE.to_owned();
    }
    // A ratio needs two finite numbers; *never* and zero are shown as they are.
    if base > 0.0 && base.is_finite() && head.is_finite() {
        format!("× {:.2}", head / base)
    } else {
        format!("{} → {}", time(base), time(head))
    }
}

fn verdict(comparison: &Comparison) -> String {
    let number =
        |wanted: fn(&Finding) -> bool| comparison.rows.iter().filter(|row| wanted(&row.finding)).count();
    let regressions = number(|finding| *finding == Finding::Regression);
    let inconclusive = number(|finding| matches!(finding, Finding::Inconclusive(_)));
    let without_evidence = comparison.without_evidence.len();
    let rows = comparison.rows.len();
    match (rows, regressions, inconclusive) {
        // No regression was found, but where there is no evidence none could be.
        (_, 0, 0) if without_evidence > 0 => {
            format!(
                "Inconclusive: no evidence for {}.",
                count(without_evidence, "scenario")
            )
        }
        (0, ..) => "Inconclusive: no scenario was drilled on both sides.".to_owned(),
        // Every row has evidence on both sides, and none is worse.
        (_, 0, 0) => "No regression.".to_owned(),
        (_, 0, some) => format!("Inconclusive in {some} of {}.", count(rows, "row")),
        (_, regressions, _) => format!("{}.", count(regressions, "regression")),
    }
}

fn remarks(comparison: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    let has = |wanted: Doubt| {
        comparison
            .rows
            .iter()
            .any(|row| row.finding == Finding::Inconclusive(wanted))
    };
    if has(Doubt::TooFew) {
        lines.push(format!(
            "too few drills: a difference needs at least {MIN_DRILLS} a side (firedrill run -n 10 --baseline BASE)"
        ));
    }
    if has(Doubt::NotInTurn) {
        lines.push(
            "not run in turn: a slower machine would look like a regression; use firedrill run --baseline BASE"
                .to_owned(),
        );
    }
    if !comparison.unpaired.is_empty() {
        lines.push(format!("only on one side: {}", comparison.unpaired.join(", ")));
    }
    if !comparison.without_evidence.is_empty() {
        lines.push(format!(
            "no drill with evidence on one side: {}",
            comparison.without_evidence.join(", ")
        ));
    }
    for (what, (base, head)) in [
        (
            "drills left out (no evidence, not run, or unreadable)",
            comparison.left_out,
        ),
        ("drills with an unexpected result", comparison.unexpected),
    ] {
        if base + head > 0 {
            lines.push(format!("{what}: {base} of the baseline, {head} of the head"));
        }
    }
    lines
}

/// The comparison for a terminal.
pub fn comparison(comparison: &Comparison, colours: bool) -> String {
    let paint = Paint(colours);
    let rows: Vec<[String; 4]> = comparison.rows.iter().map(cells).collect();
    let widest = |at: usize, title: &str| column(rows.iter().map(|row| row[at].as_str()), title.len(), 44);
    let titles = ["scenario", "", "baseline", "head"];
    let widths: Vec<usize> = titles
        .iter()
        .enumerate()
        .map(|(at, title)| widest(at, title))
        .collect();
    let padded = |cells: [&str; 4]| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| pad(cell, *width));
        cells.collect::<Vec<_>>().join("  ")
    };
    let mut text = format!("{}  {:>8}  {:>6}\n", padded(titles), "change", "p");
    for (row, cells) in comparison.rows.iter().zip(&rows) {
        let finding = finding(row.finding);
        let finding = match row.finding {
            Finding::Regression => paint.bad(finding),
            Finding::Improvement => paint.good(finding),
            Finding::NoDifference => paint.dim(finding),
            Finding::Inconclusive(_) => paint.warn(finding),
        };
        let _ = writeln!(
            text,
            "{}  {:>8}  {:>6.3}  {finding}",
            padded(cells.each_ref().map(String::as_str)),
            change(row),
            row.p
        );
    }
    for line in remarks(comparison) {
        let _ = writeln!(text, "{}", plain(&line, 400));
    }
    let _ = write!(text, "\n{}", paint.bold(&verdict(comparison)));
    text
}

/// A row's scenario, metric and sides.
fn cells(row: &Row) -> [String; 4] {
    [
        plain(&row.scenario, 44),
        metric(row.metric).to_owned(),
        side(row, &row.baseline),
        side(row, &row.head),
    ]
}

/// The comparison as Markdown: what differs, and the rest folded away.
pub fn comparison_markdown(comparison: &Comparison) -> String {
    // What is the same is folded away, so that a reviewer sees the differences alone.
    let (different, same): (Vec<&Row>, Vec<&Row>) = comparison
        .rows
        .iter()
        .partition(|row| row.finding != Finding::NoDifference);
    let mut text = format!("### Firedrill: {}\n", verdict(comparison));
    if !different.is_empty() {
        text.push_str(&table(&different));
    }
    if !same.is_empty() {
        let _ = write!(
            text,
            "\n<details><summary>{} without difference</summary>\n{}\n</details>\n",
            count(same.len(), "row"),
            table(&same)
        );
    }
    text.push('\n');
    for line in remarks(comparison) {
        let _ = writeln!(text, "* {}", cell(&line));
    }
    text
}

fn table(rows: &[&Row]) -> String {
    let mut text =
        "\n| | scenario | | baseline | head | change | p |\n|---|---|---|---|---|--:|--:|\n".to_owned();
    for row in rows.iter().take(MOST_ROWS) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {:.3} |",
            finding(row.finding),
            cell(&row.scenario),
            metric(row.metric),
            side(row, &row.baseline),
            side(row, &row.head),
            change(row),
            row.p
        );
    }
    if rows.len() > MOST_ROWS {
        let _ = writeln!(text, "\nand {} more", rows.len() - MOST_ROWS);
    }
    text
}
