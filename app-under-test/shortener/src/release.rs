//! Every release, and what it is for. A new release is one line here, and a new way to fail one more [`Flaw`].

use std::time::Duration;

/// How a release keeps its links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// As in the incident: the whole file at every request, rewritten in place, no lock.
    Naive,
    /// Journal, verified generations, a ladder of fallbacks.
    Durable,
}

/// What is wrong with a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The write path hands the parser the store's path instead of its text: the incident.
    WrongLoader,
    /// The same, only some time after the start.
    WrongLoaderLater,
    /// It ends right after its start.
    CrashOnStart,
    /// It starts and never says that it is ready.
    NeverReady,
    /// Every answer takes 400 ms longer.
    Slow,
    /// Every request keeps two mebibytes.
    Leaky,
    /// Redirects lead to the wrong place.
    WrongRedirect,
    /// The first write works, later ones do not.
    BadAfterFirstWrite,
    /// Writes work for some time after the start, and no longer.
    BadLater,
    /// At its start it rewrites the store in a shape that earlier releases cannot read.
    MigratesStore,
}

/// A release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// Its name: `x-release` on every answer.
    pub name: &'static str,
    /// How it keeps its links.
    pub keeping: Keeping,
    /// What is wrong with it.
    pub flaw: Option<Flaw>,
    /// What it is kept for.
    pub purpose: &'static str,
}

const fn release(name: &'static str, keeping: Keeping, flaw: Option<Flaw>, purpose: &'static str) -> Release {
    Release {
        name,
        keeping,
        flaw,
        purpose,
    }
}

/// Every release there is.
pub const RELEASES: &[Release] = &[
    release(
        "v1",
        Keeping::Naive,
        None,
        "the original: works until two requests meet, or a write is cut off",
    ),
    release(
        "v2",
        Keeping::Naive,
        Some(Flaw::WrongLoader),
        "the incident: every POST fails as soon as there is a store",
    ),
    release(
        "v3",
        Keeping::Durable,
        None,
        "hardened: durable writes, a ladder of fallbacks, signed links",
    ),
    release(
        "v3.1",
        Keeping::Durable,
        None,
        "a good successor of v3, to rehearse good deploys",
    ),
    release(
        "v3-wrong-loader",
        Keeping::Durable,
        Some(Flaw::WrongLoader),
        "v2's mistake on v3: the ladder carries it",
    ),
    release(
        "v2-bad-later",
        Keeping::Naive,
        Some(Flaw::WrongLoaderLater),
        "v2's mistake, only some time after the start",
    ),
    release(
        "crash-on-start",
        Keeping::Durable,
        Some(Flaw::CrashOnStart),
        "ends right after its start",
    ),
    release(
        "never-ready",
        Keeping::Durable,
        Some(Flaw::NeverReady),
        "starts and never becomes ready",
    ),
    release(
        "slow",
        Keeping::Durable,
        Some(Flaw::Slow),
        "right answers, 400 ms too late",
    ),
    release(
        "leaky",
        Keeping::Durable,
        Some(Flaw::Leaky),
        "keeps two mebibytes a request until the kernel kills it",
    ),
    release(
        "wrong-redirect",
        Keeping::Durable,
        Some(Flaw::WrongRedirect),
        "redirects to the wrong place: up, and wrong",
    ),
    release(
        "bad-after-first-write",
        Keeping::Durable,
        Some(Flaw::BadAfterFirstWrite),
        "passes a check that writes once",
    ),
    release(
        "bad-later",
        Keeping::Durable,
        Some(Flaw::BadLater),
        "passes every check that does not wait long enough",
    ),
    release(
        "migrates-store",
        Keeping::Durable,
        Some(Flaw::MigratesStore),
        "leaves a store that earlier releases cannot read",
    ),
    release(
        "migrates-store-v1",
        Keeping::Naive,
        Some(Flaw::MigratesStore),
        "the same on v1: a rollback does not save you",
    ),
];

impl Release {
    /// The release of that name.
    pub fn named(name: &str) -> Option<Self> {
        RELEASES.iter().find(|release| release.name == name).copied()
    }

    /// Whether the write path uses the wrong loader, so long after the start.
    pub fn wrong_loader(self, running: Duration, bad_after: Duration) -> bool {
        match self.flaw {
            Some(Flaw::WrongLoader) => true,
            Some(Flaw::WrongLoaderLater) => running >= bad_after,
            _ => false,
        }
    }
}
