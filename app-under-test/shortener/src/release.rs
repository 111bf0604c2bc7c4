//! The releases. A new release is one entry of [`RELEASES`]; a new kind of failure is one more [`Flaw`].

use std::time::Duration;

/// The kind of store that a release uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// As in the incident: one file, rewritten in place without a lock.
    Naive,
    /// A journal, verified generations, and fallbacks.
    Durable,
}

/// What is wrong with a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Writes give the parser the store's path instead of its text: the incident.
    WrongLoader,
    /// The same, from some time after the start.
    WrongLoaderLater,
    /// It exits at its start.
    CrashOnStart,
    /// It never becomes ready.
    NeverReady,
    /// Every answer takes 400 ms longer.
    Slow,
    /// Every request leaks 2 MiB.
    Leaky,
    /// Redirects lead to the wrong place.
    WrongRedirect,
    /// The first write succeeds, later ones fail.
    BadAfterFirstWrite,
    /// Writes succeed until some time after the start, then fail.
    BadLater,
    /// At its start it rewrites the store in a format that earlier releases cannot read.
    MigratesStore,
}

/// A release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// Its name, sent as `x-release`.
    pub name: &'static str,
    /// Its kind of store.
    pub store: StoreKind,
    /// What is wrong with it, if anything.
    pub flaw: Option<Flaw>,
    /// What it shows, for the list of releases.
    pub purpose: &'static str,
}

const fn release(name: &'static str, store: StoreKind, flaw: Option<Flaw>, purpose: &'static str) -> Release {
    Release {
        name,
        store,
        flaw,
        purpose,
    }
}

/// All releases.
pub const RELEASES: &[Release] = &[
    release(
        "v1",
        StoreKind::Naive,
        None,
        "the original: fails after concurrent requests or an interrupted write",
    ),
    release(
        "v2",
        StoreKind::Naive,
        Some(Flaw::WrongLoader),
        "the incident: every POST fails once a store exists",
    ),
    release(
        "v3",
        StoreKind::Durable,
        None,
        "hardened: durable writes, fallbacks, signed links",
    ),
    release(
        "v3.1",
        StoreKind::Durable,
        None,
        "a good successor of v3, for drills of good deploys",
    ),
    release(
        "v3-wrong-loader",
        StoreKind::Durable,
        Some(Flaw::WrongLoader),
        "v2's mistake on v3: the fallbacks hide it from users",
    ),
    release(
        "v2-bad-later",
        StoreKind::Naive,
        Some(Flaw::WrongLoaderLater),
        "v2's mistake, from some time after the start",
    ),
    release(
        "crash-on-start",
        StoreKind::Durable,
        Some(Flaw::CrashOnStart),
        "exits at its start",
    ),
    release(
        "never-ready",
        StoreKind::Durable,
        Some(Flaw::NeverReady),
        "never becomes ready",
    ),
    release(
        "slow",
        StoreKind::Durable,
        Some(Flaw::Slow),
        "correct answers, each 400 ms late",
    ),
    release(
        "leaky",
        StoreKind::Durable,
        Some(Flaw::Leaky),
        "leaks 2 MiB per request until the kernel kills it",
    ),
    release(
        "wrong-redirect",
        StoreKind::Durable,
        Some(Flaw::WrongRedirect),
        "redirects to the wrong address",
    ),
    release(
        "bad-after-first-write",
        StoreKind::Durable,
        Some(Flaw::BadAfterFirstWrite),
        "passes a check that writes only once",
    ),
    release(
        "bad-later",
        StoreKind::Durable,
        Some(Flaw::BadLater),
        "passes every check that is too short",
    ),
    release(
        "migrates-store",
        StoreKind::Durable,
        Some(Flaw::MigratesStore),
        "writes a store that earlier releases cannot read",
    ),
    release(
        "migrates-store-v1",
        StoreKind::Naive,
        Some(Flaw::MigratesStore),
        "the same on v1: a rollback does not help",
    ),
];

impl Release {
    /// The release of that name.
    pub fn named(name: &str) -> Option<Self> {
        RELEASES.iter().find(|release| release.name == name).copied()
    }

    /// Whether writes use the wrong loader, `running` after the start.
    pub fn wrong_loader(self, running: Duration, bad_after: Duration) -> bool {
        match self.flaw {
            Some(Flaw::WrongLoader) => true,
            Some(Flaw::WrongLoaderLater) => running >= bad_after,
            _ => false,
        }
    }
}
