//! Every fault there is, and how a step's text becomes one.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::{Fault, dependency, network, process, release, resource, store};
use firedrill_model::scenario::{Catalogue, FaultKind, Parse, Requirement};

/// What a kind of fault breaks: a folder of faults, and a chapter of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Family {
    /// A release.
    Release,
    /// The process of a service.
    Process,
    /// What a service has stored.
    Store,
    /// Something that a system depends on.
    Dependency,
    /// Memory, processors, processes.
    Resource,
    /// The network.
    Network,
}

impl Family {
    /// Its name in the documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Process => "process",
            Self::Store => "store",
            Self::Dependency => "dependency",
            Self::Resource => "resource",
            Self::Network => "network",
        }
    }
}

/// A line of the catalogue: what the files may say, and how it becomes a [`Fault`].
#[non_exhaustive]
pub struct Entry {
    /// What is known of it without running it.
    pub kind: FaultKind,
    /// How it is confirmed, in words.
    pub confirmed: &'static str,
    /// From parameters to the fault.
    pub parse: Parse<Arc<dyn Fault>>,
}

/// What a fault's file declares besides its code.
pub trait Describe: Fault + DeserializeOwned + JsonSchema + 'static {
    /// Its key in a step.
    const NAME: &'static str;
    /// One line: what breaks.
    const SUMMARY: &'static str;
    /// What proves that it took effect while users were there.
    const CONFIRMED: &'static str;
    /// Its family.
    const FAMILY: Family;
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
            family: F::FAMILY.name(),
            example: F::EXAMPLE,
            lasts: F::LASTS,
            requires: F::REQUIRES,
            schema: |generator| generator.subschema_for::<F>(),
        },
        confirmed: F::CONFIRMED,
        parse: |params| Ok(Arc::new(serde_json::from_value::<F>(params)?)),
    }
}

/// Every fault there is, in the order of the documentation.
pub static CATALOGUE: &[Entry] = &[
    entry::<release::deploy::Deploy>(),
    entry::<process::kill::Kill>(),
    entry::<process::stop::Stop>(),
    entry::<process::restart::Restart>(),
    entry::<process::pause::Pause>(),
    entry::<process::crash_loop::CrashLoop>(),
    entry::<store::truncate::Truncate>(),
    entry::<store::empty::Empty>(),
    entry::<store::garbage::Garbage>(),
    entry::<store::flip_bit::FlipBit>(),
    entry::<store::wrong_shape::WrongShape>(),
    entry::<store::delete::Delete>(),
    entry::<store::tear_write::TearWrite>(),
    entry::<store::unreadable::Unreadable>(),
    entry::<store::read_only::ReadOnly>(),
    entry::<store::fill_disk::FillDisk>(),
    entry::<dependency::alert_receiver::AlertReceiver>(),
    entry::<resource::limit_memory::LimitMemory>(),
    entry::<resource::starve_cpu::StarveCpu>(),
    entry::<resource::limit_pids::LimitPids>(),
    entry::<network::Latency>(),
    entry::<network::Bandwidth>(),
    entry::<network::Blackhole>(),
    entry::<network::Reset>(),
    entry::<network::Refuse>(),
    entry::<network::SlowClose>(),
    entry::<network::DataLimit>(),
    entry::<network::Slice>(),
    entry::<network::HttpStatus>(),
    entry::<network::HttpDelay>(),
    entry::<network::HttpGarble>(),
    entry::<network::HttpDropHeader>(),
];

/// The catalogue as the loader takes it: it checks files against it, and parses each fault once.
pub fn catalogue() -> Catalogue<Arc<dyn Fault>> {
    CATALOGUE.iter().map(|entry| (entry.kind, entry.parse)).collect()
}

#[cfg(test)]
mod tests {
    use firedrill_model::scenario::FaultError;

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
            let refused = catalogue().parse(&call).unwrap_err();
            assert!(matches!(refused, FaultError::Parameters { .. }), "{refused}");
        }
    }

    #[test]
    fn a_fault_says_of_itself_what_its_kind_says_of_it() {
        let examples = [
            ("deploy", r#"{"service": "app", "release": "v2"}"#),
            ("restart", r#"{"service": "app"}"#),
            ("crash-loop", r#"{"service": "app"}"#),
            ("kill", r#"{"service": "app"}"#),
            (
                "delete-file",
                r#"{"service": "app", "volume": "store", "file": "urls.json"}"#,
            ),
            ("latency", r#"{"to": "app", "delay": "50ms"}"#),
        ];
        for (name, params) in examples {
            let entry = CATALOGUE.iter().find(|entry| entry.kind.name == name).unwrap();
            let fault = (entry.parse)(serde_json::from_str(params).unwrap()).unwrap();
            assert_eq!(fault.lasts(), entry.kind.lasts, "{name}");
        }
        let mut short = CATALOGUE.iter().filter(|entry| !entry.kind.lasts);
        let is_checked = |entry: &Entry| examples.iter().any(|(name, _)| *name == entry.kind.name);
        assert!(
            short.all(is_checked),
            "a fault that does not last has no example here"
        );
    }
}
