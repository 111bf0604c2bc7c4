//! What every fault of the network shares: which link, putting a toxic on it, taking it off again.
//!
//! A fault of the network is a [`Toxic`] and a name ([`Describe`]); everything else is here. Its parameters are the
//! toxic's own, beside those that say where.

use std::borrow::Cow;

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::{Context, Error, Fault, Injected, Struck};
use firedrill_proxy::{Route, Speaks, Toxic, ToxicId, USER};

/// How a toxic is confirmed.
pub(super) const CONFIRMED: &str =
    "it is on the link; the connections, chunks or requests that it hit are counted";

/// A toxic on a link.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written<T>", bound = "T: Toxic + Deserialize<'de>")]
pub(super) struct OnLink<T> {
    route: Route,
    toxic: T,
}

/// The same as a file has it.
#[derive(Deserialize, JsonSchema)]
struct Written<T> {
    /// Who connects: a service, or `user` for the system's users (user).
    #[serde(default = "user")]
    from: String,
    /// The service that is connected to.
    to: String,
    /// One of its further ports (the main one).
    #[serde(default)]
    port: Option<String>,
    #[serde(flatten)]
    toxic: T,
}

fn user() -> String {
    USER.into()
}

impl<T: Toxic> TryFrom<Written<T>> for OnLink<T> {
    type Error = String;

    fn try_from(written: Written<T>) -> Result<Self, String> {
        if let Some(flaw) = written.toxic.flaw() {
            return Err(flaw);
        }
        let Written {
            from,
            to,
            port,
            toxic,
        } = written;
        Ok(Self {
            route: Route { from, to, port },
            toxic,
        })
    }
}

impl<T: JsonSchema> JsonSchema for OnLink<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Written::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::<T>::json_schema(generator)
    }
}

#[async_trait]
impl<T: Toxic + Clone + 'static> Fault for OnLink<T> {
    fn describe(&self) -> String {
        format!("{}: {}", self.route, self.toxic.describe())
    }

    fn link(&self) -> Option<(Route, Speaks)> {
        let speaks = if self.toxic.needs_http() {
            Speaks::Http
        } else {
            Speaks::Bytes
        };
        Some((self.route.clone(), speaks))
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        let link = context.links.get(&self.route)?;
        link.inject(id(context), Box::new(self.toxic.clone())).await?;
        Ok(Injected::confirmed(format!(
            "on the link {}, {} connections open",
            self.route,
            link.connections()
        )))
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        let link = context.links.get(&self.route)?;
        link.revert(id(context)).await?;
        Ok(format!("off the link {}", self.route))
    }

    fn struck(&self, context: &Context<'_>) -> Option<Struck> {
        let link = context.links.get(&self.route).ok()?;
        Some(Struck::network(link.hits(id(context)), !self.toxic.refuses()))
    }
}

/// A step's toxic has the step's number: it can be taken off even when putting it on was cut off.
fn id(context: &Context<'_>) -> ToxicId {
    ToxicId(context.step as u64)
}
