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

        pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
            let mut trials = Vec::new();
            for kind in $crate::stage::KINDS {
                $({
                    let name = $crate::stage::name(module_path!(), kind, stringify!($name));
                    let missing = $crate::stage::missing(kind, $fault);
                    trials.push(acceptance::trials::trial(name, missing, move || {
                        let ($kind, $given) = (kind, $fault);
                        $body
                    }));
                })*
            }
            trials
        }
    };
}

mod dependency;
mod deploys;
mod drilled;
mod network;
mod overlapping;
mod planted;
mod process;
mod release;
mod resource;
mod stage;
mod store;
mod undecided;

use std::collections::BTreeSet;

use acceptance::trials::trial;

/// The names of all faults.
fn catalogue() -> BTreeSet<&'static str> {
    firedrill::fault::CATALOGUE
        .iter()
        .map(|entry| entry.kind.name)
        .collect()
}

async fn every_fault_of_the_catalogue_is_proved() {
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

fn main() {
    let mut trials = vec![trial(
        "every_fault_of_the_catalogue_is_proved",
        None,
        every_fault_of_the_catalogue_is_proved,
    )];
    for family in [
        dependency::trials(),
        deploys::trials(),
        network::trials(),
        overlapping::trials(),
        planted::trials(),
        process::trials(),
        process::own_trials(),
        release::trials(),
        resource::trials(),
        store::trials(),
        undecided::trials(),
    ] {
        trials.extend(family);
    }
    acceptance::trials::run(trials);
}
