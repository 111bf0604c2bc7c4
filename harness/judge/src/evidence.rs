//! When a run says nothing: *undecided*, never a pass.

use super::{Check, Verdict};
use crate::measure::Measured;
use firedrill_model::history::{Event, History, Phase};
use firedrill_model::sample::{Bad, Micros, Outcome};

/// More voids than this and the probing itself is in doubt.
const MOST_VOIDS: f64 = 0.001;

fn check(name: impl Into<String>, required: &str, found: impl Into<String>, good: bool) -> Check {
    let verdict = if good { Verdict::Met } else { Verdict::Undecided };
    Check {
        name: name.into(),
        required: required.into(),
        found: found.into(),
        verdict,
    }
}

pub(super) fn checks(history: &History, measured: &Measured) -> Vec<Check> {
    let mut checks = vec![steady(history)];
    checks.extend((0..history.start.plan.scenario.steps.len()).map(|step| fault(history, step)));
    checks.push(voids(measured));
    if measured.prober.gap_near_edge {
        let found = format!(
            "{} standstills, one within 5 s of an edge",
            measured.prober.gaps.len()
        );
        checks.push(check(
            "evidence.gaps",
            "no standstill of the prober near an outage's edge",
            found,
            false,
        ));
    }
    checks.push(end(history));
    checks
}

/// Whether the drill began to break anything: before that there is nothing to judge.
pub(super) fn came_to_its_steps(history: &History) -> bool {
    history
        .events
        .iter()
        .any(|event| matches!(event.event, Event::Phase { phase: Phase::Steps }))
}

fn steady(history: &History) -> Check {
    let seen = history.events.iter().find_map(|event| match &event.event {
        Event::Steady { good, evidence } => Some((*good, evidence.clone())),
        _ => None,
    });
    let (good, found) = seen.unwrap_or((false, "the drill did not come that far".into()));
    check(
        "evidence.steady",
        "every journey good before the first fault",
        found,
        good,
    )
}

/// Injected, confirmed, and met by traffic.
fn fault(history: &History, step: usize) -> Check {
    let name = format!("evidence.fault.{step}");
    let mut since = None;
    let mut until = None;
    let mut outcome = Err("never injected".to_owned());
    let mut hit = None;
    for event in &history.events {
        match &event.event {
            Event::Injecting { step: at, .. } if *at == step => since = Some(event.at),
            Event::Injected { step: at, evidence } if *at == step => {
                outcome = evidence
                    .clone()
                    .ok_or_else(|| "nothing proves that it took effect".into());
            }
            Event::NotInjected { step: at, why } if *at == step => outcome = Err(why.clone()),
            Event::Hit { step: at, .. } if *at == step => hit = Some(&event.event),
            Event::Reverted { step: at, .. } if *at == step => until = Some(event.at),
            Event::NotReverted { step: at, why } if *at == step => {
                outcome = Err(format!("in effect, but not reverted: {why}"));
            }
            _ => {}
        }
    }
    let required = match hit {
        Some(_) => "in effect, confirmed, and met by traffic",
        None => "in effect and confirmed, while users asked",
    };
    match (outcome, since) {
        (Ok(_), Some(since)) if !met_by_traffic(history, since, until) => {
            check(name, required, "no probe was sent while it was in effect", false)
        }
        (Ok(evidence), since) => match (hit.map(hits), since) {
            (None, _) => check(name, required, evidence, true),
            (Some(Ok(hits)), _) => check(name, required, format!("{evidence}; {hits}"), true),
            (Some(Err(Unhit::Nothing)), _) => {
                check(name, required, "nothing that passed was hit by it", false)
            }
            (Some(Err(Unhit::Unread)), _) => check(name, required, "nobody read the damaged file", false),
            (Some(Err(Unhit::Uncounted)), Some(since))
                if of_users(history, step) && users_refused(history, since, until) =>
            {
                check(name, required, format!("{evidence}; users were refused"), true)
            }
            (Some(Err(Unhit::Uncounted)), _) => {
                let found = "no connection was open, and what a closed port turns away is not seen";
                check(name, required, found, false)
            }
        },
        (Err(why), _) => check(name, required, why, false),
    }
}

/// Why a fault that counts its hits has none.
enum Unhit {
    /// It would have counted.
    Nothing,
    /// A damaged file, and nobody read it.
    Unread,
    /// It cannot count what it hits.
    Uncounted,
}

/// What a fault has hit, in words.
fn hits(event: &Event) -> Result<String, Unhit> {
    let Event::Hit {
        connections,
        chunks,
        requests,
        read,
        all_counted,
        ..
    } = event
    else {
        return Err(Unhit::Nothing);
    };
    match (
        connections.saturating_add(*chunks).saturating_add(*requests),
        all_counted,
    ) {
        _ if *read == Some(true) => Ok("it was read".into()),
        _ if *read == Some(false) => Err(Unhit::Unread),
        (0, true) => Err(Unhit::Nothing),
        (0, false) => Err(Unhit::Uncounted),
        _ => {
            let parts = [
                (*connections, "connections"),
                (*chunks, "chunks"),
                (*requests, "requests"),
            ];
            let parts = parts.iter().filter(|(count, _)| *count > 0);
            let parts: Vec<String> = parts.map(|(count, what)| format!("{count} {what}")).collect();
            Ok(format!("it hit {}", parts.join(", ")))
        }
    }
}

/// Whether a step acts on the users' own link: what they meet says nothing of one between services.
fn of_users(history: &History, step: usize) -> bool {
    let step = &history.start.plan.scenario.steps[step];
    step.fault.params.get("from").is_none_or(|from| from == "user")
}

/// Whether users' connection attempts were refused in that time.
fn users_refused(history: &History, since: Micros, until: Option<Micros>) -> bool {
    let until = until.unwrap_or(Micros(u64::MAX));
    history.samples.iter().any(|sample| {
        sample.outcome == Outcome::Bad(Bad::Refused) && since <= sample.ended && sample.sent <= until
    })
}

fn met_by_traffic(history: &History, since: Micros, until: Option<Micros>) -> bool {
    let until = until.unwrap_or(Micros(u64::MAX));
    history
        .samples
        .iter()
        .any(|sample| !sample.outcome.is_void() && since <= sample.ended && sample.sent <= until)
}

fn voids(measured: &Measured) -> Check {
    let share = measured.prober.void_share();
    let reasons: Vec<String> = measured
        .prober
        .voids
        .iter()
        .map(|(void, count)| format!("{count} {void}"))
        .collect();
    let found = match reasons.as_slice() {
        [] => format!("none of {}", measured.prober.probes),
        reasons => format!(
            "{:.2} % of {}: {}",
            share * 100.0,
            measured.prober.probes,
            reasons.join(", ")
        ),
    };
    let good = share <= MOST_VOIDS && measured.prober.probes > 0;
    check(
        "evidence.voids",
        "at most 0.1 % of probes say nothing",
        found,
        good,
    )
}

fn end(history: &History) -> Check {
    let required = "the drill was carried through";
    let ended = history.events.iter().rev().find_map(|event| match &event.event {
        Event::End {
            interrupted: true, ..
        } => Some(Err("somebody stopped it".to_owned())),
        Event::End {
            error: Some(error), ..
        } => Some(Err(error.clone())),
        Event::End { .. } => Some(Ok(())),
        _ => None,
    });
    match ended.unwrap_or_else(|| Err(history.torn.join("; "))) {
        Ok(()) if history.torn.is_empty() => check("evidence.end", required, "yes", true),
        Ok(()) => check("evidence.end", required, history.torn.join("; "), false),
        Err(why) => check("evidence.end", required, why, false),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use firedrill_model::history::{self, Stamped};

    fn rolled_back() -> History {
        let stored = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../firedrill/tests/fixtures/histories/wrong-json-loader");
        history::read(&stored).unwrap()
    }

    /// What is said of the first step when this event is the last.
    fn said(event: Event) -> (Verdict, String) {
        let mut history = rolled_back();
        let at = history.events.last().unwrap().at;
        history.events.push(Stamped { at, event });
        let check = fault(&history, 0);
        (check.verdict, check.found)
    }

    fn hit(read: Option<bool>, connections: u64, requests: u64) -> Event {
        Event::Hit {
            step: 0,
            connections,
            chunks: 0,
            requests,
            read,
            all_counted: true,
        }
    }

    #[test]
    fn a_fault_that_was_not_reverted_leaves_its_drill_undecided() {
        assert_eq!(fault(&rolled_back(), 0).verdict, Verdict::Met);
        let (verdict, found) = said(Event::NotReverted {
            step: 0,
            why: "the engine was gone".into(),
        });
        assert_eq!(
            (verdict, found.as_str()),
            (
                Verdict::Undecided,
                "in effect, but not reverted: the engine was gone"
            )
        );
    }

    #[test]
    fn a_damaged_file_proves_something_only_when_it_was_read() {
        assert_eq!(
            said(hit(Some(false), 0, 0)),
            (Verdict::Undecided, "nobody read the damaged file".into())
        );
        assert_eq!(said(hit(Some(true), 0, 0)).0, Verdict::Met);
        assert_eq!(said(hit(None, 0, 0)).0, Verdict::Undecided);
        assert_eq!(said(hit(None, u64::MAX, 1)).0, Verdict::Met, "no overflow");
    }
}
