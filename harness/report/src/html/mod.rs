//! The page: one HTML file with everything in it, that opens from disk without a network.
//!
//! Takes all drills of a call and gives the file. Every text from outside goes through the template engine's escaping; the
//! page's content policy allows nothing but what is in it, and only the script whose digest it names.

mod budget;
mod latency;
mod svg;
mod timeline;

use base64::Engine;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use sha2::{Digest, Sha256};

use super::advice;
use super::drill::DrillReport;
use super::format::{bounds, count, latency as time, span};
use super::outcome::{DrillOutcome, Status, counts, how_many, worst_first};
use super::text::plain;
use super::timeline::Moment;
use super::words::{self, contract, contract_rule, detection_origin, of_budget, or_dash, place};
use firedrill_judge::measure::{Journey, JourneyState as Lane};
use firedrill_judge::{Bill, Check, Verdict};

const PAGE: &str = include_str!("page.html");
const CHART: &str = include_str!("chart.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Blips beyond this are counted, not listed in the timeline's table.
const MOST_BLIPS: usize = 200;
/// So are parts of unknown time.
const MOST_UNKNOWN: usize = 200;
/// The longest timeline's table.
const MOST_MOMENTS: usize = 2000;

/// The page.
///
/// # Errors
/// When a template does not fit its values: a bug, which the tests find.
pub fn html(drills: &[DrillOutcome]) -> Result<String, minijinja::Error> {
    let sorted = worst_first(drills);
    let engine = engine()?;
    // The policy of the page allows the script by this digest, and no other.
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    let title = match drills {
        [one] => format!("{}: {}", one.title(), one.status().word()),
        many => format!("{}: {}", how_many(many), counts(many)),
    };
    engine.get_template("page.html")?.render(context! {
        title,
        digest => Value::from_safe_string(digest),
        style => Value::from_safe_string(STYLE.to_owned()),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        how_many => how_many(drills),
        counts => counts(drills),
        // Rows and sections have the same numbers, so that a row links to its section.
        rows => sorted.iter().enumerate().map(|(n, drill)| row(n, drill)).collect::<Vec<_>>(),
        drills => sorted.iter().enumerate().filter_map(|(n, drill)| Some(section(n, drill, drill.report()?))).collect::<Vec<_>>(),
    })
}

/// The template engine. Both templates end in `.html`, so that it escapes every text in them.
fn engine() -> Result<Environment<'static>, minijinja::Error> {
    let mut engine = Environment::new();
    engine.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    engine.add_filter("fixed", |number: f64| format!("{number:.2}"));
    engine.add_template("chart.html", CHART)?;
    engine.add_template("page.html", PAGE)?;
    Ok(engine)
}

/// A result's class in the style sheet.
fn class(status: Status) -> &'static str {
    match status {
        Status::Breached | Status::NotRun => "bad",
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
        sign => status.sign(),
        word => status.word(),
        downtime => report.map(|report| bounds(report.measured.downtime)),
        share => report.map(|report| words::share_cell(&report.judgement.cost)),
        reason => plain(&drill.reason(), 300),
    }
}

fn section(n: usize, drill: &DrillOutcome, report: &DrillReport) -> Value {
    let id = format!("d{n}");
    let status = drill.status();
    let chart = |chart: &svg::Chart| Value::from(Serde(chart));
    context! {
        id => id.clone(),
        title => report.title(),
        class => class(status),
        sign => status.sign(),
        headline => words::headline(&report.judgement),
        reason => report.reason(),
        summary => plain(&report.start.plan.scenario.summary, 400),
        control => report.start.plan.scenario.control.as_ref().map(|control| plain(&control.because, 300)),
        reservation => words::reservation(&report.start),
        place => plain(&place(&report.start), 200),
        run => plain(&report.start.run, 120),
        facts => facts(report).into_iter().map(|fact| context! { name => fact.name, value => fact.value, aside => fact.aside }).collect::<Vec<_>>(),
        timeline => chart(&timeline::timeline(report, &format!("{id}-time"))),
        lanes => Value::from_safe_string(lanes(report)),
        blips => report.measured.blips.len(),
        span => context! {
            from => report.shown.from.0, until => report.shown.until.0, origin => report.measured.window.from.0,
            start => interesting(report).0,
        },
        moments => moments(report),
        journeys => journeys(report),
        latencies => latency::latencies(report, &id).iter().map(chart).collect::<Vec<_>>(),
        budget => chart(&budget::budget(report, &format!("{id}-budget"))),
        of_budget => of_budget(&report.judgement.cost),
        bills => bills(report),
        checks => checks(report),
        logs => logs(report),
        torn => report.torn.clone(),
        advice => advice::sentences(report),
        commands => advice::commands(report).into_iter().map(|(what, command)| context! { what, command }).collect::<Vec<_>>(),
    }
}

/// A figure at the top of a drill.
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
            value: bounds(measured.downtime),
            aside: format!("in {} judged", time(measured.window.length())),
        },
        Fact {
            name: "budget used",
            value: words::share_cell(cost),
            aside: match cost.priced {
                Some(price) => format!("priced at {} for manual recovery", span(price)),
                None => format!("of {} in {}", span(cost.budget), span(cost.window)),
            },
        },
        Fact {
            name: "availability in the drill",
            value: format!("≥ {:.1} %", low * 100.0),
            aside: format!("≤ {:.1} %", high * 100.0),
        },
    ];
    if data.acknowledged > 0 {
        facts.push(Fact {
            name: "writes intact",
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
            value: bounds(found),
            aside: format!("after {}", detection_origin(&measured.instants)),
        });
    }
    if let Some(back) = &measured.instants.rollback {
        facts.push(Fact {
            name: "rolled back",
            value: bounds(back.time),
            aside: format!("from {} to {}", back.from, back.to),
        });
    }
    facts
}

/// From when until when, in microseconds, and which state.
type Part = (u64, u64, String);

/// The states of each lane, for the cursor: `[[name, [[from, until, state], …]], …]`, in microseconds.
fn lanes(report: &DrillReport) -> String {
    let mut lanes: Vec<(String, Vec<Part>)> = Vec::new();
    let unknown = report.measured.unknown_parts.iter().take(MOST_UNKNOWN);
    let unknown = unknown.map(|part| (part.from.0, part.until.0, "unknown".to_owned()));
    for journey in &report.measured.journeys {
        let segments = journey.lane.iter().map(|segment| {
            let what = match &segment.state {
                Lane::Up => "up".to_owned(),
                Lane::Fallback(rung) => format!("fallback {rung}"),
                Lane::Down => "DOWN".to_owned(),
            };
            (segment.time.from.0, segment.time.until.0, what)
        });
        // The cursor shows the first part that contains its instant: unknown goes before what was taken for up.
        lanes.push((journey.name.clone(), unknown.clone().chain(segments).collect()));
    }
    for release in &report.measured.releases {
        // A page with more of them would be slow to open; the cursor is for the first minutes.
        let stretches = release.stretches.iter().take(2000);
        let stretches = stretches.map(|stretch| (stretch.from.0, stretch.until.0, "answering".to_owned()));
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

/// Where the cursor starts: in the middle of the first judged outage, else at the first fault.
fn interesting(report: &DrillReport) -> firedrill_model::sample::Micros {
    let window = report.measured.window;
    let lanes = report.measured.journeys.iter().flat_map(|journey| &journey.lane);
    let downs = lanes.filter(|segment| segment.state == Lane::Down);
    let fault = report.faults.first().map(|fault| fault.from);
    let first = downs.map(|segment| segment.time).min();
    // The middle of the first outage: the page opens where something happened.
    first.map_or(fault.unwrap_or(window.from), |time| time.from + time.length() / 2)
}

fn moments(report: &DrillReport) -> Vec<Value> {
    let row = |moment: &Moment| {
        context! {
            at => moment.at.0, time => report.time(moment.at), word => moment.kind.word(), class => moment.kind.class(),
            text => plain(&moment.text, 500),
        }
    };
    let blips = report.measured.blips.iter().map(super::timeline::of_blip);
    let unknown = report.measured.unknown_parts.iter().take(MOST_UNKNOWN);
    let unknown = unknown.map(|part| super::timeline::of_unknown(part, &report.time(part.until)));
    let mut all: Vec<Moment> = report
        .timeline
        .iter()
        .cloned()
        .chain(blips.take(MOST_BLIPS))
        .chain(unknown)
        .collect();
    // Stable, as in the timeline itself.
    all.sort_by_key(|moment| moment.at);
    all.iter().take(MOST_MOMENTS).map(row).collect()
}

fn journeys(report: &DrillReport) -> Vec<Value> {
    let row = |journey: &Journey| {
        context! {
            name => journey.name.clone(), essential => journey.essential, good => journey.good,
            fallback => or_dash(journey.rungs.iter().map(words::rung)),
            bad => or_dash(words::bad(journey)),
            blips => report.measured.blips_of(journey).count(), void => journey.void, downtime => bounds(journey.downtime),
            p50 => time(journey.latency.p50), p99 => time(journey.latency.p99), max => time(journey.latency.max),
        }
    };
    report.measured.journeys.iter().map(row).collect()
}

fn bills(report: &DrillReport) -> Vec<Value> {
    let seconds = |bill: &Bill| bill.billed.high.unwrap_or(bill.billed.low).as_secs_f64();
    // Bars are relative to the longest bill; never zero, since it divides.
    let most = report.judgement.bills.iter().map(seconds).fold(1e-9, f64::max);
    let used = report.start.plan.contract();
    let row = |bill: &Bill| {
        let unknown = (bill.unknown_slices > 0).then(|| count(bill.unknown_slices, "unknown slice"));
        context! {
            name => contract(bill.contract), rule => contract_rule(bill.contract), billed => words::billed(bill),
            width => format!("{:.1}", 100.0 * seconds(bill) / most), used => bill.contract == used, unknown,
        }
    };
    report.judgement.bills.iter().map(row).collect()
}

fn checks(report: &DrillReport) -> Vec<Value> {
    let mut checks: Vec<_> = report.judgement.checks.iter().collect();
    checks.sort_by_key(|check| std::cmp::Reverse(check.verdict));
    let row = |check: &Check| {
        let (sign, class) = match check.verdict {
            Verdict::Met => ("✓", "good"),
            Verdict::Undecided => ("?", "unsure"),
            Verdict::Breached => ("✗", "bad"),
        };
        context! {
            sign, class, word => words::verdict(check.verdict), name => check.id.to_string(),
            required => plain(&check.required.to_string(), 300), found => plain(&check.found.to_string(), 500),
        }
    };
    checks.into_iter().map(row).collect()
}

fn logs(report: &DrillReport) -> Vec<Value> {
    let entry = |entry: &firedrill_logs::ErrorGroup| {
        let at = report.logged_at(entry).map(|at| report.time(at));
        context! { line => entry.line, count => entry.count, before => entry.before.clone(), text => entry.text.clone(), after => entry.after.clone(), at }
    };
    let log = |log: &firedrill_logs::LogSummary| {
        context! {
            service => log.service.clone(), summary => log_summary(log),
            entries => log.groups.iter().map(entry).collect::<Vec<_>>(),
        }
    };
    report.logs.iter().map(log).collect()
}

/// How much of a log is shown: `4 errors of 2 kinds in 320 lines; repeats are grouped, ignoring numbers and times`.
fn log_summary(log: &firedrill_logs::LogSummary) -> String {
    let (errors, lines) = (count(log.errors, "error"), count(log.lines, "line"));
    if log.errors == 0 {
        return format!("No errors in {lines}.");
    }
    let more = match log.ungrouped {
        0 => String::new(),
        more => format!(" {} not shown.", count(more, "more error")),
    };
    let kinds = count(log.groups.len(), "kind");
    format!("{errors} of {kinds} in {lines}. Repeats are grouped, ignoring numbers and times.{more}")
}
