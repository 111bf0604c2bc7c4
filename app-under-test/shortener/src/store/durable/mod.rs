//! The durable store: a write is in the journal before it is acknowledged, and reads never wait for a disk.
//!
//! Takes links from the routes, gives them back from memory. [`files`] describes what is on disk and why no acknowledged
//! link is lost. A read costs two `stat` calls: if the journal has grown, another release has stored links, and they are
//! read; if the generation was replaced, it is verified. A damaged generation is answered from memory, and after
//! `heal_after` written anew.
//!
//! Two releases may share a store, and one of them may hang in the middle of a write. Therefore nobody waits long for the
//! other's lock: reads need none, because the journal has every acknowledged link.

mod files;
mod journal;
mod maintenance;
mod recovery;
mod view;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Format, PutResult, Rung, StoreError};
use crate::link::{Code, LinkTarget};
use files::Files;
use journal::{JournalLine, Position};
use view::View;
use writer::PendingWrite;

/// How long a write waits for the lock. Users have little patience, and part of it may have been spent on the release that
/// holds the lock.
const LOCK_TIMEOUT: Duration = Duration::from_millis(80);
/// How long the start waits for the lock: there is more time, and no alternative.
const LOCK_TIMEOUT_AT_START: Duration = Duration::from_secs(5);
/// The largest generation that is written and verified while a user waits, in bytes: a few milliseconds.
const SMALL: u64 = 256 << 10;

/// A durable store. Clones share it.
#[derive(Debug, Clone)]
pub struct Durable {
    shared: Arc<Shared>,
    writer: mpsc::Sender<PendingWrite>,
}

/// What the routes, the writer and the maintenance thread share.
#[derive(Debug)]
struct Shared {
    files: Files,
    format: Format,
    heal_after: Duration,
    view: RwLock<View>,
    /// Whether the last write could not get the lock in time.
    lock_timed_out: AtomicBool,
    maintenance: OnceLock<std::thread::Thread>,
}

impl Durable {
    /// Opens the store and starts its threads, which end with the last clone.
    pub(super) fn open(folder: &Path, format: Format, heal_after: Duration) -> Result<Self, StoreError> {
        let files = Files::new(folder);
        let view = RwLock::new(recovery::recover(&files, format));
        let shared = Arc::new(Shared {
            files,
            format,
            heal_after,
            view,
            lock_timed_out: AtomicBool::new(false),
            maintenance: OnceLock::new(),
        });
        let store = shared.files.store();
        shared
            .adopt_if_needed()
            .map_err(StoreError::file("prepare", &store))?;
        let thread = maintenance::start(&shared).map_err(StoreError::file("maintain", folder))?;
        // Set only here, and read only by the writer, which starts below.
        drop(shared.maintenance.set(thread));
        let (writer, writes) = mpsc::channel();
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer::run(&of_thread, &writes))
            .map_err(StoreError::file("write", folder))?;
        Ok(Self { shared, writer })
    }

    /// The file of the current generation.
    pub(super) fn path(&self) -> PathBuf {
        self.shared.files.store()
    }

    /// Brings the file up to date with the journal.
    pub(super) fn close(&self) {
        maintenance::finish(&self.shared);
    }

    /// Where a code leads, and where the answer comes from.
    pub(super) fn get(&self, code: &Code) -> Result<(Option<LinkTarget>, Rung), StoreError> {
        self.shared.refresh();
        let view = self.shared.view();
        match view.links.get(code) {
            None if view.lost => Err(StoreError::NothingLeft {
                path: self.shared.files.store(),
            }),
            found => Ok((found.cloned(), view.rung)),
        }
    }

    /// Stores a link; it is on disk when this returns.
    pub(super) async fn put(
        &self,
        code: Code,
        to: LinkTarget,
        key: Option<String>,
    ) -> Result<PutResult, StoreError> {
        let (answer, answered) = oneshot::channel();
        let write = PendingWrite {
            code,
            to,
            key,
            answer,
        };
        self.writer.send(write).map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

impl Shared {
    fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_maintenance(&self) {
        if let Some(thread) = self.maintenance.get() {
            thread.unpark();
        }
    }

    /// Whether the generation is small enough to be written and verified while a user waits.
    fn is_small(&self) -> bool {
        self.files
            .identity()
            .is_none_or(|identity| identity.bytes <= SMALL)
    }

    /// Before a read: takes in what other releases stored, and notices damage.
    fn refresh(&self) {
        self.catch_up();
        let identity = self.files.identity();
        {
            let view = self.view();
            // Nothing was ever stored and no file exists: that is no damage.
            let new = identity.is_none() && view.links.len() == 0 && view.rung == Rung::Store;
            if view.seen == identity || new {
                return;
            }
        }
        if identity.is_some_and(|identity| identity.bytes > SMALL) {
            self.wake_maintenance();
        } else {
            self.verify();
        }
    }

    /// Reads what other releases appended to the journal. Needs no lock, because every line has a checksum.
    fn catch_up(&self) {
        let path = self.files.journal();
        let mut position = self.view().journal;
        if position == Position::end_of(&path) {
            return;
        }
        let lines = journal::read_from(&path, &mut position);
        let mut view = self.view_mut();
        // Meanwhile this process may have appended lines and moved further.
        if !view.journal.covers(position) {
            view.journal = position;
        }
        view.add_lines(lines);
    }

    fn verify_if_small(&self) {
        if self.is_small() {
            // The caller holds the lock, so no generation is being published.
            self.verify_locked();
        }
    }

    /// Verifies the current generation if it was replaced. While another process publishes one, its checksum may already
    /// be the next generation's: then the next call decides.
    fn verify(&self) {
        let identity = self.files.identity();
        if self.view().seen == identity {
            return;
        }
        if let Ok(Some(lock)) = self.files.try_lock() {
            let (identity, current) = (self.files.identity(), self.files.current());
            // Hashing and decoding take long; the lock is for reading the files only.
            drop(lock);
            self.judge(identity, current);
        }
    }

    fn verify_locked(&self) {
        let identity = self.files.identity();
        if self.view().seen != identity {
            self.judge(identity, self.files.current());
        }
    }

    /// Adds the links of an intact generation; notes that a damaged one is damaged. Memory is then as good as the store was.
    fn judge(&self, identity: Option<files::Identity>, current: Option<files::Generation>) {
        let links = current.and_then(|current| current.verified(self.format));
        let found = links.map(|mut links| {
            let total = links.len();
            // Usually nothing is new. Looking that up first keeps the exclusive lock below short.
            let view = self.view();
            links.retain(|link| view.links.get(&link.code).is_none());
            (total, links)
        });
        let mut view = self.view_mut();
        let new = identity.is_none() && view.links.len() == 0 && view.rung == Rung::Store;
        // Another generation was published meanwhile: this judgement is about one that is gone.
        if self.files.identity() != identity || new {
            return;
        }
        view.seen = identity;
        match found {
            Some((total, new_links)) => {
                view.in_generation = total;
                view.add_links(new_links);
                (view.rung, view.damaged, view.lost) = (Rung::Store, None, false);
            }
            None if view.rung == Rung::Store => {
                tracing::error!("the store is damaged; answering from memory");
                (view.rung, view.damaged) = (Rung::Memory, Some(Instant::now()));
            }
            None => {}
        }
    }

    /// Writes the next generation beside the current one; how many links it has.
    fn prepare_generation(&self) -> io::Result<usize> {
        let links = self.view().links.snapshot();
        let pairs = links.iter().map(|link| (link.code.as_str(), &link.to));
        self.files
            .prepare(|file| self.format.write(file, pairs.clone()))?;
        Ok(links.len())
    }

    /// Whether the current generation is intact and was not replaced since it was verified.
    fn is_intact(&self) -> bool {
        let view = self.view();
        view.rung == Rung::Store && view.seen == self.files.identity()
    }

    /// Makes the prepared generation the current one. The caller holds the lock for writing.
    fn publish_generation(&self, links: usize) -> io::Result<()> {
        // A damaged generation must not replace the previous one.
        self.files.publish(self.is_intact())?;
        let mut view = self.view_mut();
        view.seen = self.files.identity();
        view.in_generation = links;
        (view.rung, view.damaged) = (Rung::Store, None);
        Ok(())
    }

    /// Both steps with the lock for writing held. While another process prepares a generation, this one is left to the
    /// maintenance thread.
    fn write_generation_locked(&self) -> io::Result<()> {
        let Some(_prepare) = self.files.try_lock_prepare()? else {
            return Ok(());
        };
        let links = self.prepare_generation()?;
        self.publish_generation(links)
    }

    /// At the start: gives the store of an earlier release its checksum and journal, and lets a release that migrates the
    /// store write its format.
    fn adopt_if_needed(&self) -> io::Result<()> {
        let foreign = self.files.is_foreign();
        // A release that migrates does so at its start, before it serves anybody.
        let migrates = self.format == Format::Migrated && !self.files.is_new();
        if self.view().rung != Rung::Store || !(foreign || migrates) {
            return Ok(());
        }
        let _lock = self.files.lock(LOCK_TIMEOUT_AT_START)?;
        if foreign {
            let links = self.view().links.snapshot();
            let line = |link: &Arc<files::Link>| JournalLine {
                code: link.code.clone(),
                to: link.to.clone(),
                key: None,
            };
            let path = self.files.journal();
            journal::append(&path, &links.iter().map(line).collect::<Vec<_>>())?;
            self.view_mut().journal = Position::end_of(&path);
        }
        self.write_generation_locked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(n: u32) -> (Code, LinkTarget) {
        (
            Code::new(&format!("c{n}")).unwrap(),
            LinkTarget::url(&format!("http://example.org/{n}")).unwrap(),
        )
    }

    fn open(folder: &Path) -> Durable {
        Durable::open(folder, Format::Original, Duration::from_secs(3600)).unwrap()
    }

    #[tokio::test]
    async fn a_hanging_writer_blocks_neither_reads_nor_writes_of_another_release() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (open(folder.path()), open(folder.path()));
        let put = async |store: &Durable, n| {
            let (code, to) = link(n);
            let put = store.put(code, to, None);
            tokio::time::timeout(Duration::from_secs(20), put).await.unwrap()
        };
        put(&one, 0).await.unwrap();
        let hanging = Files::new(folder.path()).lock(LOCK_TIMEOUT_AT_START).unwrap();
        // Replace the file, so that the other release notices a change.
        std::fs::copy(one.path(), folder.path().join("new")).unwrap();
        std::fs::rename(folder.path().join("new"), one.path()).unwrap();
        let (code, to) = link(0);
        let read = tokio::task::spawn_blocking({
            let other = other.clone();
            move || other.get(&code)
        });
        let read = tokio::time::timeout(Duration::from_secs(20), read).await.unwrap();
        assert_eq!(
            read.unwrap().unwrap().0,
            Some(to),
            "an acknowledged link is missing"
        );
        for _ in 0..3 {
            assert!(
                put(&other, 1).await.is_err(),
                "a write was acknowledged without being stored"
            );
            let is_only_tried = other
                .shared
                .lock_timed_out
                .load(std::sync::atomic::Ordering::Relaxed);
            assert!(is_only_tried, "the next write waits for the lock too");
        }
        drop(hanging);
        // Maintenance holds the lock now and then, for a moment; a write that meets it is refused, and the user asks again.
        let stored = async {
            while put(&other, 1).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), stored)
            .await
            .unwrap();
        let (code, to) = link(1);
        assert_eq!(one.get(&code).unwrap(), (Some(to), Rung::Store));
    }

    #[tokio::test]
    async fn a_slow_disk_delays_no_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        // Opening a pipe for writing blocks until it is opened for reading.
        let slow = folder.path().join("urls.json.tmp");
        let made = std::process::Command::new("mkfifo").arg(&slow).status();
        assert!(made.unwrap().success());
        let (code, to) = link(0);
        let writing = tokio::spawn({
            let (store, code) = (store.clone(), code.clone());
            async move { store.put(code, to, None).await }
        });
        let (found, finding) = mpsc::channel();
        std::thread::spawn({
            let store = store.clone();
            move || {
                while store.get(&code).unwrap().0.is_none() {
                    std::thread::yield_now();
                }
                found.send(()).unwrap();
            }
        });
        let found = tokio::task::spawn_blocking(move || finding.recv_timeout(Duration::from_secs(20)));
        found
            .await
            .unwrap()
            .expect("the link is in the journal and should be readable");
        assert!(!writing.is_finished(), "the generation cannot be complete yet");
        std::thread::spawn(move || std::fs::read(slow));
        assert_eq!(writing.await.unwrap().unwrap(), PutResult::Stored(Rung::Journal));
    }

    #[tokio::test]
    async fn a_write_interrupted_between_any_two_steps_loses_nothing() {
        for done in 0..6 {
            let folder = tempfile::tempdir().unwrap();
            let store = open(folder.path());
            for n in 0..3 {
                let (code, to) = link(n);
                store.put(code, to, None).await.unwrap();
            }
            drop(store);
            // The fourth link is in the journal; publishing its generation is interrupted after `done` steps.
            let (files, (code, to)) = (Files::new(folder.path()), link(3));
            let mut links = files.current().unwrap().verified(Format::Original).unwrap();
            links.push(files::Link {
                code: code.clone(),
                to: to.clone(),
            });
            journal::append(&files.journal(), &[JournalLine { code, to, key: None }]).unwrap();
            let pairs = links.iter().map(|link| (link.code.as_str(), &link.to));
            files
                .prepare(|file| Format::Original.write(file, pairs.clone()))
                .unwrap();
            for step in files.publish_steps(true).iter().take(done) {
                step().unwrap();
            }
            let store = open(folder.path());
            for n in 0..4 {
                let (code, to) = link(n);
                let (found, rung) = store.get(&code).unwrap();
                assert_eq!(found, Some(to), "link {n} from {rung:?} after {done} steps");
            }
        }
    }
}
