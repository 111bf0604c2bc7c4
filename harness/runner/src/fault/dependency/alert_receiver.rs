//! `alert-receiver`: the receiver of alerts fails too.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::receiver::{Behaviour, PROBE, Reaction, Switch};
use crate::fault::error::NotInEffect;
use crate::fault::overlaps::{Claim, Claims};
use crate::fault::{Context, Describe, Error, Family, Fault, HitCount, Injected};
use firedrill_model::format;
use firedrill_model::scenario::Requirement;
use firedrill_model::units::Span;
use firedrill_probe::{NoAnswer, ask};
use firedrill_proxy::Hits;

/// Makes the drill's alert receiver (`{alerts}` in a system file) misbehave: a system must neither lose alerts for good
/// nor be blocked by their receiver. Reverting makes it behave well again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct AlertReceiver {
    /// How: `down` closes connections, `slow` answers late, `status` refuses, `garbage` answers with random bytes.
    how: How,
    /// With `slow`: how late, from 1ms to 30s [default: 2s].
    #[serde(default = "late", deserialize_with = "noticeable")]
    #[schemars(with = "Span")]
    by: Span,
    /// With `status`: which, from 300 to 599 [default: 500].
    #[serde(default = "refusal", deserialize_with = "a_refusal")]
    #[schemars(range(min = 300, max = 599))]
    status: u16,
}

/// The ways to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum How {
    Down,
    Slow,
    Status,
    Garbage,
}

fn late() -> Span {
    Span::from_secs(2)
}

fn refusal() -> u16 {
    500
}

/// Confirming the fault takes as long.
fn noticeable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    let by = Span::deserialize(deserializer)?;
    if by < Span::from_millis(1) || by > Span::from_secs(30) {
        return Err(serde::de::Error::custom("`by` is between 1ms and 30s"));
    }
    Ok(by)
}

fn a_refusal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let status = u16::deserialize(deserializer)?;
    if !(300..600).contains(&status) {
        return Err(serde::de::Error::custom(
            "`status` is between 300 and 599: others accept the alert",
        ));
    }
    Ok(status)
}

impl Describe for AlertReceiver {
    const NAME: &'static str = "alert-receiver";
    const SUMMARY: &'static str =
        "make the alert receiver close connections, answer late, refuse, or answer garbage";
    const CONFIRMED: &'static str =
        "a request to the receiver shows the misbehaviour; the alerts it hit are counted";
    const FAMILY: Family = Family::Dependency;
    const EXAMPLE: &'static str = r#"at = "1s", for = "2s", alert-receiver = { how = "slow", by = "2s" }"#;
    const LASTS: bool = true;
    const REQUIRES: &'static [Requirement] = &[Requirement::Alerts];
}

impl AlertReceiver {
    fn behaviour(&self) -> Behaviour {
        match self.how {
            How::Down => Behaviour::Down,
            How::Slow => Behaviour::Slow(self.by.0),
            How::Status => Behaviour::Status(self.status),
            How::Garbage => Behaviour::Garbage,
        }
    }
}

/// A step's claim on the receiver: how it is to behave. The newest claim is in effect.
impl Claim for Behaviour {
    const KIND: &'static str = "alert-receiver";
}

/// More of an answer is not read.
const MOST: usize = 1 << 20;

/// The one receiver of a drill.
const THE_RECEIVER: &str = "receiver";

/// Makes the receiver behave as the newest claim asks.
fn apply(switch: &Switch, claims: &Claims<Behaviour>) {
    // The newest, as with damaged files: it is what one sees.
    let newest = claims.all().last();
    switch.set(newest.map(|claimed| (claimed.step, claimed.claim)));
}

fn switch<'a>(context: &Context<'a>) -> Result<&'a Switch, Error> {
    context.alerts.ok_or_else(|| NotInEffect::NoAlertReceiver.into())
}

/// Sends the receiver a request that is not counted as an alert: what it did, and after how long.
async fn look(switch: &Switch) -> Result<(Reaction, Duration), Error> {
    let since = Instant::now();
    let request = Request::post("/").header(PROBE, "1").body(Bytes::new());
    let request = request.map_err(|error| NotInEffect::ReceiverUnreachable(error.into()))?;
    let asked = ask(&switch.address().into(), request, MOST, Duration::from_secs(60)).await;
    let seen = match asked {
        Err(error @ NoAnswer::TimedOut(_)) => return Err(NotInEffect::ReceiverUnreachable(error).into()),
        Err(_) => Reaction::Closed,
        Ok(answer) => Reaction::Answered {
            status: answer.status().as_u16(),
            bytes: answer.body().len(),
        },
    };
    Ok((seen, since.elapsed()))
}

#[async_trait]
impl Fault for AlertReceiver {
    fn describe(&self) -> String {
        match self.behaviour() {
            Behaviour::Slow(_) => format!("the alert receiver answers after {}", self.by),
            Behaviour::Status(status) => format!("the alert receiver answers {status}"),
            Behaviour::Garbage => "the alert receiver answers garbage".into(),
            Behaviour::Down | Behaviour::Well => "the alert receiver closes connections".into(),
        }
    }

    fn hits(&self, context: &Context<'_>) -> Option<HitCount> {
        let hits = Hits {
            requests: context.alerts?.hits(context.step),
            ..Hits::default()
        };
        Some(HitCount::network(hits, true))
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        let switch = switch(context)?;
        // An overlapping step may already make it misbehave: the effect is a difference from this.
        let (before, _) = look(switch).await?;
        {
            let mut claims = context.overlaps.lock(THE_RECEIVER).await?;
            claims.add(context.step, self.behaviour())?;
            apply(switch, &claims);
        }
        let (seen, after) = look(switch).await?;
        // A late answer differs from the one before by its time alone.
        let late = self.how == How::Slow && after >= self.by.0;
        if !late && seen == before {
            return Err(NotInEffect::ReceiverUnchanged { seen }.into());
        }
        Ok(Injected::confirmed(format!(
            "the alert receiver {seen} after {}",
            format::latency(after)
        )))
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        let switch = switch(context)?;
        let mut claims = context.overlaps.lock(THE_RECEIVER).await?;
        claims.remove(context.step)?;
        apply(switch, &claims);
        Ok(match switch.behaviour() {
            Behaviour::Well => "the alert receiver works again".into(),
            _ => "the alert receiver is still affected by another step".into(),
        })
    }
}
