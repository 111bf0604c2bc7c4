//! The timeline: what happened when, in words, for every report alike.
//!
//! Takes a history and what was measured of it, gives its moments in order. The page draws them, the others list them.

use std::time::Duration;

use super::format::{bounds, latency, of_all, tally};
use super::text::{in_words, of_deploy, of_step};
use super::words::seconds;
use firedrill_judge::measure::{Blip, Interval, Journey, JourneyState, Measured, Outage, Release};
use firedrill_model::history::plan::Plan;
use firedrill_model::history::{Event, History, Stamped};
use firedrill_model::sample::Micros;

/// A release that answered until so shortly before the end was not replaced: the next probe came too late.
const TO_THE_END: Duration = Duration::from_millis(250);

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The steady-state check ended.
    Steady,
    /// A fault is being injected.
    Fault,
    /// It is in effect.
    Confirmed,
    /// The drill itself is in doubt: a fault that was not injected or not reverted, a stall of the prober.
    Warning,
    /// A fault was reverted.
    Reverted,
    /// A deploy was carried out, or refused.
    Deploy,
    /// A service ended or came back on its own.
    Service,
    /// An alert arrived.
    Alert,
    /// A release answered for the first time.
    Release,
    /// A fallback answered for the first time.
    Fallback,
    /// A single bad answer, not confirmed by others.
    Blip,
    /// A journey's outage began.
    Down,
    /// It ended.
    Up,
    /// It had not ended when the drill ended.
    StillDown,
}

impl Kind {
    /// A word for the margin, at most nine letters.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Fault => "fault",
            Self::Confirmed => "confirmed",
            Self::Warning => "warning",
            Self::Reverted => "reverted",
            Self::Deploy => "deploy",
            Self::Service => "service",
            Self::Alert => "alert",
            Self::Release => "release",
            Self::Fallback => "fallback",
            Self::Blip => "blip",
            Self::Down | Self::StillDown => "down",
            Self::Up => "up again",
        }
    }

    /// Its class in the page's style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Down | Self::StillDown => "bad",
            Self::Up => "good",
            Self::Fault | Self::Fallback | Self::Warning | Self::Blip => "unsure",
            Self::Alert => "alerted",
            _ => "plain",
        }
    }
}

/// One moment of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// When, on the drill's clock.
    pub(super) at: Micros,
    /// What kind of thing.
    pub(super) kind: Kind,
    /// What, in words; it may contain text from outside.
    pub(super) text: String,
}

/// All moments, in order.
pub(super) fn timeline(history: &History, measured: &Measured) -> Vec<Moment> {
    let mut moments: Vec<Moment> = history
        .events
        .iter()
        .filter(|event| !is_confirmed_deploy(history, event))
        .filter_map(|event| of_event(event, &history.start.plan))
        .collect();
    for journey in &measured.journeys {
        moments.extend(
            journey
                .outages
                .iter()
                .flat_map(|outage| of_outage(journey, outage)),
        );
        moments.extend(first_fallback(journey));
    }
    moments.extend(
        measured
            .releases
            .iter()
            .map(|release| of_release(release, measured)),
    );
    // Stable: at one instant, what the drill did comes before what was measured.
    moments.sort_by_key(|moment| moment.at);
    moments
}

/// Whether a deploy is that of a step whose fault is confirmed: what the system answered is the evidence, and once is
/// enough.
fn is_confirmed_deploy(history: &History, event: &Stamped) -> bool {
    let Event::Deploy { release, .. } = &event.event else {
        return false;
    };
    let deployed = |step: usize| history.start.plan.scenario.steps.get(step)?.fault.release();
    let mut confirmed = history.events.iter().filter_map(|other| match &other.event {
        Event::Injected {
            step,
            evidence: Some(_),
        } => deployed(*step),
        _ => None,
    });
    confirmed.any(|other| other == release)
}

fn of_event(event: &Stamped, plan: &Plan) -> Option<Moment> {
    let of_step = |step: &usize, text: &str| of_step(plan, *step, text);
    let (kind, text) = match &event.event {
        Event::Steady { good: true, evidence } => (Kind::Steady, in_words(evidence)),
        Event::Steady {
            good: false,
            evidence,
        } => (Kind::Warning, format!("no steady state: {}", in_words(evidence))),
        // At the request, not at the confirmation: the outage may begin between the two.
        Event::Injecting { what, .. } => (Kind::Fault, what.clone()),
        Event::Injected {
            step,
            evidence: Some(evidence),
        } => (Kind::Confirmed, of_step(step, evidence)),
        Event::Injected { evidence: None, .. } => (
            Kind::Warning,
            "not confirmed: no evidence that the fault took effect".into(),
        ),
        Event::NotInjected { step, why } => (Kind::Warning, format!("not injected: {}", of_step(step, why))),
        Event::Reverted { step, evidence } => (Kind::Reverted, of_step(step, evidence)),
        Event::NotReverted { step, why } => (Kind::Warning, format!("not reverted: {}", of_step(step, why))),
        Event::Deploy {
            release,
            accepted,
            detail,
        } => (Kind::Deploy, deploy(release, *accepted, detail)),
        Event::State { service, state } => (Kind::Service, format!("{service}: {state}")),
        Event::Alert { kind, answered, .. } => alert(kind, *answered),
        Event::ConnectionFailed { cause } => (Kind::Warning, format!("connections fail: {cause}")),
        Event::Gap { since, until } => {
            let length = latency(until.since(*since));
            (
                Kind::Warning,
                format!("the prober stalled for {length}: unknown time"),
            )
        }
        Event::End {
            error: Some(error), ..
        } => (
            Kind::Warning,
            format!("the drill ended early: {}", in_words(error)),
        ),
        Event::End {
            interrupted: true, ..
        } => (Kind::Warning, "the drill was interrupted".into()),
        _ => return None,
    };
    Some(Moment {
        at: event.at,
        kind,
        text,
    })
}

fn deploy(release: &str, accepted: bool, detail: &str) -> String {
    let detail = of_deploy(release, detail);
    if accepted {
        format!("{release} deployed: {detail}")
    } else {
        format!("deploy of {release} refused: {detail}")
    }
}

fn alert(kind: &str, answered: u16) -> (Kind, String) {
    let name = if kind.is_empty() { "without a kind" } else { kind };
    match answered {
        ..400 => (Kind::Alert, name.into()),
        status => (
            Kind::Warning,
            format!("alert {name}: the receiver refused it with status {status}"),
        ),
    }
}

fn of_outage(journey: &Journey, outage: &Outage) -> [Moment; 2] {
    let name = &journey.name;
    // Its outage is not the service's, although the timeline lists it beside those that are.
    let aside = if journey.essential { "" } else { " (not essential)" };
    let kinds = tally(outage.kinds.iter().copied());
    let began = Moment {
        at: outage.first_bad,
        kind: Kind::Down,
        text: format!("{name} down{aside}: {kinds}"),
    };
    let length = bounds(outage.bounds());
    let ended = match outage.first_good {
        // The first good answer is when users noticed; the end itself lies before it, within the bounds.
        Some(at) if !outage.still_down => Moment {
            at,
            kind: Kind::Up,
            text: format!("{name} up again after {length}"),
        },
        _ => Moment {
            at: outage.hull.until,
            kind: Kind::StillDown,
            text: format!("{name} still down when the drill ended ({length})"),
        },
    };
    [began, ended]
}

fn of_release(release: &Release, measured: &Measured) -> Moment {
    let (answers, good) = release.answers;
    let last = release.last.1;
    // The last probes of a drill may be cancelled: a release that answered just before them answered to the end.
    let until = if last >= measured.window.until - TO_THE_END {
        "to the end".to_owned()
    } else {
        format!("until {}", seconds(last, measured.window.from))
    };
    let right = of_all(good, answers, "answer");
    Moment {
        at: release.first.0,
        kind: Kind::Release,
        text: format!("{} answers {until}: {right} right", release.name),
    }
}

/// A blip, where each is listed.
pub(super) fn of_blip(blip: &Blip) -> Moment {
    Moment {
        at: blip.at,
        kind: Kind::Blip,
        text: format!(
            "{}: one bad answer ({}), not confirmed by others",
            blip.journey, blip.kind
        ),
    }
}

/// A part of the judged time of which nothing is known.
pub(super) fn of_unknown(part: &Interval, until: &str) -> Moment {
    Moment {
        at: part.from,
        kind: Kind::Warning,
        text: format!("unknown until {until}: neither up nor down"),
    }
}

/// When a fallback first answered a journey.
fn first_fallback(journey: &Journey) -> Option<Moment> {
    journey.lane.iter().find_map(|segment| match &segment.state {
        JourneyState::Fallback(rung) => Some(Moment {
            at: segment.time.from,
            kind: Kind::Fallback,
            text: format!("{} answered by fallback {rung}", journey.name),
        }),
        JourneyState::Up | JourneyState::Down => None,
    })
}
