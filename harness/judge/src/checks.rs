//! What the scenario expects, held against what was measured.

use std::time::Duration;

use super::cost::Cost;
use super::{Check, Verdict};
use crate::measure::{Bounds, Interval, Journey, Measured, RolledBack, Standing};
use firedrill_model::history::{Event, History};
use firedrill_model::sample::Micros;
use firedrill_model::scenario::{Expect, ExpectedAlert, Limits, Never, Rollback, Tolerance};

fn check(
    name: impl Into<String>,
    required: impl Into<String>,
    found: impl Into<String>,
    verdict: Verdict,
) -> Check {
    Check {
        name: name.into(),
        required: required.into(),
        found: found.into(),
        verdict,
    }
}

fn met(holds: bool) -> Verdict {
    if holds { Verdict::Met } else { Verdict::Breached }
}

pub(super) fn checks(history: &History, measured: &Measured, cost: &Cost) -> Vec<Check> {
    let expect = &history.start.plan.scenario.expect;
    let mut checks = vec![budget(cost)];
    checks.extend(
        expect
            .downtime
            .as_ref()
            .map(|limits| downtime(limits, measured.downtime)),
    );
    checks.extend(
        expect
            .journeys
            .iter()
            .map(|(name, tolerance)| journey(measured, name, *tolerance)),
    );
    checks.extend(data(expect, measured));
    checks.extend(
        expect
            .rollback
            .as_ref()
            .map(|rollback| rolled_back(rollback, measured.instants.rollback.as_ref())),
    );
    checks.extend(
        expect
            .alerts
            .iter()
            .map(|alert| alerted(history, measured, alert)),
    );
    checks.extend(
        expect
            .never
            .iter()
            .map(|never| never_happened(history, measured, *never)),
    );
    checks.extend(expect.rungs.iter().map(|rung| answered_by_rung(measured, rung)));
    checks.extend(
        expect
            .releases
            .iter()
            .map(|release| answered_by_release(measured, release)),
    );
    checks.extend(
        expect
            .logs
            .iter()
            .map(|(service, text)| logged(history, service, text)),
    );
    checks
}

/// One such event must fit the whole budget.
fn budget(cost: &Cost) -> Check {
    let billed = cost.billed.unwrap_or(Bounds::ZERO);
    let required = format!(
        "at most {} in {} days",
        minutes(cost.budget),
        cost.window.as_secs() / 86_400
    );
    let (found, verdict) = match (cost.share.high, cost.priced) {
        (_, Some(price)) => (
            format!(
                "still open, priced at {}: {:.0} %",
                minutes(price),
                cost.share.low
            ),
            met(price <= cost.budget),
        ),
        (Some(high), None) => {
            let verdict = at_most(
                Bounds {
                    low: billed.low,
                    high: billed.high,
                },
                cost.budget,
            );
            (format!("{billed}: at most {high:.2} %"), verdict)
        }
        (None, None) if billed.low > cost.budget => (format!("{billed}"), Verdict::Breached),
        (None, None) => (
            format!("{billed}, still open, and no `manual_recovery` prices it"),
            Verdict::Undecided,
        ),
    };
    check("budget", required, found, verdict)
}

fn minutes(time: Duration) -> String {
    firedrill_model::units::Span(time).to_string()
}

/// Judged on the upper bound; a limit between the bounds is undecided.
fn at_most(bounds: Bounds, limit: Duration) -> Verdict {
    match bounds.high {
        Some(high) if high <= limit => Verdict::Met,
        _ if bounds.low > limit => Verdict::Breached,
        Some(_) => Verdict::Undecided,
        // Still open: it goes on for longer than any drill would wait.
        None => Verdict::Breached,
    }
}

fn at_least(bounds: Bounds, limit: Duration) -> Verdict {
    match bounds.high {
        _ if bounds.low >= limit => Verdict::Met,
        Some(high) if high < limit => Verdict::Breached,
        _ => Verdict::Undecided,
    }
}

fn downtime(limits: &Limits, found: Bounds) -> Check {
    let mut required = Vec::new();
    let mut verdict = Verdict::Met;
    if let Some(limit) = limits.at_least {
        required.push(format!("at least {limit}"));
        verdict = verdict.max(at_least(found, limit.0));
    }
    if let Some(limit) = limits.at_most {
        required.push(format!("at most {limit}"));
        verdict = verdict.max(at_most(found, limit.0));
    }
    check("downtime", required.join(", "), found.to_string(), verdict)
}

fn journey(measured: &Measured, name: &str, tolerance: Tolerance) -> Check {
    let label = format!("journey.{name}");
    let Some(journey) = measured.journeys.iter().find(|journey| journey.name == name) else {
        return check(label, words(tolerance), "it was not probed", Verdict::Undecided);
    };
    let down = !journey.outages.is_empty();
    let verdict = match tolerance {
        Tolerance::AlwaysGood => met(!down && journey.fallback == 0),
        Tolerance::NeverDown => met(!down),
        Tolerance::MayBeDown => Verdict::Met,
        Tolerance::GoesDown => met(down),
    };
    let answers: usize =
        journey.bad.iter().map(|(_, count)| count).sum::<usize>() + journey.good + journey.fallback;
    if answers == 0 {
        let found = "nothing was measured: no probe of it was due in the time that is judged";
        return check(label, words(tolerance), found, Verdict::Undecided);
    }
    check(label, words(tolerance), standing(journey), verdict)
}

fn words(tolerance: Tolerance) -> &'static str {
    match tolerance {
        Tolerance::AlwaysGood => "always good",
        Tolerance::NeverDown => "never down",
        Tolerance::MayBeDown => "may be down",
        Tolerance::GoesDown => "goes down",
    }
}

fn standing(journey: &Journey) -> String {
    let mut seen = Vec::new();
    for segment in &journey.lane {
        seen.push(match &segment.standing {
            Standing::Up => "up".to_owned(),
            Standing::Fallback(rung) => format!("fallback ({rung})"),
            Standing::Down => down(journey, segment.time),
        });
    }
    seen.dedup();
    // A long row of turns tells less than its ends and their number.
    if seen.len() > 9 {
        let left_out = seen.len() - 8;
        seen.splice(4..seen.len() - 4, [format!("{left_out} more turns")]);
    }
    seen.join(" → ")
}

/// The outages that a stretch of the lane stands for.
fn down(journey: &Journey, time: Interval) -> String {
    let own = journey
        .outages
        .iter()
        .filter(|outage| outage.hull.within(time).is_some());
    let bounds: Vec<String> = own.map(|outage| outage.bounds().to_string()).collect();
    format!("down {}", bounds.join(" and "))
}

fn data(expect: &Expect, measured: &Measured) -> Vec<Check> {
    let data = &measured.data;
    let writes = format!("{} acknowledged, {} intact", data.acknowledged, data.intact);
    let lost = u64::try_from(data.lost).unwrap_or(u64::MAX);
    let verdict = if lost > expect.lost_links {
        Verdict::Breached
    } else if data.unknown > 0 {
        Verdict::Undecided
    } else {
        Verdict::Met
    };
    let unknown = if data.unknown > 0 {
        format!(", {} unknown", data.unknown)
    } else {
        String::new()
    };
    let mut checks = vec![
        check(
            "lost-links",
            format!("at most {}", expect.lost_links),
            format!("{lost} lost; {writes}{unknown}"),
            verdict,
        ),
        check(
            "corrupt-links",
            match expect.corrupt_links {
                0 => "none".into(),
                some => format!("at most {some}"),
            },
            format!("{}", data.corrupt),
            met(data.corrupt as u64 <= expect.corrupt_links),
        ),
    ];
    if data.phantom > 0 {
        checks.push(check(
            "phantom-links",
            "none",
            format!("{}", data.phantom),
            Verdict::Breached,
        ));
    }
    checks
}

fn rolled_back(wanted: &Rollback, found: Option<&RolledBack>) -> Check {
    let required = format!("back to {} within {}", wanted.to, wanted.within);
    match found {
        None => check("rollback", required, "no way back was seen", Verdict::Breached),
        Some(found) => {
            let mut text = format!("from {} to {} in {}", found.from, found.to, found.time);
            if found.seen.is_none() {
                text.push_str(", no user had an answer of it");
            }
            let verdict = met(found.to == wanted.to).max(at_most(found.time, wanted.within.0));
            check("rollback", required, text, verdict)
        }
    }
}

/// Counted from [`Instants::origin`](crate::measure::Instants), on the upper bound; only an alert that was taken
/// tells anybody.
fn alerted(history: &History, measured: &Measured, wanted: &ExpectedAlert) -> Check {
    let name = format!("alert.{}", wanted.kind);
    let mut required = wanted.within.map_or_else(
        || "arrives".to_owned(),
        |within| format!("arrives within {within}"),
    );
    if let Some(text) = &wanted.contains {
        required.push_str(&format!(", with `{text}`"));
    }
    let of_kind = history.events.iter().filter_map(|event| match &event.event {
        Event::Alert { kind, body, answered } if *kind == wanted.kind => {
            Some((event.at, body, *answered < 400))
        }
        _ => None,
    });
    let (taken, refused): (Vec<_>, Vec<_>) = of_kind.partition(|(_, _, taken)| *taken);
    let Some((at, body, _)) = taken.first() else {
        let found = match refused.len() {
            0 => "none came".to_owned(),
            tries => format!("none was taken: {tries} tries were refused"),
        };
        return check(name, required, found, Verdict::Breached);
    };
    let origin = measured.instants.origin.map_or(Micros(0), |origin| origin.from);
    let after = at.since(origin);
    let in_time = wanted.within.is_none_or(|within| after <= within.0);
    let fits = wanted
        .contains
        .as_ref()
        .is_none_or(|text| body.contains(text.as_str()));
    let text = if fits { "" } else { ", without the text" };
    check(
        name,
        required,
        format!("after at most {} ms{text}", after.as_millis()),
        met(in_time && fits),
    )
}

fn never_happened(history: &History, measured: &Measured, never: Never) -> Check {
    let alerts = || {
        history
            .events
            .iter()
            .filter(|event| matches!(event.event, Event::Alert { .. }))
            .count()
    };
    let fallbacks = || {
        measured
            .journeys
            .iter()
            .map(|journey| journey.fallback)
            .sum::<usize>()
    };
    let (name, found, happened) = match never {
        Never::Rollback => {
            let found = measured.instants.rollback.as_ref();
            let text = found.map_or_else(
                || "none".to_owned(),
                |found| format!("from {} to {}", found.from, found.to),
            );
            ("never.rollback", text, found.is_some())
        }
        Never::Alert => ("never.alert", format!("{}", alerts()), alerts() > 0),
        Never::Fallback => (
            "never.fallback",
            format!("{} answers", fallbacks()),
            fallbacks() > 0,
        ),
    };
    check(name, "does not happen", found, met(!happened))
}

fn answered_by_rung(measured: &Measured, rung: &str) -> Check {
    let of_rung = measured
        .journeys
        .iter()
        .flat_map(|journey| &journey.rungs)
        .filter(|known| known.name == rung);
    let answers: usize = of_rung.map(|known| known.answers).sum();
    check(
        format!("rung.{rung}"),
        "answers at least once",
        format!("{answers} answers"),
        met(answers > 0),
    )
}

fn answered_by_release(measured: &Measured, release: &str) -> Check {
    let answers = measured
        .releases
        .iter()
        .find(|known| known.name == release)
        .map_or(0, |known| known.answers.0);
    check(
        format!("release.{release}"),
        "answers at least once",
        format!("{answers} answers"),
        met(answers > 0),
    )
}

fn logged(history: &History, service: &str, wanted: &str) -> Check {
    let found = history.events.iter().find_map(|event| match &event.event {
        Event::Logged {
            service: of,
            text,
            found,
        } if of == service && text == wanted => Some(*found),
        _ => None,
    });
    let (text, verdict) = match found {
        Some(true) => ("it does", Verdict::Met),
        Some(false) => ("it does not", Verdict::Breached),
        None => ("the log was not collected", Verdict::Undecided),
    };
    check(
        format!("log.{service}"),
        format!("contains `{wanted}`"),
        text,
        verdict,
    )
}
