//! A durable store with damaged files never serves a wrong URL and never loses an acknowledged link: while it runs, after
//! a restart, and after it was healed.

#![expect(clippy::unwrap_used, reason = "test helpers outside of test functions")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use shortener::link::{Code, LinkTarget};
use shortener::store::{Format, PutResult, Rung, Store};

/// No test lasts so long that a store is healed.
const NEVER: Duration = Duration::from_secs(3600);

fn open(folder: &Path, heal_after: Duration) -> Store {
    Store::open(folder, true, Format::Original, heal_after).unwrap()
}

fn code(n: usize) -> Code {
    Code::new(&format!("code-{n}")).unwrap()
}

fn target(n: usize) -> LinkTarget {
    LinkTarget::url(&format!("https://example.org/{n}?x=1")).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

/// Stores links; each one must be acknowledged.
fn store_links(store: &Store, links: usize) {
    block_on(async {
        for n in 0..links {
            let stored = store
                .put(code(n), target(n), Some(format!("key-{n}")), false)
                .await
                .unwrap();
            assert_eq!(stored, PutResult::Stored(Rung::Store));
        }
    });
}

/// Every link leads to its URL.
fn all_intact(store: &Store, links: usize) -> Result<(), TestCaseError> {
    for n in 0..links {
        let (found, _) = block_on(store.get(&code(n))).unwrap();
        prop_assert_eq!(found, Some(target(n)), "link {}", n);
    }
    Ok(())
}

/// No link leads to another URL. An error or "not found" is allowed.
fn none_wrong(store: &Store, links: usize) -> Result<(), TestCaseError> {
    for n in 0..links {
        if let Ok((Some(found), _)) = block_on(store.get(&code(n))) {
            prop_assert_eq!(found, target(n), "link {}", n);
        }
    }
    Ok(())
}

/// Damage to a file.
#[derive(Debug, Clone)]
enum Damage {
    Cut(usize),
    Flip(usize, u8),
    Gone,
    Garbage(Vec<u8>),
}

impl Damage {
    fn apply(&self, path: &Path) {
        let Ok(mut bytes) = std::fs::read(path) else {
            return;
        };
        match self {
            Self::Cut(at) => bytes.truncate(at % (bytes.len() + 1)),
            Self::Flip(at, bit) if !bytes.is_empty() => {
                let at = at % bytes.len();
                bytes[at] ^= 1 << (bit % 8);
            }
            Self::Flip(..) => {}
            Self::Gone => return std::fs::remove_file(path).unwrap(),
            Self::Garbage(garbage) => bytes.clone_from(garbage),
        }
        std::fs::write(path, bytes).unwrap();
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => any::<usize>().prop_map(Damage::Cut),
        4 => (any::<usize>(), any::<u8>()).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        1 => Just(Damage::Gone),
        1 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Damage::Garbage),
    ]
}

const FILES: [&str; 5] = [
    "urls.json",
    "urls.json.sum",
    "urls.json.prev",
    "urls.json.prev.sum",
    "urls.journal",
];

fn paths(folder: &Path) -> [PathBuf; 5] {
    FILES.map(|name| folder.join(name))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_running_service_loses_no_link_when_one_file_is_damaged(links in 1usize..6, file in 0usize..5, damage in damage()) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), NEVER);
        store_links(&store, links);
        damage.apply(&paths(folder.path())[file]);
        all_intact(&store, links)?;
    }

    #[test]
    fn a_restarted_service_loses_no_link_when_one_file_is_damaged(links in 1usize..6, file in 0usize..5, damage in damage()) {
        let folder = tempfile::tempdir().unwrap();
        store_links(&open(folder.path(), NEVER), links);
        damage.apply(&paths(folder.path())[file]);
        all_intact(&open(folder.path(), NEVER), links)?;
    }

    #[test]
    fn a_healed_store_has_every_link_and_survives_a_second_damage(
        links in 1usize..5, file in 0usize..5, first in damage(), again in 0usize..5, second in damage(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        store_links(&open(folder.path(), NEVER), links);
        first.apply(&paths(folder.path())[file]);
        // Another acknowledged link makes the store write a new generation.
        let store = open(folder.path(), Duration::ZERO);
        let stored = block_on(store.put(code(links), target(links), None, false)).unwrap();
        prop_assert!(matches!(stored, PutResult::Stored(_)));
        drop(store);
        let healed = open(folder.path(), Duration::ZERO);
        all_intact(&healed, links + 1)?;
        drop(healed);
        second.apply(&paths(folder.path())[again]);
        none_wrong(&open(folder.path(), NEVER), links + 1)?;
    }

    #[test]
    fn no_link_leads_elsewhere_however_many_files_are_damaged(
        links in 1usize..5, damages in prop::collection::vec((0usize..5, damage()), 1..8),
    ) {
        let folder = tempfile::tempdir().unwrap();
        store_links(&open(folder.path(), NEVER), links);
        for (file, damage) in &damages {
            damage.apply(&paths(folder.path())[*file]);
        }
        // A file without checksum and journal looks like the store of an earlier release: its damage cannot be detected.
        let [store, sum, .., journal] = paths(folder.path());
        prop_assume!(sum.exists() || journal.exists() || !store.exists());
        none_wrong(&open(folder.path(), NEVER), links)?;
    }

    #[test]
    fn a_repeated_request_stores_nothing_and_gets_the_same_answer(links in 1usize..5, again in 0usize..5) {
        let folder = tempfile::tempdir().unwrap();
        store_links(&open(folder.path(), NEVER), links);
        let (store, n) = (open(folder.path(), NEVER), again % links);
        let repeat = block_on(store.put(code(n), target(n), Some(format!("key-{n}")), false)).unwrap();
        prop_assert_eq!(repeat, PutResult::Stored(Rung::Store));
        let other = block_on(store.put(code(n), target(99), Some("another".into()), false)).unwrap();
        prop_assert_eq!(other, PutResult::Taken);
        all_intact(&store, links)?;
    }
}
