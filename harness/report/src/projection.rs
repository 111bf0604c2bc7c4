//! The projected annual downtime, for a terminal and for Markdown.
//!
//! Takes a projection and the drills it was made from, gives its figures with what they prove and what they do not.

use std::fmt::Write;

use super::format::{count, first_of, long_seconds, range, rate};
use super::suite::cell;
use super::text::{Paint, column, pad, plain};
use firedrill_budget::Gathered;
use firedrill_budget::projection::{
    ACCEPTED, Conclusion, Contribution, Distribution, Projection, Risk, slow_year_probability,
};
use firedrill_budget::statistics::ENOUGH_FOR_P95;

/// What a figure is called that nothing was measured for.
const UNKNOWN: &str = "unknown";
/// Scenarios beyond this are counted, not listed, in Markdown.
const MOST_SCENARIOS: usize = 60;
/// Names beyond this are counted, not listed.
const MOST_NAMES: usize = 8;
/// The titles of the two columns of figures.
const TITLES: [&str; 2] = ["as measured", "with an unseen slow mode"];

/// A figure of a distribution, in seconds.
type Figure = fn(&Distribution) -> f64;

fn times(low: f64, high: f64) -> String {
    range(long_seconds(low), long_seconds(high))
}

/// A share of simulated years. None of them does not mean never: the rule of three gives an upper bound at 95 %
/// confidence, 3 in so many.
fn share(of: f64, years: usize) -> String {
    if of > 0.0 {
        return format!("{:.1} %", of * 100.0);
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of years")]
    // Rule of three, in percent: 100 · 3/n.
    let most = 300.0 / years.max(1) as f64;
    format!("< {most:.3} %")
}

/// The tolerable rate: between what an unseen slow mode leaves room for, and what the measured drills alone do.
fn tolerable_rate(part: &Contribution) -> String {
    match (part.tolerable_rate_unseen, part.tolerable_rate) {
        (Some(slow), Some(measured)) => range(rate(slow), rate(measured)),
        (Some(slow), None) => format!("≥ {}", rate(slow)),
        // A slow mode that was not seen can only lower the rate.
        (None, Some(measured)) => format!("≤ {}", rate(measured)),
        (None, None) => UNKNOWN.to_owned(),
    }
}

/// The rows of the distribution: what, as measured, with an unseen slow mode.
fn rows(projection: &Projection) -> Vec<[String; 3]> {
    // Without a price for an outage that does not end there is no slow mode to add.
    let slow = projection.unseen.as_ref();
    let row = |what: &str, measured: String, slow: Option<String>| {
        [
            what.to_owned(),
            measured,
            slow.unwrap_or_else(|| UNKNOWN.to_owned()),
        ]
    };
    let figures: [(&str, Figure); 3] = [
        ("mean year", |d| d.mean),
        ("50 % of years, at most", |d| d.p50),
        ("95 % of years, at most", |d| d.p95),
    ];
    let mut rows: Vec<[String; 3]> = Vec::new();
    for (what, of) in figures {
        let measured = times(of(&projection.low), of(&projection.high));
        rows.push(row(what, measured, slow.map(|slow| long_seconds(of(slow)))));
    }
    let over = |of: &Distribution| share(of.over, projection.years);
    let measured = range(over(&projection.low), over(&projection.high));
    rows.push(row("years over budget", measured, slow.map(over)));
    rows
}

/// The row of a scenario: rate, drills, what one event costs, its share of the mean year, its tolerable rate.
fn scenario(part: &Contribution) -> [String; 5] {
    [
        rate(part.rate),
        part.n.to_string(),
        times(part.each.0, part.each.1),
        format!("{:.0} %", part.share),
        tolerable_rate(part),
    ]
}

fn conclusion(projection: &Projection, gathered: &Gathered) -> String {
    let accepted = ACCEPTED * 100.0;
    match projection.conclusion {
        Conclusion::Fits if gathered.is_incomplete() => {
            "Inconclusive: what was measured is within budget, but drills are missing (see Confidence).".to_owned()
        }
        Conclusion::Fits => {
            format!("Within budget: at most {accepted:.0} % of years exceed it, even with an unseen slow mode.")
        }
        Conclusion::DoesNotFit => {
            format!("Over budget: more than {accepted:.0} % of years exceed it, as measured.")
        }
        Conclusion::CannotSay { needs: Some(needs) } => format!(
            "Inconclusive: run {needs} drills of each scenario. If none is slower than those so far, they show that at most \
             {accepted:.0} % of years exceed the budget."
        ),
        Conclusion::CannotSay { needs: None } if projection.unseen.is_none() => {
            "Inconclusive: the cost of an unseen slow mode is unknown; set `manual_recovery` in firedrill.toml.".to_owned()
        }
        Conclusion::CannotSay { needs: None } => format!(
            "Inconclusive: by the upper bounds, more than {accepted:.0} % of years exceed the budget; by the lower bounds, fewer. \
             A higher probe rate narrows the bounds; more drills do not."
        ),
    }
}

/// What the drills prove, and what more of them would.
fn confidence(projection: &Projection, risks: &[Risk]) -> Vec<String> {
    // A sum is as certain as its least certain part.
    let fewest = projection.parts.iter().map(|part| part.n).min().unwrap_or(0);
    let drills = count(fewest, "drill");
    let mut lines = Vec::new();
    if fewest < ENOUGH_FOR_P95 {
        let worst = projection
            .parts
            .iter()
            .map(|part| part.confidence)
            // The weakest scenario limits what can be said of all.
            .fold(1.0, f64::min);
        lines.push(format!(
            "95 % of events cost no more than the costliest of {drills} ({:.0} % confidence; {ENOUGH_FOR_P95} drills give 95 %)",
            worst * 100.0
        ));
    }
    let unseen = projection
        .parts
        .iter()
        .map(|part| part.unseen)
        .fold(0.0, f64::max);
    lines.push(format!(
        "up to {:.1} % of events may be worse than any drill so far (95 % confidence, about 3/n, {drills})",
        unseen * 100.0
    ));
    let affected = |n: usize| slow_year_probability(risks, n) * 100.0;
    lines.push(format!("years with such an event: up to {:.1} %", affected(0)));
    for n in [ENOUGH_FOR_P95, 300, 1000, 3000]
        .into_iter()
        .filter(|n| *n > fewest)
    {
        lines.push(format!(
            "  with {n} drills of each scenario: up to {:.1} %",
            affected(n)
        ));
        // More drills than are enough need not be listed.
        if affected(n) <= ACCEPTED * 100.0 {
            break;
        }
    }
    lines
}

fn left_out(gathered: &Gathered, controls: bool) -> Vec<String> {
    let kind = if controls {
        "no negative control"
    } else {
        "negative control, which runs without protection (--controls includes them)"
    };
    let mut lines = Vec::new();
    for (names, why) in [
        (&gathered.other_kind, kind),
        (&gathered.without_rate, "no `per_year`, so its rate is unknown"),
        (
            &gathered.unmeasured,
            "no drill with evidence, so the year is incomplete",
        ),
    ] {
        if !names.is_empty() {
            lines.push(format!("left out, {why}: {}", first_of(names, MOST_NAMES)));
        }
    }
    if gathered.undecided > 0 {
        lines.push(format!(
            "left out, no evidence: {}",
            count(gathered.undecided, "drill")
        ));
    }
    if gathered.unreadable > 0 {
        lines.push(format!(
            "left out, unreadable, so the year is incomplete: {}",
            count(gathered.unreadable, "run")
        ));
    }
    if gathered.systems.len() > 1 {
        lines.push(format!(
            "measured on {} systems ({}): the total assumes that all scenarios apply to one system",
            gathered.systems.len(),
            gathered.systems.join(", ")
        ));
    }
    lines
}

fn headline(projection: &Projection) -> String {
    let drills: usize = projection.parts.iter().map(|part| part.n).sum();
    format!(
        "{}, {}, {} simulated years, seed {}; budget {}",
        count(projection.parts.len(), "scenario"),
        count(drills, "drill"),
        projection.years,
        projection.seed,
        long_seconds(projection.budget)
    )
}

/// The projection for a terminal.
pub fn projection(projection: &Projection, gathered: &Gathered, controls: bool, colours: bool) -> String {
    let paint = Paint(colours);
    let mut text = format!(
        "{}  {}\n",
        paint.bold("Projected annual downtime"),
        headline(projection)
    );
    let _ = writeln!(text, "  {:24}  {:26}  {}", "", TITLES[0], TITLES[1]);
    for [what, measured, slow] in rows(projection) {
        let _ = writeln!(text, "  {what:24}  {measured:26}  {slow}");
    }
    let widest = column(projection.parts.iter().map(|part| part.name.as_str()), 8, 44);
    let _ = writeln!(
        text,
        "\n{}\n  {:widest$}  {:>7}  {:>6}  {:22}  {:>6}  {:>14}",
        paint.bold("By scenario"),
        "",
        "a year",
        "drills",
        "cost of one",
        "share",
        "tolerable rate"
    );
    for part in &projection.parts {
        let [rate, drills, each, share, tolerable] = scenario(part);
        let _ = writeln!(
            text,
            "  {}  {rate:>7}  {drills:>6}  {each:22}  {share:>6}  {tolerable:>14}  {}",
            pad(&plain(&part.name, widest), widest),
            paint.dim(&plain(&part.because, 80))
        );
    }
    let _ = writeln!(text, "\n{}", paint.bold("Confidence"));
    for line in confidence(projection, &gathered.risks)
        .into_iter()
        .chain(left_out(gathered, controls))
    {
        let _ = writeln!(text, "  {line}");
    }
    let conclusion = conclusion(projection, gathered);
    let conclusion = match projection.conclusion {
        Conclusion::Fits if !gathered.is_incomplete() => paint.good(&conclusion),
        Conclusion::DoesNotFit => paint.bad(&conclusion),
        Conclusion::Fits | Conclusion::CannotSay { .. } => paint.warn(&conclusion),
    };
    let _ = write!(text, "\n{conclusion}");
    text
}

/// The projection as Markdown.
pub fn projection_markdown(projection: &Projection, gathered: &Gathered, controls: bool) -> String {
    let mut text = format!(
        "### Projected annual downtime\n\n{}\n\n",
        conclusion(projection, gathered)
    );
    let _ = writeln!(
        text,
        "{}.\n\n| | {} | {} |\n|---|---|---|",
        headline(projection),
        TITLES[0],
        TITLES[1]
    );
    for row in rows(projection) {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text.push_str(
        "\n| scenario | a year | drills | cost of one | share | tolerable rate |\n|---|--:|--:|---|--:|--:|\n",
    );
    for part in projection.parts.iter().take(MOST_SCENARIOS) {
        let _ = writeln!(text, "| {} | {} |", cell(&part.name), scenario(part).join(" | "));
    }
    if projection.parts.len() > MOST_SCENARIOS {
        let _ = writeln!(text, "\nand {} more", projection.parts.len() - MOST_SCENARIOS);
    }
    text.push('\n');
    for line in confidence(projection, &gathered.risks)
        .into_iter()
        .chain(left_out(gathered, controls))
    {
        let _ = writeln!(text, "* {}", cell(&line));
    }
    text
}
