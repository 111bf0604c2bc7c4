//! What every fault promises: its life, what it may use, what it returns.
//!
//! The life of a fault is a chain of types: parameters ([`Fault`]) → [`Fault::inject`] → [`Injected`], which must be
//! used: it carries the evidence that the fault took effect. [`Fault::revert`] does not need it, so that a fault
//! whose injection was cut off can be reverted too.

use std::path::Path;

use async_trait::async_trait;

use super::dependency::receiver;
use super::error::Error;
use super::overlaps::Overlaps;
use crate::Plan;
use crate::backend::{Backend, Capability};
use firedrill_proxy::{Hits, Protocol, Proxies, Route};

/// What a fault may use while it is injected, confirmed and reverted.
pub struct Context<'a> {
    /// Where the system runs.
    pub backend: &'a dyn Backend,
    /// What is being run.
    pub plan: &'a Plan,
    /// The drill's alert receiver; `None` when no service uses `{alerts}`.
    pub alerts: Option<&'a receiver::Switch>,
    /// The proxies on the links that the drill's steps name.
    pub proxies: &'a Proxies,
    /// What all steps of the drill ask of the same things.
    pub overlaps: &'a Overlaps,
    /// The folder for logs of the run.
    pub logs: &'a Path,
    /// Which step of the scenario this is, from 0: one fault a step.
    pub step: usize,
    /// This fault's own seed, derived from the drill's.
    pub seed: u64,
}

/// A fault that is in effect.
#[must_use = "the evidence of a fault must be recorded"]
#[derive(Debug)]
pub struct Injected {
    /// What shows that it took effect, in words; `None` when nothing does (the drill is undecided then).
    pub evidence: Option<String>,
    /// What became of a deploy, when it is one.
    pub deployed: Option<Deployed>,
}

/// How the system answered a deploy. A refusal is a result like another: a gate refuses that way. A pipeline that broke is an
/// error instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// The release.
    pub release: String,
    /// Whether every action of the recipe was accepted.
    pub accepted: bool,
    /// What each action came to, in words.
    pub detail: String,
}

impl Injected {
    /// In effect, with the evidence.
    pub fn confirmed(evidence: impl Into<String>) -> Self {
        Self {
            evidence: Some(evidence.into()),
            deployed: None,
        }
    }
}

/// What a fault has hit, for one that can count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HitCount {
    /// Connections, chunks and requests; zero for a fault of a file.
    pub network: Hits,
    /// Whether a damaged file was read; `None` when the fault is none of a file.
    pub file_read: Option<bool>,
    /// Whether these are all hits. A closed port turns connections away uncounted.
    pub complete: bool,
}

impl HitCount {
    /// Of a fault of the network or of the alert receiver.
    pub(super) fn network(network: Hits, complete: bool) -> Self {
        Self {
            network,
            file_read: None,
            complete,
        }
    }

    /// Of a damaged file.
    pub(super) fn file(read: bool) -> Self {
        Self {
            network: Hits::default(),
            file_read: Some(read),
            complete: true,
        }
    }
}

/// One kind of fault, with its parameters.
#[async_trait]
pub trait Fault: Send + Sync + std::fmt::Debug {
    /// What it is going to do, for a reader: "kill app with SIGKILL".
    fn describe(&self) -> String;

    /// What it needs of a backend.
    fn needs(&self) -> Vec<Capability> {
        Vec::new()
    }

    /// The link it acts on: the drill puts a proxy there before anything starts.
    fn link(&self) -> Option<(Route, Protocol)> {
        None
    }

    /// Whether it stays in effect until it is reverted: [`Describe::LASTS`](super::Describe::LASTS) of its kind.
    fn lasts(&self) -> bool {
        true
    }

    /// Whether it takes resources from a running service, which then may not answer for that reason.
    fn starves(&self) -> bool {
        false
    }

    /// What it has hit so far; `None` for a fault that cannot count it.
    fn hits(&self, _: &Context<'_>) -> Option<HitCount> {
        None
    }

    /// Breaks something, and confirms that it is broken.
    ///
    /// # Errors
    /// [`Error::NotInEffect`] when the fault was asked for and its effect is not there.
    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error>;

    /// Ends the fault, and confirms that. Returns the evidence. Idempotent, and safe after an `inject` that was cut off
    /// anywhere.
    ///
    /// # Errors
    /// When the fault is, or may be, still in effect.
    async fn revert(&self, context: &Context<'_>) -> Result<String, Error>;
}
