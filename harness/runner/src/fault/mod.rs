//! What breaks: one small file a fault.
//!
//! Faces the scenario files on one side (each fault's parameters are its struct) and a [`Target`] on the other. The
//! life of a fault is a chain of types: parameters ([`Fault`]) → [`Fault::inject`] → [`Injected`], which must be used:
//! it carries what proves that the fault took effect. [`Fault::revert`] needs nothing of it, so that a fault whose
//! injection was cut off can be reverted too.
//!
//! To add one: a new file with a struct of parameters that implements [`Fault`], and one line in [`CATALOGUE`].

mod alert_receiver;
mod bandwidth;
mod blackhole;
mod crash_loop;
mod data_limit;
mod delete;
mod deploy;
mod empty;
mod file;
mod fill_disk;
mod flip_bit;
mod garbage;
mod holds;
mod http_delay;
mod http_drop_header;
mod http_garble;
mod http_status;
mod kept;
mod kill;
mod latency;
mod limit_memory;
mod limit_pids;
mod limits;
mod noticed;
mod on_link;
mod pause;
mod permissions;
mod process;
mod read_only;
pub mod receiver;
mod refuse;
mod reset;
mod restart;
mod slice;
mod slow_close;
mod starve_cpu;
mod stop;
mod tear_write;
mod truncate;
mod unreadable;
mod wrong_shape;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::backend::{Capability, Target};
use firedrill_model::scenario::{FaultKind, Plan, Requirement};
use firedrill_proxy::{Hits, Links, Route, Speaks};

/// What a fault may use while it is injected, confirmed and reverted.
pub struct Context<'a> {
    /// Where the system runs.
    pub target: &'a dyn Target,
    /// What is being run.
    pub plan: &'a Plan,
    /// The drill's alert receiver; `None` when the system does not speak of one.
    pub alerts: Option<&'a receiver::Switch>,
    /// The links that the drill's steps name.
    pub links: &'a Links,
    /// Which step of the scenario this is, from 0: one fault a step.
    pub step: usize,
    /// This fault's own folder for what is set aside to be put back (a file's original content).
    pub aside: &'a Path,
    /// This fault's own seed, derived from the drill's.
    pub seed: u64,
}

impl Context<'_> {
    /// The folder that all faults of the drill share, for what several do to the same thing.
    fn shared(&self) -> &Path {
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
    /// The target could not.
    #[error(transparent)]
    Target(#[from] crate::backend::Error),
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
    fn network(hits: Hits, all_counted: bool) -> Self {
        Self {
            hits,
            read: None,
            all_counted,
        }
    }

    /// A damaged file, and whether it was read.
    fn file(read: bool) -> Self {
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

    /// What it needs of a target.
    fn needs(&self) -> Vec<Capability> {
        Vec::new()
    }

    /// The link it acts on, which the drill lays before anything starts.
    fn link(&self) -> Option<(Route, Speaks)> {
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

/// A line of the catalogue: what the files may say, and how it becomes a [`Fault`].
pub struct Entry {
    /// What is known of it without running it.
    pub kind: FaultKind,
    /// How it is confirmed, in words.
    pub confirmed: &'static str,
    /// From parameters to the fault.
    pub parse: fn(serde_json::Value) -> Result<Box<dyn Fault>, serde_json::Error>,
}

/// What a fault's file declares besides its code.
pub trait Describe: Fault + DeserializeOwned + JsonSchema + 'static {
    /// Its key in a step.
    const NAME: &'static str;
    /// One line: what breaks.
    const SUMMARY: &'static str;
    /// What proves that it took effect and was met.
    const CONFIRMED: &'static str;
    /// Its family.
    const FAMILY: &'static str;
    /// An example step body.
    const EXAMPLE: &'static str;
    /// Whether it can be reverted with `for`.
    const LASTS: bool;
    /// What it needs of the system, or it could never take effect: found when the files are read.
    const REQUIRES: &'static [Requirement] = &[];
}

/// The catalogue's line for a fault.
const fn entry<F: Describe>() -> Entry {
    Entry {
        kind: FaultKind {
            name: F::NAME,
            summary: F::SUMMARY,
            family: F::FAMILY,
            example: F::EXAMPLE,
            lasts: F::LASTS,
            requires: F::REQUIRES,
            schema: |generator| generator.subschema_for::<F>(),
            check: |params| {
                serde_json::from_value::<F>(params.clone())
                    .map(drop)
                    .map_err(|e| e.to_string())
            },
        },
        confirmed: F::CONFIRMED,
        parse: |params| Ok(Box::new(serde_json::from_value::<F>(params)?)),
    }
}

/// Every fault there is, in the order of the documentation.
pub static CATALOGUE: &[Entry] = &[
    entry::<deploy::Deploy>(),
    entry::<kill::Kill>(),
    entry::<stop::Stop>(),
    entry::<restart::Restart>(),
    entry::<pause::Pause>(),
    entry::<crash_loop::CrashLoop>(),
    entry::<truncate::Truncate>(),
    entry::<empty::Empty>(),
    entry::<garbage::Garbage>(),
    entry::<flip_bit::FlipBit>(),
    entry::<wrong_shape::WrongShape>(),
    entry::<delete::Delete>(),
    entry::<tear_write::TearWrite>(),
    entry::<unreadable::Unreadable>(),
    entry::<read_only::ReadOnly>(),
    entry::<fill_disk::FillDisk>(),
    entry::<alert_receiver::AlertReceiver>(),
    entry::<limit_memory::LimitMemory>(),
    entry::<starve_cpu::StarveCpu>(),
    entry::<limit_pids::LimitPids>(),
    entry::<latency::Latency>(),
    entry::<bandwidth::Bandwidth>(),
    entry::<blackhole::Blackhole>(),
    entry::<reset::Reset>(),
    entry::<refuse::Refuse>(),
    entry::<slow_close::SlowClose>(),
    entry::<data_limit::DataLimit>(),
    entry::<slice::Slice>(),
    entry::<http_status::HttpStatus>(),
    entry::<http_delay::HttpDelay>(),
    entry::<http_garble::HttpGarble>(),
    entry::<http_drop_header::HttpDropHeader>(),
];

/// The fault that a step names.
///
/// # Errors
/// When there is none of that name, or its parameters do not fit; both in words.
pub fn parse(call: &firedrill_model::scenario::FaultCall) -> Result<Box<dyn Fault>, String> {
    let entry = CATALOGUE.iter().find(|entry| entry.kind.name == call.name);
    let entry = entry.ok_or_else(|| format!("there is no fault `{}`", call.name))?;
    (entry.parse)(call.params.clone()).map_err(|error| format!("{}: {error}", call.name))
}

/// What the loader needs to know of the catalogue.
pub fn kinds() -> Vec<FaultKind> {
    CATALOGUE.iter().map(|entry| entry.kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_that_could_never_work_are_refused() {
        for (name, params) in [
            ("alert-receiver", r#"{"how": "status", "status": 42}"#),
            ("alert-receiver", r#"{"how": "status", "status": 200}"#),
            ("alert-receiver", r#"{"how": "slow", "by": "0s"}"#),
            ("alert-receiver", r#"{"how": "slow", "by": "5m"}"#),
            ("crash-loop", r#"{"service": "app", "times": 8}"#),
            ("stop", r#"{"service": "app", "grace": "3h"}"#),
            ("restart", r#"{"service": "app", "grace": "3h"}"#),
            ("bandwidth", r#"{"to": "app", "per_second": "1024GiB"}"#),
        ] {
            let call = firedrill_model::scenario::FaultCall {
                name: name.into(),
                params: serde_json::from_str(params).unwrap(),
            };
            let refused = parse(&call).unwrap_err();
            assert!(refused.starts_with(name), "{refused}");
        }
    }
}
