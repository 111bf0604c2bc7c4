//! A store with many links: a write must not rewrite it, and it must survive the same failures as a small one.

#![expect(clippy::unwrap_used, reason = "test helpers outside of test functions")]

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use shortener::link::{Code, LinkTarget};
use shortener::store::{Format, PutResult, Rung, Store};

/// Enough that the store is not small.
const LINKS: usize = 20_000;

fn code(n: usize) -> Code {
    Code::new(&format!("code-{n}")).unwrap()
}

fn target(n: usize) -> LinkTarget {
    LinkTarget::url(&format!("https://example.org/{n}")).unwrap()
}

/// A store as an earlier release left it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let links: serde_json::Map<_, _> = (0..LINKS)
        .map(|n| (code(n).as_str().to_owned(), serde_json::json!(target(n))))
        .collect();
    fs::write(
        folder.path().join("urls.json"),
        serde_json::json!(links).to_string(),
    )
    .unwrap();
    folder
}

fn open(folder: &Path, heal_after: Duration) -> Store {
    Store::open(folder, true, Format::Original, heal_after).unwrap()
}

/// Polls for at most 30 s.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "timed out waiting for {what}"
        );
        tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_millis(5)).await;
    }
}

fn links_in_file(folder: &Path) -> usize {
    let content = fs::read(folder.join("urls.json")).unwrap();
    Format::Original.decode(&content).map_or(0, |links| links.len())
}

#[tokio::test]
async fn a_write_does_not_rewrite_the_file_and_the_file_follows() {
    let folder = folder();
    let store = open(folder.path(), Duration::from_secs(3600));
    let mut inodes = HashSet::new();
    for n in LINKS..LINKS + 100 {
        let stored = store.put(code(n), target(n), None, false).await.unwrap();
        assert_eq!(stored, PutResult::Stored(Rung::Store));
        inodes.insert(fs::metadata(folder.path().join("urls.json")).unwrap().ino());
    }
    assert!(inodes.len() < 20, "the file was written {} times", inodes.len());
    until("the compaction", || links_in_file(folder.path()) == LINKS + 100).await;
}

#[tokio::test]
async fn links_that_only_the_journal_has_survive_a_restart_and_closing_completes_the_file() {
    let folder = folder();
    let store = open(folder.path(), Duration::from_secs(3600));
    for n in LINKS..LINKS + 10 {
        store.put(code(n), target(n), None, false).await.unwrap();
    }
    drop(store);
    let store = open(folder.path(), Duration::from_secs(3600));
    for n in 0..LINKS + 10 {
        assert_eq!(store.get(&code(n)).await.unwrap().0, Some(target(n)));
    }
    store
        .put(code(LINKS + 10), target(LINKS + 10), None, false)
        .await
        .unwrap();
    store.close();
    assert_eq!(links_in_file(folder.path()), LINKS + 11);
}

#[tokio::test]
async fn another_release_reads_new_links_from_the_journal() {
    let folder = folder();
    let (one, other) = (
        open(folder.path(), Duration::from_secs(3600)),
        open(folder.path(), Duration::from_secs(3600)),
    );
    for n in LINKS..LINKS + 20 {
        let (write, read) = if n % 2 == 0 {
            (&one, &other)
        } else {
            (&other, &one)
        };
        write.put(code(n), target(n), None, false).await.unwrap();
        assert_eq!(read.get(&code(n)).await.unwrap(), (Some(target(n)), Rung::Store));
    }
}

#[tokio::test]
async fn a_damaged_store_is_answered_from_memory_and_healed() {
    let folder = folder();
    let store = open(folder.path(), Duration::from_millis(200));
    let path = folder.path().join("urls.json");
    let content = fs::read(&path).unwrap();
    fs::write(&path, &content[..content.len() - 1000]).unwrap();
    for n in (0..LINKS).step_by(1000) {
        assert_eq!(store.get(&code(n)).await.unwrap().0, Some(target(n)));
    }
    let stored = store.put(code(LINKS), target(LINKS), None, false).await.unwrap();
    assert!(matches!(stored, PutResult::Stored(_)));
    until("the healing", || links_in_file(folder.path()) == LINKS + 1).await;
}
