//! The projected year, for a terminal and for Markdown.

use std::fmt::Write;
use std::time::Duration;

use super::budget::spoken;
use super::suite::cell;
use super::text::{Paint, plain};
use firedrill_budget::Gathered;
use firedrill_budget::projection::{
    ACCEPTED, Conclusion, Contribution, Distribution, Projection, Risk, slow_year_probability,
};
use firedrill_budget::statistics::ENOUGH_FOR_P95;

fn time(seconds: f64) -> String {
    spoken(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// Between two figures, or the one that both are.
fn range(low: String, high: String) -> String {
    if low == high {
        high
    } else {
        format!("{low} to {high}")
    }
}

fn times(low: f64, high: f64) -> String {
    range(time(low), time(high))
}

/// A share of simulated years. None of them does not mean never: at 95 %, at most 3 in so many.
fn share(of: f64, years: usize) -> String {
    if of > 0.0 {
        return format!("{:.1} %", of * 100.0);
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of years")]
    let most = 300.0 / years.max(1) as f64;
    format!("below {most:.3} %")
}

/// A rate with two digits.
fn rate(of: f64) -> String {
    match of {
        of if of >= 100.0 => format!("{of:.0}"),
        of if of >= 10.0 => format!("{of:.0}"),
        of if of >= 1.0 => format!("{of:.1}"),
        of => format!("{of:.2}"),
    }
}

/// Between what an unseen slow mode leaves room for, and what was measured alone does.
fn tolerable_rate(part: &Contribution) -> String {
    match (part.tolerable_rate_unseen, part.tolerable_rate) {
        (Some(slow), Some(measured)) => range(rate(slow), rate(measured)),
        (Some(slow), None) => format!("{} or more", rate(slow)),
        (None, Some(measured)) => format!("at most {}", rate(measured)),
        (None, None) => "unknown".to_owned(),
    }
}

/// The rows of the distribution: what, as measured, with an unseen slow mode.
fn rows(projection: &Projection) -> Vec<(&'static str, String, String)> {
    let figure = |of: fn(&Distribution) -> f64| {
        let slow = projection.unseen.as_ref();
        (
            times(of(&projection.low), of(&projection.high)),
            slow.map_or_else(|| "unknown".to_owned(), |slow| time(of(slow))),
        )
    };
    let over = |of: &Distribution| share(of.over, projection.years);
    let mut rows: Vec<(&'static str, String, String)> = Vec::new();
    for (what, of) in [
        ("mean year", (|d| d.mean) as fn(&Distribution) -> f64),
        ("half of years, at most", |d| d.p50),
        ("19 years of 20, at most", |d| d.p95),
    ] {
        let (measured, slow) = figure(of);
        rows.push((what, measured, slow));
    }
    rows.push((
        "years over the budget",
        range(over(&projection.low), over(&projection.high)),
        projection
            .unseen
            .as_ref()
            .map_or_else(|| "unknown".to_owned(), over),
    ));
    rows
}

fn conclusion(projection: &Projection) -> String {
    let accepted = ACCEPTED * 100.0;
    match projection.conclusion {
        Conclusion::Fits => format!(
            "It fits: at most {accepted:.0} % of years go over the budget, an unseen slow mode included."
        ),
        Conclusion::DoesNotFit => {
            format!(
                "It does not fit: more than {accepted:.0} % of years go over, by what was measured alone."
            )
        }
        Conclusion::CannotSay { needs: Some(needs) } => format!(
            "Cannot conclude: needs n ≥ {needs} drills of each scenario, none slower than those seen, before at most \
             {accepted:.0} % of years go over the budget."
        ),
        Conclusion::CannotSay { needs: None } if projection.unseen.is_none() => {
            "Cannot conclude: nothing says what \
             a slow mode would cost that the drills did not show; set `manual_recovery` in firedrill.toml."
                .to_owned()
        }
        Conclusion::CannotSay { needs: None } => format!(
            "Cannot conclude: by upper bounds more than {accepted:.0} % of years go over already, by lower ones fewer; \
             more repeats do not help, narrower bounds do (a higher probe rate)."
        ),
    }
}

/// What the drills prove, and what more of them would.
fn proves(projection: &Projection, risks: &[Risk]) -> Vec<String> {
    let fewest = projection.parts.iter().map(|part| part.n).min().unwrap_or(0);
    let mut lines = Vec::new();
    if fewest < ENOUGH_FOR_P95 {
        let worst = projection
            .parts
            .iter()
            .map(|part| part.confidence)
            .fold(1.0, f64::min);
        lines.push(format!(
            "the costliest of {fewest} drills covers 19 of 20 events with {:.0} % confidence; 95 % needs n ≥ \
             {ENOUGH_FOR_P95}",
            worst * 100.0
        ));
    }
    let unseen = projection
        .parts
        .iter()
        .map(|part| part.unseen)
        .fold(0.0, f64::max);
    lines.push(format!(
        "in {fewest} drills without it, something slower may still be in up to {:.1} % of events (at 95 %: about 3/n)",
        unseen * 100.0
    ));
    let met = |n: usize| slow_year_probability(risks, n);
    lines.push(format!(
        "years that are met by it: now up to {:.1} %",
        met(0) * 100.0
    ));
    for n in [ENOUGH_FOR_P95, 300, 1000, 3000]
        .into_iter()
        .filter(|n| *n > fewest)
    {
        lines.push(format!(
            "  with {n} drills of each: up to {:.1} %",
            met(n) * 100.0
        ));
        if met(n) <= ACCEPTED {
            break;
        }
    }
    lines
}

fn left_out(gathered: &Gathered, controls: bool) -> Vec<String> {
    let kind = if controls {
        "no controls"
    } else {
        "controls, they show what happens without protection (--controls)"
    };
    let mut lines = Vec::new();
    for (names, why) in [
        (&gathered.other_kind, kind),
        (
            &gathered.without_rate,
            "no `per_year` says how often to expect it",
        ),
    ] {
        if !names.is_empty() {
            let shown: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
            let more = names.len() - shown.len();
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            lines.push(format!("left out, {why}: {}{more}", shown.join(", ")));
        }
    }
    if gathered.undecided > 0 {
        lines.push(format!("left out, no evidence: {} drills", gathered.undecided));
    }
    if gathered.systems.len() > 1 {
        lines.push(format!(
            "measured on {} systems ({}): the sum is a year of one production only if each scenario is of it",
            gathered.systems.len(),
            gathered.systems.join(", ")
        ));
    }
    lines
}

fn headline(projection: &Projection) -> String {
    let drills: usize = projection.parts.iter().map(|part| part.n).sum();
    let scenarios = match projection.parts.len() {
        1 => "1 scenario".to_owned(),
        scenarios => format!("{scenarios} scenarios"),
    };
    format!(
        "{scenarios}, {drills} drills, {} simulated years, seed {}; the budget is {}",
        projection.years,
        projection.seed,
        time(projection.budget)
    )
}

/// The projection for a terminal.
pub fn projection(projection: &Projection, gathered: &Gathered, controls: bool, colours: bool) -> String {
    let paint = Paint(colours);
    let mut text = format!("{}  {}\n", paint.bold("A year's downtime"), headline(projection));
    let _ = writeln!(
        text,
        "  {:24}  {:26}  and with a slow mode unseen",
        "", "as measured"
    );
    for (what, measured, slow) in rows(projection) {
        let _ = writeln!(text, "  {what:24}  {measured:26}  {slow}");
    }
    let widest = projection
        .parts
        .iter()
        .map(|part| part.name.chars().count())
        .max()
        .unwrap_or(0)
        .clamp(8, 44);
    let _ = writeln!(
        text,
        "\n{}\n  {:widest$}  {:>7}  {:>6}  {:22}  {:>6}  {:>14}",
        paint.bold("By scenario"),
        "",
        "a year",
        "drills",
        "one costs",
        "share",
        "could bear"
    );
    for part in &projection.parts {
        let _ = writeln!(
            text,
            "  {:widest$}  {:>7}  {:>6}  {:22}  {:>4.0} %  {:>14}  {}",
            plain(&part.name, widest),
            rate(part.rate),
            part.n,
            times(part.each.0, part.each.1),
            part.share,
            tolerable_rate(part),
            paint.dim(&plain(&part.because, 80))
        );
    }
    let _ = writeln!(text, "\n{}", paint.bold("What the drills prove"));
    for line in proves(projection, &gathered.risks)
        .into_iter()
        .chain(left_out(gathered, controls))
    {
        let _ = writeln!(text, "  {line}");
    }
    let told = conclusion(projection);
    let told = match projection.conclusion {
        Conclusion::Fits => paint.good(&told),
        Conclusion::DoesNotFit => paint.bad(&told),
        Conclusion::CannotSay { .. } => paint.warn(&told),
    };
    let _ = write!(text, "\n{told}");
    text
}

/// The projection as Markdown.
pub fn projection_markdown(projection: &Projection, gathered: &Gathered, controls: bool) -> String {
    let mut text = format!(
        "### A year's downtime, projected\n\n{}\n\n",
        conclusion(projection)
    );
    let _ = writeln!(
        text,
        "{}.\n\n| | as measured | and with a slow mode unseen |\n|---|---|---|",
        headline(projection)
    );
    for (what, measured, slow) in rows(projection) {
        let _ = writeln!(text, "| {what} | {measured} | {slow} |");
    }
    text.push_str(
        "\n| scenario | a year | drills | one costs | share | could bear |\n|---|--:|--:|---|--:|--:|\n",
    );
    const MOST: usize = 60;
    for part in projection.parts.iter().take(MOST) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {:.0} % | {} |",
            cell(&part.name),
            rate(part.rate),
            part.n,
            times(part.each.0, part.each.1),
            part.share,
            tolerable_rate(part)
        );
    }
    if projection.parts.len() > MOST {
        let _ = writeln!(text, "\nand {} more", projection.parts.len() - MOST);
    }
    text.push('\n');
    for line in proves(projection, &gathered.risks)
        .into_iter()
        .chain(left_out(gathered, controls))
    {
        let _ = writeln!(text, "* {}", cell(&line));
    }
    text
}
