//! A comparison of two sets of repeats, for a terminal and for Markdown.

use std::fmt::Write;

use super::budget::spoken;
use super::suite::cell;
use super::text::{Paint, plain};
use firedrill_judge::compare::{Comparison, Doubt, Finding, MIN_DRILLS, Metric, Row, Values, duration};

fn metric(of: Metric) -> &'static str {
    match of {
        Metric::Downtime => "downtime",
        Metric::TimeToDetect => "time to detect",
        Metric::RollbackTime => "rollback time",
        Metric::TimeToRecover => "time to recover",
        Metric::DataLoss => "data loss",
        Metric::Unexpected => "not as stated",
    }
}

fn finding(of: Finding) -> &'static str {
    match of {
        Finding::Regression => "REGRESSION",
        Finding::Improvement => "better",
        Finding::NoDifference => "no difference",
        Finding::Inconclusive(Doubt::TooFew) => "cannot say: too few",
        Finding::Inconclusive(Doubt::NotInterleaved) => "cannot say: not interleaved",
        Finding::Inconclusive(Doubt::NoEvidence) => "cannot say: no evidence",
    }
}

fn time(of: Metric, seconds: f64) -> String {
    let never = match of {
        Metric::Downtime => "never ended",
        _ => "never",
    };
    duration(seconds).map_or_else(|| never.to_owned(), spoken)
}

/// Whether drills are counted, and not timed.
fn is_count(row: &Row) -> bool {
    matches!(row.metric, Metric::DataLoss | Metric::Unexpected)
}

/// Median with least and greatest; of fewer than five, the values and no median.
fn side(row: &Row, values: &Values) -> String {
    let n = values.values.len();
    let time = |seconds: f64| time(row.metric, seconds);
    if is_count(row) {
        let so = values.values.iter().filter(|value| **value > 0.0).count();
        return format!("{so} of {n} drills");
    }
    if n < MIN_DRILLS {
        let all: Vec<String> = values.values.iter().map(|value| time(*value)).collect();
        return all.join(", ");
    }
    let (least, most) = values.range();
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
        return "–".to_owned();
    }
    if base > 0.0 && base.is_finite() && head.is_finite() {
        format!("× {:.2}", head / base)
    } else {
        format!("{} → {}", time(base), time(head))
    }
}

fn verdict(comparison: &Comparison) -> String {
    let count =
        |wanted: fn(&Finding) -> bool| comparison.rows.iter().filter(|row| wanted(&row.finding)).count();
    let regressions = count(|finding| *finding == Finding::Regression);
    let unsaid = count(|finding| matches!(finding, Finding::Inconclusive(_)));
    let without = comparison.without_evidence.len();
    match (comparison.rows.len(), regressions, unsaid) {
        (_, 0, 0) if without == 1 => "Cannot say, of a scenario without evidence.".to_owned(),
        (_, 0, 0) if without > 0 => format!("Cannot say, of {without} scenarios without evidence."),
        (0, ..) => "Cannot say: there is nothing that both sides have.".to_owned(),
        (_, 0, 0) => "No regression.".to_owned(),
        (_, 0, unsaid) => format!("Cannot say, in {unsaid} of {} rows.", comparison.rows.len()),
        (_, 1, _) => "A regression.".to_owned(),
        (_, regressions, _) => format!("{regressions} regressions."),
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
            "too few: a difference needs at least {MIN_DRILLS} drills a side (firedrill run -n 10 --against BASE)"
        ));
    }
    if has(Doubt::NotInterleaved) {
        lines.push(
            "not interleaved: one side was run after the other, and what drifted on the machine looks like a \
             regression (firedrill run --against BASE takes turns)"
                .to_owned(),
        );
    }
    if !comparison.unpaired.is_empty() {
        lines.push(format!("only on one side: {}", comparison.unpaired.join(", ")));
    }
    if !comparison.without_evidence.is_empty() {
        lines.push(format!(
            "without evidence, all drills of one side: {}",
            comparison.without_evidence.join(", ")
        ));
    }
    let (base, head) = comparison.left_out;
    if base + head > 0 {
        lines.push(format!(
            "drills left out (without evidence, not run, or unreadable): {base} of the base, {head} of the head"
        ));
    }
    let (base, head) = comparison.unexpected;
    if base + head > 0 {
        lines.push(format!(
            "drills not as stated: {base} of the base, {head} of the head"
        ));
    }
    lines
}

/// The comparison for a terminal.
pub fn comparison(comparison: &Comparison, colours: bool) -> String {
    let paint = Paint(colours);
    let widest = |of: fn(&Row) -> String, least: usize| {
        comparison
            .rows
            .iter()
            .map(|row| of(row).chars().count())
            .max()
            .unwrap_or(0)
            .clamp(least, 44)
    };
    let name = widest(|row| row.scenario.clone(), 8);
    let (base, head) = (
        widest(|row| side(row, &row.baseline), 4),
        widest(|row| side(row, &row.head), 4),
    );
    let mut text = format!(
        "{:name$}  {:15}  {:base$}  {:head$}  {:>8}  {:>6}\n",
        "scenario", "", "base", "head", "change", "p"
    );
    for row in &comparison.rows {
        let told = finding(row.finding);
        let told = match row.finding {
            Finding::Regression => paint.bad(told),
            Finding::Improvement => paint.good(told),
            Finding::NoDifference => paint.dim(told),
            Finding::Inconclusive(_) => paint.warn(told),
        };
        let _ = writeln!(
            text,
            "{:name$}  {:15}  {:base$}  {:head$}  {:>8}  {:>6.3}  {told}",
            plain(&row.scenario, name),
            metric(row.metric),
            side(row, &row.baseline),
            side(row, &row.head),
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

/// The comparison as Markdown: what matters, and the rest folded away.
pub fn comparison_markdown(comparison: &Comparison) -> String {
    let (told, same): (Vec<&Row>, Vec<&Row>) = comparison
        .rows
        .iter()
        .partition(|row| row.finding != Finding::NoDifference);
    let mut text = format!("### Firedrill: {}\n", verdict(comparison));
    if !told.is_empty() {
        text.push_str(&table(&told));
    }
    if !same.is_empty() {
        let _ = write!(
            text,
            "\n<details><summary>{} without difference</summary>\n{}\n</details>\n",
            same.len(),
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
    const MOST: usize = 120;
    let mut text =
        "\n| | scenario | | base | head | change | p |\n|---|---|---|---|---|--:|--:|\n".to_owned();
    for row in rows.iter().take(MOST) {
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
    if rows.len() > MOST {
        let _ = writeln!(text, "\nand {} more", rows.len() - MOST);
    }
    text
}
