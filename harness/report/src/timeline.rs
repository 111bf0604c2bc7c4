//! The moments of the time line: what happened when, in words, for every report alike.

use super::words::{percent_of, seconds};
use firedrill_judge::measure::{Blip, Interval, Journey, Measured, Outage};
use firedrill_model::history::{Event, History, Stamped};
use firedrill_model::sample::Micros;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The steady-state check ended.
    Steady,
    /// A fault is being injected.
    Fault,
    /// It is in effect.
    InEffect,
    /// Something of the harness's own did not work: a fault not injected or not reverted, a standstill.
    Doubt,
    /// A fault was reverted.
    Reverted,
    /// A deploy went through, or was refused.
    Deploy,
    /// A service ended or came back by itself.
    State,
    /// An alert arrived.
    Alert,
    /// A release answered for the first time.
    Release,
    /// A fallback answered for the first time.
    Fallback,
    /// A single answer failed, and nothing confirmed it.
    Blip,
    /// A journey's outage began.
    Down,
    /// It ended.
    Up,
    /// It had not ended when the drill did.
    Open,
}

impl Kind {
    /// A word for the margin, at most nine letters.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Fault => "fault",
            Self::InEffect => "in effect",
            Self::Doubt => "in doubt",
            Self::Reverted => "reverted",
            Self::Deploy => "deploy",
            Self::State => "service",
            Self::Alert => "alert",
            Self::Release => "release",
            Self::Fallback => "fallback",
            Self::Blip => "blip",
            Self::Down => "down",
            Self::Up => "up again",
            Self::Open => "down",
        }
    }

    /// Its class in the page's style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Down | Self::Open => "bad",
            Self::Up => "good",
            Self::Fault | Self::Fallback | Self::Doubt | Self::Blip => "unsure",
            Self::Alert => "alerted",
            _ => "plain",
        }
    }
}

/// One entry of the time line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// When, on the drill's clock.
    pub(super) at: Micros,
    /// What kind of thing.
    pub(super) kind: Kind,
    /// What, in words; it may hold text from outside.
    pub(super) text: String,
}

/// All moments, in order.
pub(super) fn timeline(history: &History, measured: &Measured) -> Vec<Moment> {
    let mut moments: Vec<Moment> = history.events.iter().filter_map(of_event).collect();
    for journey in &measured.journeys {
        for outage in &journey.outages {
            moments.extend(of_outage(journey, outage));
        }
        if let Some((at, rung)) = first_fallback(journey) {
            moments.push(Moment {
                at,
                kind: Kind::Fallback,
                text: format!("{} is answered by {rung}", journey.name),
            });
        }
    }
    for release in &measured.releases {
        let (answers, good) = release.answers;
        let until = if release.last.1 >= measured.window.until - std::time::Duration::from_millis(250) {
            "to the end".to_owned()
        } else {
            format!("until {}", seconds(release.last.1, measured.window.from))
        };
        moments.push(Moment {
            at: release.first.0,
            kind: Kind::Release,
            text: format!(
                "{} answers, {until}: {} of {answers} answers right",
                release.name,
                percent_of(good, answers)
            ),
        });
    }
    moments.sort_by_key(|moment| moment.at);
    // A deploy that went through tells the same as its fault's evidence.
    let proofs = moments.iter().filter(|moment| moment.kind == Kind::InEffect);
    let proofs: Vec<String> = proofs.map(|moment| moment.text.clone()).collect();
    moments.retain(|moment| {
        moment.kind != Kind::Deploy || !proofs.iter().any(|proof| moment.text.ends_with(proof))
    });
    moments
}

fn of_event(event: &Stamped) -> Option<Moment> {
    let (kind, text) = match &event.event {
        Event::Steady { good: true, evidence } => (Kind::Steady, evidence.clone()),
        Event::Steady {
            good: false,
            evidence,
        } => (Kind::Doubt, format!("not steady: {evidence}")),
        Event::Injecting { what, .. } => (Kind::Fault, what.clone()),
        Event::Injected {
            evidence: Some(evidence),
            ..
        } => (Kind::InEffect, evidence.clone()),
        Event::Injected { evidence: None, .. } => {
            (Kind::Doubt, "nothing proves that the fault took effect".into())
        }
        Event::NotInjected { why, .. } => (Kind::Doubt, format!("not injected: {why}")),
        Event::Reverted { evidence, .. } => (Kind::Reverted, evidence.clone()),
        Event::NotReverted { why, .. } => (Kind::Doubt, format!("not reverted: {why}")),
        Event::Deploy {
            release,
            accepted,
            detail,
        } => {
            let told = if *accepted { "went through" } else { "was refused" };
            (Kind::Deploy, format!("{release} {told}: {detail}"))
        }
        Event::State { service, state } => (Kind::State, format!("{service}: {state}")),
        Event::Alert { kind, answered, .. } => {
            let kind = match kind.as_str() {
                "" => "an alert without a kind",
                kind => kind,
            };
            match answered {
                ..400 => (Kind::Alert, kind.into()),
                refused => (
                    Kind::Doubt,
                    format!("alert not taken, answered {refused}: {kind}"),
                ),
            }
        }
        Event::Gap { since, until } => {
            let length = until.since(*since).as_millis();
            (
                Kind::Doubt,
                format!("the prober stood still for {length} ms: unknown time"),
            )
        }
        Event::End {
            error: Some(error), ..
        } => (Kind::Doubt, format!("ended before its time: {error}")),
        Event::End {
            interrupted: true, ..
        } => (Kind::Doubt, "somebody stopped the drill".into()),
        _ => return None,
    };
    let at = event.at;
    Some(Moment { at, kind, text })
}

fn of_outage(journey: &Journey, outage: &Outage) -> [Moment; 2] {
    let name = &journey.name;
    let kinds: Vec<String> = outage
        .kinds
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let aside = if journey.essential { "" } else { ", not essential" };
    let end = match outage.first_good {
        Some(at) if !outage.still_down => Moment {
            at,
            kind: Kind::Up,
            text: format!("{name} is served again, down for {}", outage.bounds()),
        },
        _ => Moment {
            at: outage.hull.until,
            kind: Kind::Open,
            text: format!(
                "{name} is still down when the drill ends, for {}",
                outage.bounds()
            ),
        },
    };
    let began = Moment {
        at: outage.first_bad,
        kind: Kind::Down,
        text: format!("{name} fails: {}{aside}", kinds.join(", ")),
    };
    [began, end]
}

/// A blip, for where each is listed.
pub(super) fn of_blip(blip: &Blip) -> Moment {
    Moment {
        at: blip.at,
        kind: Kind::Blip,
        text: format!("{} fails once: {}; nothing confirms it", blip.journey, blip.kind),
    }
}

/// A part of the judged time of which nothing is known.
pub(super) fn of_unknown(part: &Interval, until: String) -> Moment {
    Moment {
        at: part.from,
        kind: Kind::Doubt,
        text: format!("unknown until {until}: neither up nor down"),
    }
}

/// The first stretch of a journey's lane that a fallback served.
fn first_fallback(journey: &Journey) -> Option<(Micros, &str)> {
    journey.lane.iter().find_map(|segment| match &segment.state {
        firedrill_judge::measure::JourneyState::Fallback(rung) => Some((segment.time.from, rung.as_str())),
        _ => None,
    })
}
