//! The page: one HTML file with everything in it, that opens from disk without a network.
//!
//! Every text from outside goes through the template engine's escaping or [`svg::escaped`]; the page's own policy allows
//! nothing but what is in it, and only the script whose digest it names.

mod budget;
mod latency;
mod svg;
mod timeline;

use base64::Engine;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Value, context};
use sha2::{Digest, Sha256};

use super::advice;
use super::drill::DrillReport;
use super::outcome::{DrillOutcome, Status, counts, worst_first};
use super::text::{plain, word};
use super::words::{contract, contract_rule, latency as time, of_budget, origin, percent, place, told};
use firedrill_judge::measure::JourneyState as Lane;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Blips beyond this are counted, not listed among the events.
const MOST_BLIPS: usize = 200;

/// And as many parts of unknown time.
const MOST_UNKNOWN: usize = 200;

/// The page.
///
/// # Errors
/// When the template does not fit what it is given: our fault, and found by the tests.
pub fn html(drills: &[DrillOutcome]) -> Result<String, minijinja::Error> {
    let sorted = worst_first(drills);
    let mut engine = Environment::new();
    engine.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    engine.add_template("page.html", PAGE)?;
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    let title = match drills {
        [one] => format!("{}: {}", one.title(), one.status().word()),
        many => format!("{} drills: {}", many.len(), counts(many)),
    };
    engine.get_template("page.html")?.render(context! {
        title,
        digest => Value::from_safe_string(digest),
        style => Value::from_safe_string(STYLE.to_owned()),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        counts => counts(drills),
        rows => sorted.iter().enumerate().map(|(n, drill)| row(n, drill)).collect::<Vec<_>>(),
        drills => sorted.iter().enumerate().filter_map(|(n, drill)| Some(section(n, drill, drill.report()?))).collect::<Vec<_>>(),
    })
}

/// A verdict's class in the style sheet.
fn class(status: Status) -> &'static str {
    match status {
        Status::Breached | Status::Failed => "bad",
        Status::Undecided | Status::Skipped => "unsure",
        Status::AsExpected => "good",
    }
}

fn row(n: usize, drill: &DrillOutcome) -> Value {
    let status = drill.status();
    let report = drill.report();
    context! {
        id => report.map(|_| format!("d{n}")),
        title => drill.title(),
        class => class(status),
        mark => status.mark(),
        word => status.word(),
        downtime => report.map(|report| report.measured.downtime.to_string()),
        share => report.and_then(|report| report.judgement.cost.share.high).map(percent),
        reason => plain(&drill.reason(), 300),
    }
}

fn section(n: usize, drill: &DrillOutcome, report: &DrillReport) -> Value {
    let id = format!("d{n}");
    let status = drill.status();
    let safe = |svg: String| Value::from_safe_string(svg);
    context! {
        id => id.clone(),
        title => report.title(),
        class => class(status),
        mark => status.mark(),
        told => told(&report.judgement),
        reason => report.reason(),
        summary => plain(&report.start.plan.scenario.summary, 400),
        control => report.start.plan.scenario.control.as_ref().map(|control| plain(&control.because, 300)),
        place => plain(&place(&report.start), 200),
        run => plain(&report.start.run, 120),
        facts => facts(report).into_iter().map(|fact| context! { name => fact.name, value => fact.value, aside => fact.aside }).collect::<Vec<_>>(),
        timeline => safe(timeline::timeline(report, &format!("{id}-time"))),
        lanes => safe(lanes(report)),
        blips => report.measured.blips.len(),
        span => context! {
            from => report.shown.from.0, until => report.shown.until.0, origin => report.measured.window.from.0,
            start => interesting(report).0,
        },
        marks => marks(report),
        journeys => journeys(report),
        latencies => latency::latencies(report, &id).into_iter().map(safe).collect::<Vec<_>>(),
        budget => safe(budget::budget(report, &format!("{id}-budget"))),
        of_budget => of_budget(&report.judgement.cost),
        bills => bills(report),
        checks => checks(report),
        logs => logs(report),
        torn => report.torn.clone(),
        advice => advice::advice(report),
        commands => advice::commands(report).into_iter().map(|(what, command)| context! { what, command }).collect::<Vec<_>>(),
    }
}

struct Fact {
    name: &'static str,
    value: String,
    aside: String,
}

fn facts(report: &DrillReport) -> Vec<Fact> {
    let (measured, cost) = (&report.measured, &report.judgement.cost);
    let (low, high) = measured.availability;
    let data = measured.data;
    let mut facts = vec![
        Fact {
            name: "downtime",
            value: measured.downtime.to_string(),
            aside: format!("of {} watched", time(measured.window.length())),
        },
        Fact {
            name: "of the year's budget",
            value: cost.share.high.map_or_else(|| "no price".into(), percent),
            aside: match cost.priced {
                Some(price) => format!("priced at {} until repaired", firedrill_model::units::Span(price)),
                None => format!(
                    "of {} in {} days",
                    firedrill_model::units::Span(cost.budget),
                    cost.window.as_secs() / 86_400
                ),
            },
        },
        Fact {
            name: "availability meanwhile",
            value: format!("{:.1} %", low * 100.0),
            aside: format!("at least; at most {:.1} %", high * 100.0),
        },
    ];
    if data.acknowledged > 0 {
        facts.push(Fact {
            name: "writes kept",
            value: format!("{} of {}", data.intact, data.acknowledged),
            aside: format!(
                "{} lost, {} corrupt, {} unknown",
                data.lost, data.corrupt, data.unknown
            ),
        });
    }
    if let Some(found) = measured.instants.time_to_detect {
        facts.push(Fact {
            name: "first alert",
            value: found.to_string(),
            aside: format!("after {}", origin(&measured.instants)),
        });
    }
    if let Some(back) = &measured.instants.rollback {
        facts.push(Fact {
            name: "rolled back",
            value: back.time.to_string(),
            aside: format!("from {} to {}", back.from, back.to),
        });
    }
    facts
}

/// From when until when, and what, in microseconds.
type Part = (u64, u64, String);

/// What each lane is when, for the cursor: `[[name, [[from, until, what], …]], …]`, in microseconds.
fn lanes(report: &DrillReport) -> String {
    let mut lanes: Vec<(String, Vec<Part>)> = Vec::new();
    let unknown = report.measured.unknown_parts.iter().take(MOST_UNKNOWN);
    let unknown = unknown.map(|part| (part.from.0, part.until.0, "unknown".to_owned()));
    for journey in &report.measured.journeys {
        let segments = journey.lane.iter().map(|segment| {
            let what = match &segment.state {
                Lane::Up => "up".to_owned(),
                Lane::Fallback(rung) => format!("by {rung}"),
                Lane::Down => "DOWN".to_owned(),
            };
            (segment.time.from.0, segment.time.until.0, what)
        });
        // The first part that an instant lies in is told: what is unknown comes before what was taken for up.
        lanes.push((journey.name.clone(), unknown.clone().chain(segments).collect()));
    }
    for release in &report.measured.releases {
        let stretches = release.stretches.iter().take(2000);
        let stretches = stretches.map(|stretch| (stretch.from.0, stretch.until.0, "answers".to_owned()));
        lanes.push((release.name.clone(), stretches.collect()));
    }
    for fault in &report.faults {
        let until = fault.until.unwrap_or(report.shown.until).0;
        lanes.push((
            fault.what.clone(),
            vec![(fault.from.0, until, "in effect".to_owned())],
        ));
    }
    // Inside a script element only `<` could end it.
    serde_json::to_string(&lanes)
        .unwrap_or_default()
        .replace('<', "\\u003c")
}

/// Where the cursor stands first: in the middle of the first outage that is judged, else at the first fault.
fn interesting(report: &DrillReport) -> firedrill_model::sample::Micros {
    let window = report.measured.window;
    let lanes = report.measured.journeys.iter().flat_map(|journey| &journey.lane);
    let downs = lanes.filter(|segment| segment.state == Lane::Down);
    let fault = report.faults.first().map(|fault| fault.from);
    let first = downs.map(|segment| segment.time).min();
    first.map_or(fault.unwrap_or(window.from), |time| time.from + time.length() / 2)
}

fn marks(report: &DrillReport) -> Vec<Value> {
    let mark = |mark: &super::timeline::Moment| {
        context! { at => mark.at.0, time => report.time(mark.at), word => mark.kind.word(), class => mark.kind.class(), text => plain(&mark.text, 500) }
    };
    let blips = report.measured.blips.iter().map(super::timeline::of_blip);
    let unknown = report.measured.unknown_parts.iter().take(MOST_UNKNOWN);
    let unknown = unknown.map(|part| super::timeline::of_unknown(part, report.time(part.until)));
    let mut all: Vec<_> = report
        .timeline
        .iter()
        .cloned()
        .chain(blips.take(MOST_BLIPS))
        .chain(unknown)
        .collect();
    all.sort_by_key(|mark| mark.at);
    all.iter().take(2000).map(mark).collect()
}

fn journeys(report: &DrillReport) -> Vec<Value> {
    let journey = |journey: &firedrill_judge::measure::Journey| {
        let bad: Vec<String> = journey
            .bad
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        let rungs: Vec<String> = journey
            .rungs
            .iter()
            .map(|rung| {
                format!(
                    "{} by {} for {:.1} s",
                    rung.answers,
                    plain(&rung.name, 40),
                    rung.time.as_secs_f64()
                )
            })
            .collect();
        context! {
            name => journey.name.clone(), essential => journey.essential, good => journey.good,
            fallback => if rungs.is_empty() { "–".to_owned() } else { rungs.join(", ") },
            bad => if bad.is_empty() { "–".to_owned() } else { bad.join(", ") },
            blips => report.measured.blips_of(journey).count(), void => journey.void, downtime => journey.downtime.to_string(),
            p50 => time(journey.latency.p50), p99 => time(journey.latency.p99), max => time(journey.latency.max),
        }
    };
    report.measured.journeys.iter().map(journey).collect()
}

fn bills(report: &DrillReport) -> Vec<Value> {
    let seconds = |bill: &firedrill_judge::Bill| bill.billed.high.unwrap_or(bill.billed.low).as_secs_f64();
    let most = report.judgement.bills.iter().map(seconds).fold(1e-9, f64::max);
    let used = report.start.plan.contract();
    let bill = |bill: &firedrill_judge::Bill| {
        let width = format!("{:.1}", 100.0 * seconds(bill) / most);
        context! {
            name => contract(bill.contract), rule => contract_rule(bill.contract), billed => bill.billed.to_string(),
            width, used => bill.contract == used, unknown => bill.unknown_slices,
        }
    };
    report.judgement.bills.iter().map(bill).collect()
}

fn checks(report: &DrillReport) -> Vec<Value> {
    let mut checks: Vec<_> = report.judgement.checks.iter().collect();
    checks.sort_by_key(|check| std::cmp::Reverse(check.verdict));
    let check = |check: &firedrill_judge::Check| {
        let (mark, class) = match check.verdict {
            firedrill_judge::Verdict::Met => ("✓", "good"),
            firedrill_judge::Verdict::Undecided => ("?", "unsure"),
            firedrill_judge::Verdict::Breached => ("✗", "bad"),
        };
        context! {
            mark, class, word => word(check.verdict), name => check.id.to_string(),
            required => plain(&check.required.to_string(), 300), found => plain(&check.found.to_string(), 500),
        }
    };
    checks.into_iter().map(check).collect()
}

fn logs(report: &DrillReport) -> Vec<Value> {
    let entry = |entry: &firedrill_logs::ErrorGroup| {
        let at = report.logged_at(entry).map(|at| report.time(at));
        context! { line => entry.line, count => entry.count, before => entry.before.clone(), text => entry.text.clone(), after => entry.after.clone(), at }
    };
    let log = |log: &firedrill_logs::LogSummary| {
        context! {
            service => log.service.clone(), lines => log.lines, errors => log.errors, more => log.ungrouped,
            entries => log.groups.iter().map(entry).collect::<Vec<_>>(),
        }
    };
    report.logs.iter().map(log).collect()
}
