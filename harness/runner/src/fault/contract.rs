//! What every fault promises: its life, what it may use, how it fails.
//!
//! The life of a fault is a chain of types: parameters ([`Fault`]) → [`Fault::inject`] → [`Injected`], which must be
//! used: it carries the evidence that the fault took effect. [`Fault::revert`] needs nothing of it, so that a fault
//! whose injection was cut off can be reverted too.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::alerts::receiver;
use crate::Plan;
use crate::backend::{Backend, Capability};
use firedrill_proxy::{Hits, Protocol, Proxies, Route};

/// What a fault may use while it is injected, confirmed and reverted.
pub struct Context<'a> {
    /// Where the system runs.
    pub backend: &'a dyn Backend,
    /// What is being run.
    pub plan: &'a Plan,
    /// The drill's alert receiver; `None` when the system does not speak of one.
    pub alerts: Option<&'a receiver::Switch>,
    /// The links that the drill's steps name.
    pub links: &'a Proxies,
    /// Which step of the scenario this is, from 0: one fault a step.
    pub step: usize,
    /// This fault's own folder for what is set aside to be put back (a file's original content).
    pub aside: &'a Path,
    /// This fault's own seed, derived from the drill's.
    pub seed: u64,
}

impl Context<'_> {
    /// The folder that all faults of the drill share, for what several do to the same thing.
    pub(super) fn shared(&self) -> &Path {
        self.aside.parent().unwrap_or(self.aside)
    }
}

/// A fault that is in effect.
#[must_use = "what proves a fault must be recorded"]
#[derive(Debug)]
pub struct Injected {
    /// What proves that it took effect, in words; `None` when nothing does (the drill is undecided then).
    pub evidence: Option<String>,
    /// What became of a deploy, when it is one.
    pub deployed: Option<Deployed>,
}

/// What became of a deploy. A refusal is a result like another: gates say no that way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// The release.
    pub release: String,
    /// Whether the recipe went through.
    pub accepted: bool,
    /// What answered, in words.
    pub detail: String,
}

impl Injected {
    /// In effect, with the proof.
    pub fn confirmed(evidence: impl Into<String>) -> Self {
        Self {
            evidence: Some(evidence.into()),
            deployed: None,
        }
    }
}

/// A fault's failure: what was tried and the cause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The backend could not.
    #[error(transparent)]
    Backend(#[from] crate::backend::Error),
    /// A link could not.
    #[error(transparent)]
    Link(#[from] firedrill_proxy::Error),
    /// A file operation failed.
    #[error("{operation} {}: {source}", path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It was asked for, and its effect cannot be seen.
    #[error("not in effect: {0}")]
    NotInEffect(String),
    /// It cannot be reverted by itself.
    #[error("{0} cannot be reverted")]
    NoWayBack(&'static str),
}

/// What a fault has hit, for one that can count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Struck {
    /// What was counted of a network.
    pub hits: Hits,
    /// Whether a damaged file was read; `None` when the fault is none of a file.
    pub read: Option<bool>,
    /// Whether that is all: what a closed port turns away is seen by nobody here.
    pub all_counted: bool,
}

impl Struck {
    /// What was counted of a network.
    pub(super) fn network(hits: Hits, all_counted: bool) -> Self {
        Self {
            hits,
            read: None,
            all_counted,
        }
    }

    /// A damaged file, and whether it was read.
    pub(super) fn file(read: bool) -> Self {
        Self {
            hits: Hits::default(),
            read: Some(read),
            all_counted: true,
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

    /// The link it acts on, which the drill lays before anything starts.
    fn link(&self) -> Option<(Route, Protocol)> {
        None
    }

    /// What it has hit so far; `None` for a fault that cannot count it.
    fn struck(&self, _: &Context<'_>) -> Option<Struck> {
        None
    }

    /// Breaks it, and confirms that it is broken.
    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error>;

    /// Mends it, and confirms. Returns what proves it. Idempotent, and safe after an `inject` that was cut off anywhere.
    async fn revert(&self, context: &Context<'_>) -> Result<String, Error>;
}
