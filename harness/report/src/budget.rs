//! The year's budget, for a terminal and for Markdown.
//!
//! Takes the ledger's statement and the terms of the budget, gives what is spent, what is left, and when it runs out.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;

use super::format::{NONE, long, percent, span};
use super::suite::cell;
use super::text::{Paint, pad, plain};
use super::words::contract;
use firedrill_budget::{BilledIncident, RunsOut, Statement, Terms, burn_alerts};

/// Cells of the bar that shows the budget.
const CELLS: u8 = 30;
/// Incidents beyond this are counted, not listed, in Markdown.
const MOST_INCIDENTS: usize = 30;

fn day(at: Timestamp, terms: &Terms) -> String {
    at.to_zoned_datetime(terms.zone.clone())
        .strftime("%Y-%m-%d")
        .to_string()
}

fn minute(at: Option<Timestamp>, terms: &Terms) -> String {
    at.map_or_else(
        || "undated".to_owned(),
        |at| {
            at.to_zoned_datetime(terms.zone.clone())
                .strftime("%Y-%m-%d %H:%M")
                .to_string()
        },
    )
}

/// What is spent: a lower bound when lines of the ledger could not be read.
fn spent(statement: &Statement) -> String {
    let least = if statement.unreadable > 0 { "≥ " } else { "" };
    format!(
        "{least}{} ({least}{})",
        long(statement.spent),
        percent(statement.percent)
    )
}

/// What is left: an upper bound when lines of the ledger could not be read.
fn left(statement: &Statement) -> String {
    match statement.budget.checked_sub(statement.spent) {
        // A line of the ledger that cannot be read may be an outage.
        Some(left) if statement.unreadable > 0 => format!("≤ {}", long(left)),
        Some(left) => long(left),
        None => format!("{NONE}: {} over budget", long(statement.spent - statement.budget)),
    }
}

fn runs_out(statement: &Statement, terms: &Terms) -> String {
    match statement.runs_out {
        RunsOut::Already => "already exhausted".to_owned(),
        RunsOut::At(at) => format!("on {}, at this burn rate", day(at, terms)),
        // A calendar year ends in the future; a rolling window ends now.
        RunsOut::No if statement.until > statement.now => "not this year, at this burn rate".to_owned(),
        RunsOut::No => "never at this burn rate (incidents expire from the window faster)".to_owned(),
    }
}

fn headline(statement: &Statement, terms: &Terms) -> String {
    let zone = terms.zone.iana_name().unwrap_or("UTC");
    let window = span(terms.budget.window.0);
    let period = if statement.until > statement.now {
        format!("calendar year {}", &day(statement.now, terms)[..4])
    } else {
        format!("the {window} until {}", day(statement.now, terms))
    };
    format!(
        "{} in {window}; {period} ({zone}), contract: {}",
        long(statement.budget),
        contract(terms.contract)
    )
}

fn burn(statement: &Statement) -> String {
    format!(
        "{:.2} (1.00 = exactly on budget); {:.2} over the last 30 days",
        statement.burn_rate, statement.burn_rate_30d
    )
}

/// The figures of the statement, by name.
fn figures(statement: &Statement, terms: &Terms) -> [(&'static str, String); 4] {
    [
        ("spent", spent(statement)),
        ("left", left(statement)),
        ("burn rate", burn(statement)),
        ("runs out", runs_out(statement, terms)),
    ]
}

/// The budget as a bar; what is over budget goes on beyond its end.
fn bar(statement: &Statement, paint: Paint) -> String {
    // At most twice the budget, or the line would be too long for a terminal.
    let share = (statement.percent / 100.0).clamp(0.0, 2.0);
    let cells = (1..=CELLS * 2).map(|at| (at, f64::from(at) / f64::from(CELLS)));
    let mut bar = String::new();
    for (at, until) in cells {
        // A sum of thirtieths is not exact: without the margin a full budget would lack its last cell.
        let spent = until <= share + 1e-9;
        match (spent, at > CELLS) {
            (true, true) => bar.push_str(&paint.bad("█")),
            (true, false) => bar.push_str(&paint.warn("█")),
            (false, false) => bar.push('░'),
            (false, true) => {}
        }
        if at == CELLS {
            bar.push('│');
        }
    }
    bar
}

/// The statement for a terminal.
pub fn budget(statement: &Statement, terms: &Terms, colours: bool) -> String {
    let paint = Paint(colours);
    let mut text = format!("{}  {}\n", paint.bold("Budget"), headline(statement, terms));
    let _ = writeln!(text, "  {:10} {}", "", bar(statement, paint));
    let [(what, spent), others @ ..] = figures(statement, terms);
    let spent = match statement.runs_out {
        RunsOut::Already => paint.bad(&spent),
        RunsOut::At(_) | RunsOut::No => spent,
    };
    let _ = writeln!(text, "  {what:10} {spent}");
    for (what, value) in others {
        let _ = writeln!(text, "  {what:10} {value}");
    }
    let _ = writeln!(text, "\n{}", paint.bold("Incidents"));
    if statement.incidents.is_empty() {
        let _ = writeln!(text, "  {NONE}");
    }
    for incident in &statement.incidents {
        text.push_str(&incident_row(incident, terms, paint));
    }
    if statement
        .incidents
        .iter()
        .any(|incident| incident.start.is_none())
    {
        text.push_str("  an undated incident counts in every year\n");
    }
    let _ = writeln!(
        text,
        "\n{}",
        paint.bold("Burn-rate alerts that leave time to act")
    );
    for alert in burn_alerts(&terms.budget) {
        let downtime = long(Duration::from_secs_f64(alert.downtime));
        let within = span(Duration::from_secs_f64(alert.hours * 3600.0));
        let _ = writeln!(
            text,
            "  {downtime:>10} of downtime in {}  burn rate {:>5.1}, {:.0} % of the budget",
            pad(&within, 6),
            alert.multiplier,
            alert.percent
        );
    }
    text.trim_end().to_owned()
}

fn incident_row(incident: &BilledIncident, terms: &Terms, paint: Paint) -> String {
    let mut text = format!(
        "  {:16}  {:>12}  {:>7.1} %  {}\n",
        minute(incident.start, terms),
        long(incident.billed),
        incident.percent,
        plain(&incident.cause, 120)
    );
    if let Some(link) = &incident.link {
        let _ = writeln!(
            text,
            "  {:16}  {:12}  {:9}  {}",
            "",
            "",
            "",
            paint.dim(&plain(link, 200))
        );
    }
    text
}

/// The statement as Markdown.
pub fn budget_markdown(statement: &Statement, terms: &Terms) -> String {
    let least = if statement.unreadable > 0 { "≥ " } else { "" };
    let mut text = format!(
        "### Budget: {least}{} spent\n\n{}\n\n| | |\n|---|---|\n",
        percent(statement.percent),
        cell(&headline(statement, terms))
    );
    for (what, value) in figures(statement, terms) {
        let _ = writeln!(text, "| {what} | {value} |");
    }
    if !statement.incidents.is_empty() {
        text.push_str("\n| incident | downtime | budget used | cause |\n|---|--:|--:|---|\n");
    }
    // The latest first: older ones are the ones left out.
    for incident in statement.incidents.iter().rev().take(MOST_INCIDENTS) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            minute(incident.start, terms),
            long(incident.billed),
            percent(incident.percent),
            cell(&incident.cause)
        );
    }
    if statement.incidents.len() > MOST_INCIDENTS {
        let _ = writeln!(text, "\nand {} more", statement.incidents.len() - MOST_INCIDENTS);
    }
    text
}
