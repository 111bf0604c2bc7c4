//! The catalogue of faults: what checking a file and explaining a fault need, and how each is parsed.
//!
//! The fault modules make the lines and own the type `F` of a parsed fault; the loader checks files against them and
//! parses each fault once, into the [`Plan`](super::Plan).

use serde_json::Value;

use super::FaultCall;
use crate::units::Size;

/// What is known of a fault without running it.
#[derive(Debug, Clone, Copy)]
pub struct FaultKind {
    /// The key in a step.
    pub name: &'static str,
    /// One line: what breaks.
    pub summary: &'static str,
    /// Its family in the documentation: release, store, process, network, dependency, resource.
    pub family: &'static str,
    /// An example step body, as TOML.
    pub example: &'static str,
    /// Whether `for` makes sense: something can be reverted.
    pub lasts: bool,
    /// What it needs of the system, or it could never take effect.
    pub requires: &'static [Requirement],
    /// The JSON Schema of its parameters.
    pub schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
}

/// What a fault needs of the system that it breaks, beyond that what it names is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Requirement {
    /// Its service runs when its time comes: it starts, or a release was deployed to it before.
    Running,
    /// Its service is brought back by a restart policy.
    BroughtBack,
    /// Its volume has a limited size, of no more than [`LARGEST_FILLED`].
    SizedVolume,
    /// The limit that it asks for is lower than the service's present one.
    LowerLimit,
    /// Some service has the address of the drill's alert receiver.
    Alerts,
    /// What passes its link is plain HTTP/1.1, which the proxy can read.
    ReadableLink,
}

/// The largest volume that a drill fills. A larger one was not meant to be filled.
pub const LARGEST_FILLED: Size = Size(1 << 30);

/// Reads a fault's parameters; the error says what does not fit.
pub type Parse<F> = fn(Value) -> Result<F, serde_json::Error>;

/// All faults there are, and how each is parsed into an `F`.
#[derive(Debug, Clone)]
pub struct Catalogue<F> {
    kinds: Vec<FaultKind>,
    parsers: Vec<Parse<F>>,
}

/// Why a fault cannot be parsed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// The catalogue has no fault of this name.
    #[error("no fault is called `{name}`")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The fault does not accept these parameters.
    #[error("parameters of `{fault}`: {source}")]
    Parameters {
        /// The fault's name.
        fault: String,
        /// What does not fit.
        source: serde_json::Error,
    },
}

impl<F> Catalogue<F> {
    /// A catalogue without faults, for files that have no steps.
    pub const fn empty() -> Self {
        Self {
            kinds: Vec::new(),
            parsers: Vec::new(),
        }
    }

    /// What is known of each fault, in the order of the documentation.
    pub fn kinds(&self) -> &[FaultKind] {
        &self.kinds
    }

    /// The fault that a step, or a line of the undo log, names.
    ///
    /// # Errors
    /// [`FaultError`]: no such fault, or parameters that it does not accept.
    pub fn parse(&self, call: &FaultCall) -> Result<F, FaultError> {
        let at = self.kinds.iter().position(|kind| kind.name == call.name);
        let parse = at
            .and_then(|at| self.parsers.get(at))
            .ok_or_else(|| FaultError::Unknown {
                name: call.name.clone(),
            })?;
        parse(call.params.clone()).map_err(|source| FaultError::Parameters {
            fault: call.name.clone(),
            source,
        })
    }
}

impl<F> FromIterator<(FaultKind, Parse<F>)> for Catalogue<F> {
    fn from_iter<T: IntoIterator<Item = (FaultKind, Parse<F>)>>(lines: T) -> Self {
        let (kinds, parsers) = lines.into_iter().unzip();
        Self { kinds, parsers }
    }
}
