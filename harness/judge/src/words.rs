//! Required and found facts in words: the only place where a check becomes text.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use crate::check::{
    AlertFound, BadAnswers, Deploys, EndFound, FaultFound, Found, Hits, JourneyFound, Required, StateSeen,
};
use crate::cost::Cost;
use crate::measure::{Bounds, Data, RolledBack};
use firedrill_model::format::{self, NONE, span};
use firedrill_model::history::Missing;
use firedrill_model::sample::{Labels, Void};
use firedrill_model::scenario::{DeployOutcome, Tolerance};
use firedrill_model::units::Share;

/// More states than this are shortened to the first and the last ones.
const MOST_STATES: usize = 9;
/// So many states stay at either end of a shortened list.
const ENDS: usize = 4;

impl Display for Required {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::WithinBudget { downtime, window } => {
                write!(f, "{} in {}", format::at_most(*downtime), span(*window))
            }
            Self::Downtime { at_least, at_most } => f.write_str(&limits(*at_least, *at_most)),
            Self::Journey { tolerance, bad } => {
                f.write_str(match tolerance {
                    Tolerance::AlwaysGood => "always good",
                    Tolerance::NeverDown => "never down",
                    Tolerance::MayBeDown => "may be down",
                    Tolerance::GoesDown => "goes down",
                })?;
                match bad {
                    Some(limit) => write!(f, ", {}", most_bad(*limit)),
                    None => Ok(()),
                }
            }
            Self::BadAnswers(limit) => f.write_str(&most_bad(*limit)),
            Self::AtMost(0) => f.write_str(NONE),
            Self::AtMost(count) => write!(f, "≤ {count}"),
            Self::Deploy(DeployOutcome::Accepted) => f.write_str("accepted"),
            Self::Deploy(DeployOutcome::Refused) => f.write_str("refused"),
            Self::Rollback { to, within } => write!(f, "back to {to} within {}", span(*within)),
            Self::Alert { within, contains } => {
                f.write_str("arrives")?;
                if let Some(within) = within {
                    write!(f, " within {}", span(*within))?;
                }
                match contains {
                    Some(text) => write!(f, ", contains `{text}`"),
                    None => Ok(()),
                }
            }
            Self::Never => f.write_str(NONE),
            Self::Answers => f.write_str("≥ 1 answer"),
            Self::LogContains(text) => write!(f, "contains `{text}`"),
            Self::SteadyState => f.write_str("every journey good before the first fault"),
            Self::SteadyStateNotNeeded => f.write_str("none: the control says `steady = false`"),
            Self::FaultInEffect { counts_hits: true } => f.write_str("confirmed, and requests hit it"),
            Self::FaultInEffect { counts_hits: false } => {
                f.write_str("confirmed, with probes during the fault")
            }
            Self::FewVoids => f.write_str("≤ 0.1 % void"),
            Self::NoStallNearEdge => f.write_str("no prober stall within 5 s of an outage's start or end"),
            Self::FewLabels => write!(f, "≤ {} names of releases and fallbacks", Labels::LIMIT),
            Self::Complete => f.write_str("the drill ran to its end"),
        }
    }
}

impl Display for Found {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReached => f.write_str("not reached: the drill ended earlier"),
            Self::Cost(cost) => f.write_str(&share_of_budget(cost)),
            Self::Downtime(bounds) if bounds.high.is_none() => {
                write!(f, "still down when the drill ended ({bounds})")
            }
            Self::Downtime(bounds) => bounds.fmt(f),
            Self::Journey(found) => found.fmt(f),
            Self::BadAnswers(found) => found.fmt(f),
            Self::Writes(data) => f.write_str(&writes(data)),
            Self::Count(count) => f.write_str(&none_or(*count)),
            Self::Answers(count)
            | Self::Fallbacks {
                all: count,
                when_busy: 0,
            } => f.write_str(&format::count(*count, "answer")),
            Self::Fallbacks { all, when_busy } => {
                write!(
                    f,
                    "{}, {when_busy} while the machine was busy",
                    format::count(*all, "answer")
                )
            }
            Self::Alerts(count) => f.write_str(&format::count(*count, "alert")),
            Self::Deploys(deploys) => f.write_str(&answers_to(*deploys)),
            Self::Rollback(found) => f.write_str(&found.as_ref().map_or(NONE.to_owned(), rollback)),
            Self::Alert(found) => found.fmt(f),
            Self::LogContains(found) => f.write_str(match found {
                Some(true) => "found",
                Some(false) => "not found",
                None => "the log was not collected",
            }),
            Self::SteadyState(evidence) => f.write_str(evidence),
            Self::Fault(found) => found.fmt(f),
            Self::Voids { probes, voids } => f.write_str(&share_of_probes(*probes, voids)),
            Self::Stalls(count) => write!(
                f,
                "{}, one within 5 s of an outage's start or end",
                format::count(*count, "stall")
            ),
            Self::TooManyLabels(limit) => write!(
                f,
                "more than {limit} different names of releases or fallbacks: their header seems to have another value in each answer"
            ),
            Self::End(found) => found.fmt(f),
        }
    }
}

/// How deploys were answered: `accepted` for one, `1 accepted, 2 refused` for several.
fn answers_to(deploys: Deploys) -> String {
    let Deploys {
        accepted,
        refused,
        unknown,
    } = deploys;
    let kinds = [(accepted, "accepted"), (refused, "refused"), (unknown, "unknown")];
    let kinds = kinds.into_iter().filter(|(count, _)| *count > 0);
    match accepted + refused + unknown {
        0 => NONE.to_owned(),
        1 => kinds.map(|(_, kind)| kind).collect(),
        _ => format::list(kinds.map(|(count, kind)| format!("{count} {kind}"))),
    }
}

impl Display for JourneyFound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotProbed => f.write_str("not probed"),
            Self::NoAnswers => f.write_str("no conclusive probe in the judged time"),
            Self::Seen { states, blips, bad } => {
                f.write_str(&sequence(states))?;
                if *blips > 0 {
                    write!(f, "; {}", format::count(*blips, "blip"))?;
                }
                match bad {
                    Some(bad) => write!(f, "; {bad}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl Display for BadAnswers {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let counted = format::of_all(self.bad, self.answers, "answer");
        match self.share() {
            Some(share) if self.bad > 0 => write!(f, "{counted} bad ({})", format::percent(100.0 * share)),
            _ => write!(f, "{counted} bad"),
        }
    }
}

impl Display for StateSeen {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Fallback(rung) => write!(f, "fallback ({rung})"),
            Self::Down(outages) => {
                let lengths: Vec<String> = outages.iter().map(Bounds::to_string).collect();
                write!(f, "down {}", lengths.join(" and "))
            }
        }
    }
}

impl Display for AlertFound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no alert arrived"),
            Self::Refused(attempts) => {
                write!(f, "the receiver refused {}", format::count(*attempts, "attempt"))
            }
            Self::Accepted { after, text_matches } => {
                let text = if *text_matches {
                    ""
                } else {
                    ", but lacks the expected text"
                };
                write!(f, "arrived in {}{text}", format::latency(*after))
            }
        }
    }
}

impl Display for FaultFound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::InEffect { evidence, hits: None } => f.write_str(evidence),
            Self::InEffect {
                evidence,
                hits: Some(hits),
            } => write!(f, "{evidence}; {hits}"),
            Self::NeverInjected => f.write_str("never injected"),
            Self::NotInjected(why) => f.write_str(why),
            Self::Unconfirmed => f.write_str("injected, but not confirmed"),
            Self::NotReverted(why) => write!(f, "in effect, but not reverted: {why}"),
            Self::NoProbes => f.write_str("no probe was sent while it was in effect"),
            Self::NoHits => f.write_str("no request hit it"),
            Self::FileNotRead => f.write_str("the damaged file was not read"),
            Self::HitsNotCounted => {
                f.write_str("no connection was open, and refused connections are not counted")
            }
        }
    }
}

impl Display for Hits {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Traffic {
                connections,
                chunks,
                requests,
            } => {
                let parts = [
                    (*connections, "connection"),
                    (*chunks, "chunk"),
                    (*requests, "request"),
                ];
                let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
                let seen = parts.into_iter().filter(|(count, _)| *count > 0);
                let seen = seen.map(|(count, noun)| format::count(number(count), noun));
                write!(f, "hit {}", format::list(seen))
            }
            Self::FileRead => f.write_str("the damaged file was read"),
            Self::UsersRefused => f.write_str("users were refused"),
        }
    }
}

impl Display for EndFound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("complete"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Failed(error) => f.write_str(error),
            Self::CutOff(missing) if missing.is_empty() => f.write_str("the history has no end"),
            Self::CutOff(missing) => {
                let missing: Vec<String> = missing.iter().map(Missing::to_string).collect();
                f.write_str(&missing.join("; "))
            }
        }
    }
}

/// The limits of a downtime: one, or both.
fn limits(at_least: Option<Duration>, at_most: Option<Duration>) -> String {
    let least = at_least.map(|limit| format!("≥ {}", span(limit)));
    let most = at_most.map(format::at_most);
    format::list(least.into_iter().chain(most))
}

/// The share of answers that may be bad. As the scenario wrote it: rounded, 0.1 % would read 0.10 %.
fn most_bad(limit: Share) -> String {
    // To a millionth of a percent: 0.07 × 100 is 7.000000000000001.
    let percent = (limit.0 * 1e8).round() / 1e6;
    if percent > 0.0 {
        format!("≤ {percent} % bad answers")
    } else {
        "no bad answer".into()
    }
}

/// What a drill cost of its budget: by the upper bound, or by the price of an outage without one.
fn share_of_budget(cost: &Cost) -> String {
    let billed = cost.billed.unwrap_or(Bounds::ZERO);
    match (cost.share.high, cost.priced) {
        (_, Some(price)) => format!(
            "still down when the drill ended; priced at {}, {} of the budget",
            span(price),
            format::percent(cost.share.low)
        ),
        (Some(_), None) if billed == Bounds::ZERO => NONE.into(),
        (Some(high), None) => format!("{billed}, ≤ {} of the budget", format::percent(high)),
        // The lower bound alone may be more than the budget; only otherwise does the price matter.
        (None, None) if billed.low > cost.budget => format!("still down when the drill ended ({billed})"),
        (None, None) if cost.cut_off => format!("still down when observation ended ({billed})"),
        (None, None) => {
            format!("still down when the drill ended ({billed}); set `manual_recovery` to price it")
        }
    }
}

fn writes(data: &Data) -> String {
    let unknown = match data.unknown {
        0 => String::new(),
        count => format!(", {count} unknown"),
    };
    let (lost, acknowledged, intact) = (data.lost, data.acknowledged, data.intact);
    format!("{lost} lost; {acknowledged} acknowledged, {intact} intact{unknown}")
}

fn rollback(found: &RolledBack) -> String {
    let unseen = match found.seen {
        Some(_) => "",
        None => "; it never answered a user",
    };
    format!("from {} to {} in {}{unseen}", found.from, found.to, found.time)
}

fn share_of_probes(probes: usize, voids: &[(Void, usize)]) -> String {
    let void: usize = voids.iter().map(|(_, count)| count).sum();
    let share = format::of_all(void, probes, "probe");
    match void {
        0 => format!("{share} void"),
        _ => format!("{share} void: {}", format::tally(voids.iter().copied())),
    }
}

/// States with arrows between them. A long row says less than its ends and its length.
fn sequence(states: &[StateSeen]) -> String {
    let mut texts: Vec<String> = states.iter().map(StateSeen::to_string).collect();
    if texts.len() > MOST_STATES {
        let left_out = texts.len() - 2 * ENDS;
        texts.splice(
            ENDS..texts.len() - ENDS,
            [format!("({} omitted)", format::count(left_out, "change"))],
        );
    }
    texts.join(" → ")
}

fn none_or(count: usize) -> String {
    match count {
        0 => NONE.into(),
        count => count.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_row_of_states_is_shortened_to_its_ends() {
        let states = |n| sequence(&vec![StateSeen::Up; n]);
        assert_eq!(states(9).matches("up").count(), 9);
        assert_eq!(
            states(12),
            "up → up → up → up → (4 changes omitted) → up → up → up → up"
        );
    }

    #[test]
    fn one_of_a_kind_has_no_plural() {
        let hits = |connections, requests| Hits::Traffic {
            connections,
            chunks: 0,
            requests,
        };
        assert_eq!(hits(1, 0).to_string(), "hit 1 connection");
        assert_eq!(hits(2, 1).to_string(), "hit 2 connections, 1 request");
        assert_eq!(Found::Alerts(1).to_string(), "1 alert");
        let deploys = |accepted, refused, unknown| {
            Found::Deploys(Deploys {
                accepted,
                refused,
                unknown,
            })
            .to_string()
        };
        assert_eq!(deploys(0, 1, 0), "refused");
        assert_eq!(deploys(2, 0, 1), "2 accepted, 1 unknown");
    }

    #[test]
    fn a_limit_of_zero_is_none() {
        assert_eq!(limits(None, Some(Duration::ZERO)), "none");
        let (one, two) = (Duration::from_secs(1), Duration::from_secs(2));
        assert_eq!(limits(Some(one), Some(two)), "≥ 1 s, ≤ 2 s");
    }
}
