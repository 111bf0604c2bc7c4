//! Numbers and verdicts in words, for every report alike, with no more digits than they support.

use std::time::Duration;

use super::text::word;
use firedrill_judge::measure::{Bounds, Data, Instants, Measured};
use firedrill_judge::{Check, Cost, Judgement, Verdict};
use firedrill_model::history::Start;
use firedrill_model::sample::Micros;
use firedrill_model::scenario::Contract;
use firedrill_model::units::Span;

/// An instant of the drill, in seconds since the first step's origin.
pub(super) fn seconds(at: Micros, origin: Micros) -> String {
    let (sign, time) = if at < origin {
        ("−", origin.since(at))
    } else {
        ("", at.since(origin))
    };
    let text = format!("{:.2}", time.as_secs_f64());
    let sign = if text == "0.00" { "" } else { sign };
    format!("{sign}{text} s")
}

/// A percentage, to three digits at most.
pub(super) fn percent(percent: f64) -> String {
    match percent {
        p if p <= 0.0 => "nothing".into(),
        p if p < 0.005 => "under 0.01 %".into(),
        p if p < 10.0 => format!("{p:.2} %"),
        p if p < 100.0 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}

/// How many of so many, said as people would: all, none, or both numbers.
pub(super) fn percent_of(part: usize, whole: usize) -> String {
    match part {
        0 => "none".into(),
        part if part == whole => "all".into(),
        part => part.to_string(),
    }
}

/// How many single bad answers nothing confirmed.
pub(super) fn blips(count: usize) -> String {
    match count {
        1 => "1 blip".into(),
        count => format!("{count} blips"),
    }
}

/// A duration that people meet in latencies: µs below a millisecond, then ms, then s, to two or three digits.
pub(super) fn latency(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    match millis {
        m if m <= 0.0 => "–".into(),
        m if m < 1.0 => format!("{m:.2} ms"),
        m if m < 10.0 => format!("{m:.1} ms"),
        m if m < 1000.0 => format!("{m:.0} ms"),
        m => format!("{:.2} s", m / 1e3),
    }
}

/// How often: once, or so many times.
pub(super) fn times(times: f64) -> String {
    if (times - 1.0).abs() < f64::EPSILON {
        "once".into()
    } else {
        format!("{times} times")
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

/// How a contract bills, in a few words.
pub(super) fn contract_rule(contract: Contract) -> &'static str {
    match contract {
        Contract::Strict => "every outage of an essential journey, from start to end",
        Contract::Request => "the share of bad answers of each second, summed",
        Contract::Minute1 => "each calendar minute with over 1 % bad answers",
        Contract::Minute5 => "each calendar minute with over 5 % bad answers",
        Contract::Minute10 => "each calendar minute with over 10 % bad answers",
        Contract::FullMinutes => "only whole consecutive minutes of outage",
        Contract::FiveMinuteMean => "each calendar five minutes with any bad answer, in whole",
    }
}

/// The verdict as a headline says it.
pub(super) fn told(judgement: &Judgement) -> String {
    let verdict = judgement.verdict();
    match (&judgement.control, judgement.as_expected()) {
        (Some(_), true) => "BREACHED, as a control must".into(),
        (Some(_), false) => format!("{}, and not as this control must", word(verdict).to_uppercase()),
        (None, _) => word(verdict).to_uppercase(),
    }
}

/// What the time to the first alert is counted from.
pub(super) fn origin(instants: &Instants) -> &'static str {
    let met = instants
        .rollback
        .as_ref()
        .is_some_and(|rollback| rollback.seen.is_some());
    match (instants.onset, met) {
        (Some(_), _) => "the outage began",
        (None, true) => "the release that was left first answered",
        (None, false) => "the fault was injected",
    }
}

/// How many acknowledged writes were read back right; `None` when none was acknowledged.
pub(super) fn kept(data: &Data) -> Option<String> {
    match (data.intact, data.acknowledged) {
        (_, 0) => None,
        (intact, all) if intact == all => Some(format!("all {all} acknowledged writes kept")),
        (intact, all) => Some(format!("{intact} of {all} acknowledged writes kept")),
    }
}

/// Why the verdict is what it is, in a sentence.
pub(super) fn reason(measured: &Measured, judgement: &Judgement) -> String {
    let verdict = judgement.verdict();
    if verdict == Verdict::Met {
        let data = measured.data;
        let kept = match kept(&data) {
            Some(kept) => format!(", {kept}"),
            None => String::new(),
        };
        let down = if measured.downtime == Bounds::ZERO {
            "Never down".to_owned()
        } else {
            format!("Down {}", measured.downtime)
        };
        return format!("{down}: {}{kept}.", of_budget(&judgement.cost));
    }
    let worst: Vec<String> = judgement
        .of(verdict)
        .map(|check| sentence(check, verdict))
        .collect();
    let more = worst.len().saturating_sub(3);
    let mut text = worst.into_iter().take(3).collect::<Vec<_>>().join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    text.push('.');
    text
}

fn sentence(check: &Check, verdict: Verdict) -> String {
    match verdict {
        Verdict::Breached => format!("{}: {}, required: {}", check.id, check.found, check.required),
        _ => format!("{}: {}", check.id, check.found),
    }
}

/// What a drill took of the budget: `0.06 % of 15m in 365 days`.
pub(super) fn of_budget(cost: &Cost) -> String {
    let (total, days) = (Span(cost.budget), cost.window.as_secs() / 86_400);
    match (cost.share.high, cost.priced) {
        (None, _) => format!("still open, and no `manual_recovery` prices it, of {total} in {days} days"),
        (Some(high), Some(price)) => format!(
            "{} of {total} in {days} days, at {} until a person has repaired it",
            percent(high),
            Span(price)
        ),
        (Some(high), None) => {
            let low = cost.share.low;
            let share = match (percent(low), percent(high)) {
                (low, high) if low == high => high,
                (low, high) => format!("{} to {high}", if low == "nothing" { "0 %".into() } else { low }),
            };
            format!("{share} of {total} in {days} days")
        }
    }
}

/// Where and when a drill ran.
pub(super) fn place(start: &Start) -> String {
    let repeat = match start.repeat {
        (_, 0 | 1) => String::new(),
        (this, of) => format!(", repeat {this} of {of}"),
    };
    let wall = start.wall.get(..19).unwrap_or(&start.wall).replace('T', " ");
    format!(
        "{} ({}), {wall} UTC, seed {}{repeat}",
        start.backend, start.place, start.seed
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_has_three_digits_at_most() {
        let texts = [0.0, 0.001, 0.06, 9.994, 15.33, 153.33].map(percent);
        assert_eq!(
            texts,
            ["nothing", "under 0.01 %", "0.06 %", "9.99 %", "15.3 %", "153 %"]
        );
    }

    #[test]
    fn all_writes_are_kept_only_where_none_is_missing() {
        let data = |intact| Data {
            acknowledged: 111,
            intact,
            lost: 20.min(111 - intact),
            ..Data::default()
        };
        assert_eq!(kept(&data(111)).unwrap(), "all 111 acknowledged writes kept");
        assert_eq!(kept(&data(91)).unwrap(), "91 of 111 acknowledged writes kept");
        assert_eq!(kept(&Data::default()), None);
    }

    #[test]
    fn an_instant_before_the_first_step_has_a_sign() {
        assert_eq!(seconds(Micros(500_000), Micros(1_000_000)), "−0.50 s");
        assert_eq!(seconds(Micros(999_999), Micros(1_000_000)), "0.00 s");
        assert_eq!(seconds(Micros(1_530_000), Micros(1_000_000)), "0.53 s");
    }
}
