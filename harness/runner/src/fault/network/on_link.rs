//! What every fault of the network shares: which link, its toxic injected, its toxic removed.
//!
//! A fault of the network is a [`Toxic`] and a name ([`Describe`]); everything else is here. Its parameters are the
//! toxic's own, beside those that say where.

use std::borrow::Cow;

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::fault::{Context, Error, Fault, HitCount, Injected};
use firedrill_model::format;
use firedrill_model::table::Merged;
use firedrill_proxy::{InvalidToxic, Protocol, Route, Toxic, ToxicId, USER};

/// How a toxic is confirmed.
pub(in crate::fault) const CONFIRMED: &str =
    "the toxic is on the link; the connections, chunks or requests it hit are counted";

/// A toxic on a link.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Merged<Way, T>", bound = "T: Toxic + DeserializeOwned")]
pub(in crate::fault) struct OnLink<T> {
    route: Route,
    toxic: T,
}

/// Which link, as a step says it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Way {
    /// Who connects: a service, or `user` for the system's users [default: user].
    #[serde(default = "user")]
    from: String,
    /// The service that is connected to.
    to: String,
    /// One of its further ports [default: the main one].
    #[serde(default)]
    port: Option<String>,
}

fn user() -> String {
    USER.into()
}

impl<T: Toxic> TryFrom<Merged<Way, T>> for OnLink<T> {
    type Error = InvalidToxic;

    fn try_from(Merged(way, toxic): Merged<Way, T>) -> Result<Self, InvalidToxic> {
        toxic.validate()?;
        let Way { from, to, port } = way;
        Ok(Self {
            route: Route { from, to, port },
            toxic,
        })
    }
}

/// Inline: `OnLink` is twelve faults, and a definition's name would have to tell them apart.
impl<T: JsonSchema> JsonSchema for OnLink<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Merged::<Way, T>::json_schema(generator)
    }
}

#[async_trait]
impl<T: Toxic + Clone + 'static> Fault for OnLink<T> {
    fn describe(&self) -> String {
        format!("{}: {}", self.route, self.toxic.describe())
    }

    fn link(&self) -> Option<(Route, Protocol)> {
        // Parsing HTTP changes the traffic (the proxy answers malformed requests), so only where it is needed.
        let protocol = if self.toxic.matching().is_some() {
            Protocol::Http
        } else {
            Protocol::Tcp
        };
        Some((self.route.clone(), protocol))
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        let proxy = context.proxies.get(&self.route)?;
        proxy
            // An id that the revert knows without the injection's result, which may have been cut off.
            .inject_with_id(id(context), Box::new(self.toxic.clone()))
            .await?;
        Ok(Injected::confirmed(format!(
            "link {}, {}",
            self.route,
            format::count(proxy.open_connections(), "open connection")
        )))
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        let proxy = context.proxies.get(&self.route)?;
        proxy.revert(id(context)).await?;
        Ok(format!("removed from link {}", self.route))
    }

    fn hits(&self, context: &Context<'_>) -> Option<HitCount> {
        let proxy = context.proxies.get(&self.route).ok()?;
        // The kernel refuses connections to a closed port: the proxy never sees them.
        Some(HitCount::network(proxy.hits(id(context)), !self.toxic.refuses()))
    }
}

/// A step's toxic has the step's number: it can be removed even when its injection was cut off.
fn id(context: &Context<'_>) -> ToxicId {
    ToxicId(context.step as u64)
}
