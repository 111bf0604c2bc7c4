//! The year's account, for a terminal and for Markdown.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;

use super::suite::cell;
use super::text::{Paint, plain};
use firedrill_budget::{BilledIncident as Booked, RunsOut, Statement as Account, Terms, burn_alerts};
use firedrill_model::units::Span;

/// A duration as people say it: `23 min 0 s`, `2 h 5 min`, `41 s`, `350 ms`.
pub(super) fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time < Duration::from_millis(1) => "0 s".to_owned(),
        0 => format!("{} ms", time.as_millis()),
        1..=9 => format!("{:.1} s", time.as_secs_f64()),
        10..=59 => format!("{:.0} s", time.as_secs_f64()),
        60..=3599 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

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

/// `at least `, when lines of the ledger could not be read.
fn hedge(account: &Account) -> &'static str {
    if account.unreadable > 0 { "at least " } else { "" }
}

fn left(account: &Account) -> String {
    match account.budget.checked_sub(account.spent) {
        Some(left) if account.unreadable > 0 => format!("at most {}", spoken(left)),
        Some(left) => spoken(left),
        None => format!("nothing: {} over", spoken(account.spent - account.budget)),
    }
}

fn runs_out(account: &Account, terms: &Terms) -> String {
    match account.runs_out {
        RunsOut::Already => "it has".to_owned(),
        RunsOut::At(at) => format!("on {}", day(at, terms)),
        RunsOut::No if account.until > account.now => "not this year".to_owned(),
        RunsOut::No => "never: incidents leave the rolling year in time".to_owned(),
    }
}

fn headline(account: &Account, terms: &Terms) -> String {
    let zone = terms.zone.iana_name().unwrap_or("UTC");
    let year = if account.until > account.now {
        format!("calendar year {}", &day(account.now, terms)[..4])
    } else {
        format!(
            "the {} up to {}",
            Span(terms.budget.window.0),
            day(account.now, terms)
        )
    };
    let contract = serde_json::json!(terms.contract);
    format!(
        "{} in {}: {year}, {zone}, contract {}",
        spoken(account.budget),
        Span(terms.budget.window.0),
        contract.as_str().unwrap_or_default()
    )
}

fn burn(account: &Account) -> String {
    format!(
        "{:.2} ({:.2} over the last 30 days; 1 spends just the budget)",
        account.burn_rate, account.burn_rate_30d
    )
}

/// A bar of the budget; what is over goes on beyond its end.
fn bar(account: &Account, paint: Paint) -> String {
    const CELLS: u8 = 30;
    let share = (account.percent / 100.0).clamp(0.0, 2.0);
    let cells = (1..=CELLS * 2).map(|at| (at, f64::from(at) / f64::from(CELLS)));
    let mut bar = String::new();
    for (at, until) in cells {
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

/// The account for a terminal.
pub fn budget(account: &Account, terms: &Terms, colours: bool) -> String {
    let paint = Paint(colours);
    let mut text = format!("{}  {}\n", paint.bold("Budget"), headline(account, terms));
    let spent = format!(
        "{}{} ({:.1} %)",
        hedge(account),
        spoken(account.spent),
        account.percent
    );
    let spent = if account.runs_out == RunsOut::Already {
        paint.bad(&spent)
    } else {
        spent
    };
    let _ = writeln!(text, "  {:10} {}", "", bar(account, paint));
    for (what, value) in [
        ("spent", spent),
        ("left", left(account)),
        ("burn rate", burn(account)),
        ("runs out", runs_out(account, terms)),
    ] {
        let _ = writeln!(text, "  {what:10} {value}");
    }
    let _ = writeln!(text, "\n{}", paint.bold("Incidents in it"));
    if account.incidents.is_empty() {
        text.push_str("  none\n");
    }
    for booked in &account.incidents {
        text.push_str(&incident(booked, terms, paint));
    }
    if account.incidents.iter().any(|booked| booked.start.is_none()) {
        text.push_str("  undated: counts in every year\n");
    }
    let _ = writeln!(
        text,
        "\n{}",
        paint.bold("Alerts on the burn rate that leave time to act")
    );
    for alert in burn_alerts(&terms.budget) {
        let _ = writeln!(
            text,
            "  {:>10} down within {:>4}   {:>5.1} times too fast: {:.0} % of the budget",
            spoken(Duration::from_secs_f64(alert.downtime)),
            Span(Duration::from_secs_f64(alert.hours * 3600.0)).to_string(),
            alert.multiplier,
            alert.percent
        );
    }
    text.trim_end().to_owned()
}

fn incident(booked: &Booked, terms: &Terms, paint: Paint) -> String {
    let mut text = format!(
        "  {:16}  {:>12}  {:>7.1} %  {}\n",
        minute(booked.start, terms),
        spoken(booked.billed),
        booked.percent,
        plain(&booked.cause, 120)
    );
    if let Some(link) = &booked.link {
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

/// The account as Markdown.
pub fn budget_markdown(account: &Account, terms: &Terms) -> String {
    let mut text = format!(
        "### Budget: {}{:.1} % spent\n\n{}\n\n| | |\n|---|---|\n",
        hedge(account),
        account.percent,
        cell(&headline(account, terms))
    );
    for (what, value) in [
        ("spent", format!("{}{}", hedge(account), spoken(account.spent))),
        ("left", left(account)),
        ("burn rate", burn(account)),
        ("runs out", runs_out(account, terms)),
    ] {
        let _ = writeln!(text, "| {what} | {value} |");
    }
    if !account.incidents.is_empty() {
        text.push_str("\n| incident | downtime | of the budget | cause |\n|---|--:|--:|---|\n");
    }
    const MOST: usize = 30;
    for booked in account.incidents.iter().rev().take(MOST) {
        let _ = writeln!(
            text,
            "| {} | {} | {:.1} % | {} |",
            minute(booked.start, terms),
            spoken(booked.billed),
            booked.percent,
            cell(&booked.cause)
        );
    }
    if account.incidents.len() > MOST {
        let _ = writeln!(text, "\nand {} more", account.incidents.len() - MOST);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_as_people_say_them() {
        let said = |millis| spoken(Duration::from_millis(millis));
        assert_eq!(
            [350, 2468, 41_000, 1_380_000, 7_500_000].map(said),
            ["350 ms", "2.5 s", "41 s", "23 min 0 s", "2 h 5 min"]
        );
    }
}
