//! `alert-receiver`: who should be told of an outage is broken too.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::receiver::{Behaviour, PROBE, Switch};
use crate::fault::{Context, Describe, Error, Fault, Injected, Struck};
use firedrill_model::scenario::Requirement;
use firedrill_model::units::Span;
use firedrill_proxy::Hits;

/// Makes the drill's alert receiver (`{alerts}` in a system file) misbehave: a system must neither lose alerts for good
/// nor be held up by whoever takes them. Reverting makes it behave again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct AlertReceiver {
    /// How: `down` hangs up, `slow` answers late, `status` refuses, `garbage` answers bytes that mean nothing.
    how: How,
    /// With `slow`: how late (2s), from 1ms to 30s.
    #[serde(default = "late", deserialize_with = "felt")]
    #[schemars(with = "Span")]
    by: Span,
    /// With `status`: which (500), from 300 to 599.
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

/// Asking the receiver, to confirm it, takes as long.
fn felt<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    let by = Span::deserialize(deserializer)?;
    if by < Span::from_millis(1) || by > Span::from_secs(30) {
        return Err(serde::de::Error::custom("`by` goes from 1ms to 30s"));
    }
    Ok(by)
}

fn a_refusal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let status = u16::deserialize(deserializer)?;
    if !(300..600).contains(&status) {
        return Err(serde::de::Error::custom(
            "`status` goes from 300 to 599: anything else takes the alert",
        ));
    }
    Ok(status)
}

impl Describe for AlertReceiver {
    const NAME: &'static str = "alert-receiver";
    const SUMMARY: &'static str = "make the alert receiver hang up, answer late, refuse, or answer garbage";
    const CONFIRMED: &'static str = "the receiver was asked and misbehaves; alerts that met it are counted";
    const FAMILY: &'static str = "dependency";
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

fn switch<'a>(context: &Context<'a>) -> Result<&'a Switch, Error> {
    let nobody = || Error::NotInEffect("no service of this system is told {alerts}: nobody sends any".into());
    context.alerts.ok_or_else(nobody)
}

/// Asks the receiver, marked as a mere look: what it answered, and after how long.
async fn look(switch: &Switch) -> Result<(String, Duration), Error> {
    let since = Instant::now();
    let failed = |error: reqwest::Error| Error::NotInEffect(format!("asking the alert receiver: {error}"));
    let client = reqwest::Client::builder().no_proxy().build().map_err(failed)?;
    let url = format!("http://{}/", switch.address());
    let asked = client
        .post(url)
        .header(PROBE, "1")
        .timeout(Duration::from_secs(60))
        .send()
        .await;
    let seen = match asked {
        Err(error) if error.is_timeout() => return Err(failed(error)),
        Err(_) => "it hung up".to_owned(),
        Ok(answer) => {
            let status = answer.status().as_u16();
            let body = answer.bytes().await.map_err(failed)?;
            format!("it answered {status} with {} bytes", body.len())
        }
    };
    Ok((seen, since.elapsed()))
}

#[async_trait]
impl Fault for AlertReceiver {
    fn describe(&self) -> String {
        match self.behaviour() {
            Behaviour::Slow(_) => format!("the alert receiver answers {} late", self.by),
            Behaviour::Status(status) => format!("the alert receiver answers {status}"),
            Behaviour::Garbage => "the alert receiver answers garbage".into(),
            Behaviour::Down | Behaviour::Well => "the alert receiver hangs up".into(),
        }
    }

    fn struck(&self, context: &Context<'_>) -> Option<Struck> {
        let requests = context.alerts?.met(context.step);
        let hits = Hits {
            requests,
            ..Hits::default()
        };
        Some(Struck::network(hits, true))
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        let switch = switch(context)?;
        let (before, _) = look(switch).await?;
        switch.set(context.step, self.behaviour());
        let (seen, after) = look(switch).await?;
        let late = self.how == How::Slow && after >= self.by.0;
        if !late && seen == before {
            return Err(Error::NotInEffect(format!("{seen}, as before")));
        }
        Ok(Injected::confirmed(format!(
            "{seen} after {} ms",
            after.as_millis()
        )))
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        let switch = switch(context)?;
        switch.lift(context.step);
        Ok(match switch.get() {
            Behaviour::Well => "the alert receiver behaves again".into(),
            _ => "the alert receiver misbehaves as another step asks".into(),
        })
    }
}
