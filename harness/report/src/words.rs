//! Verdicts, costs, contracts and places in words, for every report alike.
//!
//! Takes what was measured and judged, gives phrases and sentences; numbers and units come from [`format`](super::format).

use std::time::Duration;

use super::format::{self, count, span};
use firedrill_judge::check::{Check, Required};
use firedrill_judge::measure::{Bounds, Data, Instants, Journey, Measured};
use firedrill_judge::{Bill, Cost, Judgement, Verdict};
use firedrill_model::history::Start;
use firedrill_model::sample::Micros;
use firedrill_model::scenario::Contract;

/// More failed checks than this are counted, not quoted.
const MOST_FAILED: usize = 3;

/// Less than this is 0.00 s.
const SHOWN_AS_ZERO: Duration = Duration::from_millis(5);

/// An instant of the drill, in seconds from the start of its steps.
pub(super) fn seconds(at: Micros, origin: Micros) -> String {
    let (before, after) = (origin.since(at), at.since(origin));
    // What rounds to zero has no sign.
    let sign = if before < SHOWN_AS_ZERO { "" } else { "−" };
    format!("{sign}{:.2} s", before.max(after).as_secs_f64())
}

/// A verdict in a word.
pub(super) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "met",
        Verdict::Undecided => "undecided",
        Verdict::Breached => "breached",
    }
}

/// The verdict as a headline: `MET`, `BREACHED (as expected: negative control)`.
pub(super) fn headline(judgement: &Judgement) -> String {
    // A control's verdict alone would mislead: its *breached* is what it is for.
    let word = verdict(judgement.verdict()).to_uppercase();
    match (&judgement.control, judgement.as_expected()) {
        (Some(_), true) => format!("{word} (as expected: negative control)"),
        (Some(_), false) => format!("{word} (unexpected: negative control)"),
        (None, _) => word,
    }
}

/// Why the verdict is what it is, in a sentence.
pub(super) fn reason(measured: &Measured, judgement: &Judgement) -> String {
    let verdict = judgement.verdict();
    if verdict == Verdict::Met {
        let intact = intact(&measured.data).map_or_else(String::new, |intact| format!("; {intact}"));
        let down = if measured.downtime == Bounds::ZERO {
            "No downtime".to_owned()
        } else {
            format!("Down {}", format::downtime(measured.downtime))
        };
        return format!("{down}; {}{intact}.", of_budget_used(&judgement.cost));
    }
    // Breached before undecided: `verdict` is the worst, and only its checks are quoted.
    let failed: Vec<String> = judgement
        .of(verdict)
        .map(|check| format!("{}: {}", check.id, finding(check)))
        .collect();
    let more = match failed.len().saturating_sub(MOST_FAILED) {
        0 => String::new(),
        more => format!("; and {}", count(more, "more check")),
    };
    let quoted: Vec<String> = failed.into_iter().take(MOST_FAILED).collect();
    format!("{}{more}.", quoted.join("; "))
}

/// What a check found, and for one that is breached what it requires.
pub(super) fn finding(check: &Check) -> String {
    match check.verdict {
        Verdict::Breached => format!("{}; {}", check.found, requirement(check)),
        Verdict::Met | Verdict::Undecided => check.found.to_string(),
    }
}

/// What a check requires: a limit by that name, anything else as the check says it.
fn requirement(check: &Check) -> String {
    match &check.required {
        Required::WithinBudget { downtime, window } => {
            format!("limit {} in {}", span(*downtime), span(*window))
        }
        Required::Downtime {
            at_least: None,
            at_most: Some(limit),
        } if !limit.is_zero() => format!("limit {}", span(*limit)),
        required => format!("required: {required}"),
    }
}

/// How many acknowledged writes were read back intact; `None` when none was acknowledged.
pub(super) fn intact(data: &Data) -> Option<String> {
    (data.acknowledged > 0).then(|| {
        let writes = format::of_all(data.intact, data.acknowledged, "acknowledged write");
        format!("{writes} intact")
    })
}

/// What became of acknowledged writes, kinds without any left out: `49 acknowledged: 48 intact, 1 lost`.
pub(super) fn writes(data: &Data) -> String {
    let kinds = [
        (data.intact, "intact"),
        (data.lost, "lost"),
        (data.corrupt, "corrupt"),
        (data.unknown, "unknown"),
    ];
    let kinds = kinds.into_iter().filter(|(count, _)| *count > 0);
    let kinds = format::list(kinds.map(|(count, kind)| format!("{count} {kind}")));
    format!("{} acknowledged: {kinds}", data.acknowledged)
}

/// The budget by name: `the yearly budget (15 min)`.
pub(super) fn budget_name(cost: &Cost) -> String {
    const YEAR: u64 = 365 * 86_400;
    match cost.window.as_secs() {
        YEAR => format!("the yearly budget ({})", span(cost.budget)),
        _ => format!("the budget ({} in {})", span(cost.budget), span(cost.window)),
    }
}

/// What a drill cost of the budget: `0.07 to 0.10 % of the yearly budget (15 min)`.
pub(super) fn of_budget(cost: &Cost) -> String {
    let budget = budget_name(cost);
    match (format::share(cost.share), cost.priced) {
        (None, _) => format!(
            "unknown share of {budget}: still down when the drill ended, and `manual_recovery` sets no price"
        ),
        (Some(share), Some(price)) => format!(
            "{share} of {budget}, priced at {} for manual recovery",
            span(price)
        ),
        (Some(share), None) => format!("{share} of {budget}"),
    }
}

/// The same for a sentence that is about what was used.
fn of_budget_used(cost: &Cost) -> String {
    // A price is not used budget: it stands for a recovery that the drill did not see.
    match (cost.share.high, cost.priced) {
        (Some(_), None) => format!("{} used", of_budget(cost)),
        _ => of_budget(cost),
    }
}

/// A contract's name.
pub(super) fn contract(contract: Contract) -> &'static str {
    match contract {
        Contract::Strict => "strict",
        Contract::Request => "request",
        Contract::Minute1 => "minute, 1 %",
        Contract::Minute5 => "minute, 5 %",
        Contract::Minute10 => "minute, 10 %",
        Contract::FullMinutes => "full minutes",
        Contract::FiveMinuteMean => "five-minute mean",
    }
}

/// What a contract bills, in a few words.
pub(super) fn contract_rule(contract: Contract) -> &'static str {
    match contract {
        Contract::Strict => "every outage of an essential journey, from start to end",
        Contract::Request => "the share of bad answers in each second, summed",
        Contract::Minute1 => "each calendar minute with more than 1 % bad answers",
        Contract::Minute5 => "each calendar minute with more than 5 % bad answers",
        Contract::Minute10 => "each calendar minute with more than 10 % bad answers",
        Contract::FullMinutes => "only whole, consecutive minutes of outage",
        Contract::FiveMinuteMean => "the whole of every five calendar minutes with a bad answer",
    }
}

/// What the time to detect is counted from.
pub(super) fn detection_origin(instants: &Instants) -> String {
    let left = instants
        .rollback
        .as_ref()
        .filter(|rollback| rollback.seen.is_some());
    // The same order in which the judgement takes the origin of the time to detect.
    match (instants.onset, left) {
        (Some(_), _) => "the outage began".into(),
        (None, Some(rollback)) => format!("{} first answered", rollback.from),
        (None, None) => "the fault was injected".into(),
    }
}

/// The duration of each bill by its contract: `strict: 626 ms to 899 ms`.
pub(super) fn bills(judgement: &Judgement) -> Vec<String> {
    let bills = judgement.bills.iter();
    bills
        .map(|bill| format!("{}: {}", contract(bill.contract), billed(bill)))
        .collect()
}

/// What a contract bills. A contract that bills nothing of an outage yet may bill it later: nothing is known.
pub(super) fn billed(bill: &Bill) -> String {
    match bill.billed.high {
        // Between zero and anything: "≥ 0" would read as nothing.
        None if bill.billed.low.is_zero() => "unknown".into(),
        _ => format::bounds(bill.billed),
    }
}

/// What a drill cost of the budget in a table: `0.07 %`, by its upper bound.
pub(super) fn share_cell(cost: &Cost) -> String {
    cost.share.high.map_or_else(|| "unknown".into(), format::percent)
}

/// What was lost, for one line; nothing when nothing was.
pub(super) fn damage(data: &Data) -> Option<String> {
    (data.lost + data.corrupt > 0).then(|| format!("{} lost, {} corrupt", data.lost, data.corrupt))
}

/// Where and when a drill ran.
pub(super) fn place(start: &Start) -> String {
    let repeat = match start.repeat {
        (_, 0 | 1) => String::new(),
        (this, of) => format!(", repeat {this} of {of}"),
    };
    let began = start.began().map_or_else(
        || start.wall.clone(),
        |began| began.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    );
    format!(
        "{} ({}), {began}, seed {}{repeat}",
        start.backend, start.place, start.seed
    )
}

/// What a drill did not look at, which every report of it says.
pub(super) fn reservation(start: &Start) -> Option<String> {
    let services: Vec<&str> = start.plan.system.unverified().collect();
    (!services.is_empty()).then(|| {
        format!(
            "TLS certificates were not verified (verify = false): {}",
            super::text::plain(&services.join(", "), 200)
        )
    })
}

/// A rung's share of the answers: `37 by fallback signed-link over 4.2 s`.
pub(super) fn rung(rung: &firedrill_judge::measure::Rung) -> String {
    let (name, time) = (super::text::plain(&rung.name, 40), rung.time.as_secs_f64());
    format!("{} by fallback {name} over {time:.1} s", rung.answers)
}

/// A journey's bad answers by kind: `25 × wrong status`.
pub(super) fn bad(journey: &Journey) -> impl Iterator<Item = String> {
    journey
        .bad
        .iter()
        .map(|(kind, count)| format!("{count} × {kind}"))
}

/// Items with commas between them, or a dash.
pub(super) fn or_dash(items: impl IntoIterator<Item = String>) -> String {
    let mut items = items.into_iter().peekable();
    match items.peek() {
        Some(_) => format::list(items),
        None => format::NOT_APPLICABLE.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firedrill_judge::Share;

    #[test]
    fn all_writes_are_intact_only_where_none_is_missing() {
        let data = |intact| Data {
            acknowledged: 111,
            intact,
            lost: 20.min(111 - intact),
            ..Data::default()
        };
        assert_eq!(intact(&data(111)).unwrap(), "all 111 acknowledged writes intact");
        assert_eq!(intact(&data(91)).unwrap(), "91 of 111 acknowledged writes intact");
        assert_eq!(intact(&Data::default()), None);
        assert_eq!(writes(&data(91)), "111 acknowledged: 91 intact, 20 lost");
    }

    #[test]
    fn an_instant_before_the_first_step_has_a_sign() {
        assert_eq!(seconds(Micros(500_000), Micros(1_000_000)), "−0.50 s");
        assert_eq!(seconds(Micros(995_001), Micros(1_000_000)), "0.00 s");
        assert_eq!(seconds(Micros(995_000), Micros(1_000_000)), "−0.01 s");
        assert_eq!(seconds(Micros(1_530_000), Micros(1_000_000)), "0.53 s");
    }

    #[test]
    fn the_cost_names_the_budget_and_the_price() {
        let cost = |low, high, priced| Cost {
            priced,
            budget: Duration::from_secs(900),
            window: Duration::from_secs(365 * 86_400),
            share: Share { low, high },
            ..Cost::default()
        };
        assert_eq!(
            of_budget_used(&cost(0.0, Some(0.0), None)),
            "0 % of the yearly budget (15 min) used"
        );
        let price = Some(Duration::from_secs(23 * 60));
        assert_eq!(
            of_budget_used(&cost(153.3, Some(153.3), price)),
            "153 % of the yearly budget (15 min), priced at 23 min for manual recovery"
        );
        assert!(of_budget(&cost(0.5, None, None)).starts_with("unknown share of the yearly budget"));
        let monthly = Cost {
            window: Duration::from_secs(30 * 86_400),
            ..cost(1.0, Some(2.0), None)
        };
        assert_eq!(
            of_budget(&monthly),
            "1.00 to 2.00 % of the budget (15 min in 30 days)"
        );
    }
}
