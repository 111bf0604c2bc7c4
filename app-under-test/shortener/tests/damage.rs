//! Whatever byte the durable store is cut or flipped at, it never serves a wrong URL and never loses an acknowledged
//! link: while it runs, after it is started again, and after it has healed.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot do its part fails its test"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use shortener::link::{Code, Entry};
use shortener::store::{Format, Rung, Store, Stored};

/// Long enough that nothing heals in a test that does not wait for it.
const NEVER: Duration = Duration::from_secs(3600);

fn open(folder: &Path, heal_after: Duration) -> Store {
    Store::open(folder, true, Format::Original, heal_after).unwrap()
}

fn code(n: usize) -> Code {
    Code::new(&format!("code-{n}")).unwrap()
}

fn entry(n: usize) -> Entry {
    Entry::url(&format!("https://example.org/{n}?x=1")).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

/// Stores so many links, every one acknowledged.
fn fill(store: &Store, links: usize) {
    block_on(async {
        for n in 0..links {
            let stored = store
                .put(code(n), entry(n), Some(format!("key-{n}")), false)
                .await
                .unwrap();
            assert_eq!(stored, Stored::Yes(Rung::Store));
        }
    });
}

/// Every acknowledged link leads where it should.
fn all_right(store: &Store, links: usize) -> Result<(), TestCaseError> {
    for n in 0..links {
        let (found, _) = block_on(store.get(&code(n))).unwrap();
        prop_assert_eq!(found, Some(entry(n)), "link {}", n);
    }
    Ok(())
}

/// No link leads elsewhere; being told "not now" is allowed, being told "there is none" or another's is not.
fn none_wrong(store: &Store, links: usize) -> Result<(), TestCaseError> {
    for n in 0..links {
        if let Ok((Some(found), _)) = block_on(store.get(&code(n))) {
            prop_assert_eq!(found, entry(n), "link {}", n);
        }
    }
    Ok(())
}

/// What happens to a file's bytes.
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
    fn one_damaged_file_costs_a_running_service_nothing(links in 1usize..6, file in 0usize..5, damage in damage()) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), NEVER);
        fill(&store, links);
        damage.apply(&paths(folder.path())[file]);
        all_right(&store, links)?;
    }

    #[test]
    fn one_damaged_file_costs_a_service_that_starts_again_nothing(links in 1usize..6, file in 0usize..5, damage in damage()) {
        let folder = tempfile::tempdir().unwrap();
        fill(&open(folder.path(), NEVER), links);
        damage.apply(&paths(folder.path())[file]);
        all_right(&open(folder.path(), NEVER), links)?;
    }

    #[test]
    fn a_healed_store_has_every_link_and_stands_a_second_damage(
        links in 1usize..5, file in 0usize..5, first in damage(), again in 0usize..5, second in damage(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        fill(&open(folder.path(), NEVER), links);
        first.apply(&paths(folder.path())[file]);
        // One more acknowledged link makes the store write a new generation; it is healed by the time that it is asked.
        let store = open(folder.path(), Duration::ZERO);
        let stored = block_on(store.put(code(links), entry(links), None, false)).unwrap();
        prop_assert!(matches!(stored, Stored::Yes(_)));
        drop(store);
        let healed = open(folder.path(), Duration::ZERO);
        all_right(&healed, links + 1)?;
        drop(healed);
        second.apply(&paths(folder.path())[again]);
        none_wrong(&open(folder.path(), NEVER), links + 1)?;
    }

    #[test]
    fn however_much_is_damaged_no_link_leads_elsewhere(
        links in 1usize..5, damages in prop::collection::vec((0usize..5, damage()), 1..8),
    ) {
        let folder = tempfile::tempdir().unwrap();
        fill(&open(folder.path(), NEVER), links);
        for (file, damage) in &damages {
            damage.apply(&paths(folder.path())[*file]);
        }
        // A file without a sum and without a journal is what releases before v3 left: nothing tells that it was damaged.
        let [store, sum, .., journal] = paths(folder.path());
        prop_assume!(sum.exists() || journal.exists() || !store.exists());
        none_wrong(&open(folder.path(), NEVER), links)?;
    }

    #[test]
    fn a_repeat_with_the_same_key_stores_nothing_and_has_the_same_answer(links in 1usize..5, again in 0usize..5) {
        let folder = tempfile::tempdir().unwrap();
        fill(&open(folder.path(), NEVER), links);
        let (store, n) = (open(folder.path(), NEVER), again % links);
        let repeat = block_on(store.put(code(n), entry(n), Some(format!("key-{n}")), false)).unwrap();
        prop_assert_eq!(repeat, Stored::Yes(Rung::Store));
        let other = block_on(store.put(code(n), entry(99), Some("another".into()), false)).unwrap();
        prop_assert_eq!(other, Stored::Taken);
        all_right(&store, links)?;
    }
}
