//! Every fault proves itself: on each backend it disrupts, and its revert restores; and where it cannot take effect or
//! nothing meets it, its drill is undecided. The same bodies run on local processes and in containers; where no engine
//! answers the container half is passed over and says so, but never in CI.
//!
//! A module a family. [`proves!`] binds each test to the fault that it proves, so that the list of those that are proved
//! cannot be longer than the tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

/// Tests of faults, for each backend from one body, and the faults that they prove.
macro_rules! proves {
    ($($fault:literal $name:ident: |$kind:ident, $given:ident| $body:expr;)*) => {
        pub(crate) const PROVED: &[&str] = &[$($fault),*];

        mod process {
            use super::*;
            $(#[tokio::test] async fn $name() {
                let ($kind, $given) = ($crate::stage::Kind::Process, $fault);
                $body.await
            })*
        }

        mod docker {
            use super::*;
            $(#[tokio::test] async fn $name() {
                let ($kind, $given) = ($crate::stage::Kind::Docker, $fault);
                $body.await
            })*
        }
    };
}

mod dependency;
mod drilled;
mod network;
mod overlapping;
mod process;
mod release;
mod resource;
mod stage;
mod store;
mod undecided;

use std::collections::BTreeSet;

/// The names of all faults.
fn catalogue() -> BTreeSet<&'static str> {
    firedrill::fault::CATALOGUE
        .iter()
        .map(|entry| entry.kind.name)
        .collect()
}

#[test]
fn every_fault_of_the_catalogue_is_proved() {
    let families = [
        dependency::PROVED,
        network::PROVED,
        process::PROVED,
        release::PROVED,
        resource::PROVED,
        store::PROVED,
    ];
    let proved: BTreeSet<&str> = families.into_iter().flatten().copied().collect();
    assert_eq!(proved, catalogue());
}
