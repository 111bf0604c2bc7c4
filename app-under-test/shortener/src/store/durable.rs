//! The store as it should be: see [`super::files`] for what lies on the disk and why nothing acknowledged is lost.
//!
//! Reads are answered from memory while the file is the generation that memory was read from (one `stat` a request).
//! When it is another one it is read and verified; when it is damaged the ladder is climbed down, and after
//! `heal_after` the store is written anew. Writes go through one thread, which takes all that wait at once; nobody who reads
//! waits for it, or for its disk.
//!
//! Two releases may share a store, and one may stand still in the middle of a write. So nobody waits for the other's lock
//! for long, nor again and again: reads not at all, since the journal has whatever is acknowledged.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::files::{Files, Identity, Line, held};
use super::{Format, Links, Rung, StoreError, Stored, entry};
use crate::link::{Code, Entry};

/// The journal is rewritten as a whole at the start when it has so many times more lines than there are links.
const WORTH_COMPACTING: usize = 4;

/// Who has waited for the lock so long says that nothing was stored, and until the lock is free again no write waits for
/// it any more: users have little patience, and part of it may be spent on the release that stands still.
const LOCK_WITHIN: Duration = Duration::from_millis(80);
/// At the start there is more time, and no way around.
const LOCK_AT_START: Duration = Duration::from_secs(5);

/// A durable store; clones share it.
#[derive(Debug, Clone)]
pub struct Durable {
    inner: Arc<Inner>,
    writer: mpsc::Sender<Put>,
}

#[derive(Debug)]
struct Inner {
    files: Files,
    format: Format,
    heal_after: Duration,
    now: RwLock<Now>,
    /// The last wait for the lock was in vain.
    stands_still: AtomicBool,
}

/// What is known at this moment.
#[derive(Debug)]
struct Now {
    links: Links,
    keys: HashMap<String, String>,
    /// Where the links come from. [`Rung::Store`] as long as `seen` is what lies on the disk.
    rung: Rung,
    seen: Option<Identity>,
    damaged: Option<Instant>,
    /// Nothing could be trusted, though something is there: nobody is told "not found".
    lost: bool,
}

struct Put {
    code: Code,
    entry: Entry,
    key: Option<String>,
    answer: oneshot::Sender<Result<Stored, StoreError>>,
}

impl Durable {
    /// Opens the store and starts its writer, which ends with the last clone.
    pub(super) fn open(folder: &Path, format: Format, heal_after: Duration) -> Result<Self, StoreError> {
        let files = Files::new(folder);
        let now = RwLock::new(load(&files, format));
        let inner = Arc::new(Inner {
            files,
            format,
            heal_after,
            now,
            stands_still: AtomicBool::new(false),
        });
        inner.settle()?;
        let (writer, puts) = mpsc::channel();
        let of_thread = Arc::clone(&inner);
        let thread = std::thread::Builder::new().name("store-writer".into());
        thread
            .spawn(move || of_thread.write_until_closed(&puts))
            .map_err(StoreError::file("start the writer of", folder))?;
        Ok(Self { inner, writer })
    }

    /// The store's file.
    pub(super) fn path(&self) -> PathBuf {
        self.inner.files.store()
    }

    pub(super) fn get(&self, code: &Code) -> Result<(Option<Entry>, Rung), StoreError> {
        self.inner.look();
        let now = self.inner.read();
        match entry(&now.links, code) {
            None if now.lost => Err(StoreError::NothingLeft {
                path: self.inner.files.store(),
            }),
            found => Ok((found, now.rung)),
        }
    }

    pub(super) async fn put(
        &self,
        code: Code,
        entry: Entry,
        key: Option<String>,
    ) -> Result<Stored, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.writer
            .send(Put {
                code,
                entry,
                key,
                answer,
            })
            .map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

/// Reads what lies on the disk, climbing down as far as need be.
fn load(files: &Files, format: Format) -> Now {
    let seen = files.identity();
    let lines = files.journal_lines();
    let mut keys = HashMap::new();
    for line in &lines {
        if let Some(key) = &line.key {
            keys.insert(key.clone(), line.code.clone());
        }
    }
    let verified = files.generation("", format);
    let verified = if files.is_foreign() {
        verified.or_else(|| files.unverified(format))
    } else {
        verified
    };
    let (mut links, rung) = match (verified, files.generation(".prev", format)) {
        (Some(links), _) => (links, Rung::Store),
        (None, Some(links)) => (links, Rung::Previous),
        (None, None) if files.is_new() => (Links::new(), Rung::Store),
        (None, None) => (Links::new(), Rung::Journal),
    };
    let behind = complete(&mut links, &lines);
    let lost = rung == Rung::Journal && lines.is_empty();
    Now {
        links,
        keys,
        rung,
        seen,
        damaged: (behind || rung != Rung::Store).then(Instant::now),
        lost,
    }
}

/// Adds what the journal knows and a generation does not (acknowledged while the store was damaged, or cut off before
/// the generation was written). True when there was something.
fn complete(links: &mut Links, lines: &[Line]) -> bool {
    let before = links.len();
    for line in lines {
        links.entry(line.code.clone()).or_insert_with(|| line.to.clone());
    }
    links.len() > before
}

impl Inner {
    fn read(&self) -> RwLockReadGuard<'_, Now> {
        self.now.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> RwLockWriteGuard<'_, Now> {
        self.now.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock for a write.
    fn lock(&self) -> std::io::Result<File> {
        let lock = if self.stands_still.load(Ordering::Relaxed) {
            self.files.try_lock().and_then(|lock| lock.ok_or_else(held))
        } else {
            self.files.lock(LOCK_WITHIN)
        };
        self.stands_still.store(lock.is_err(), Ordering::Relaxed);
        lock
    }

    /// At the start: a store taken over from an earlier release gets its sum and journal, a journal with many dead
    /// lines is written anew, and a release that migrates the store does.
    fn settle(&self) -> Result<(), StoreError> {
        let failed = StoreError::file("settle", &self.files.store());
        let now = self.read();
        let lines = self.files.journal_lines().len();
        let adopt = self.files.is_foreign() && now.rung == Rung::Store;
        let migrate = self.format == Format::Migrated && now.rung == Rung::Store && !self.files.is_new();
        let dead = lines > 1000 && lines > WORTH_COMPACTING * now.links.len();
        drop(now);
        if adopt || migrate || dead {
            self.adopt(adopt || dead).map_err(failed)?;
        }
        Ok(())
    }

    fn adopt(&self, journal: bool) -> std::io::Result<()> {
        let _lock = self.files.lock(LOCK_AT_START)?;
        let mut now = self.now();
        if journal {
            let line = |(code, to): (&String, &serde_json::Value)| Line {
                code: code.clone(),
                to: to.clone(),
                key: None,
            };
            self.files
                .append(&now.links.iter().map(line).collect::<Vec<_>>())?;
        }
        self.files.write(&self.format.encode(&now.links), true)?;
        now.seen = self.files.identity();
        Ok(())
    }

    /// Looks whether the store is still the one that memory was read from; reads it if not.
    fn look(&self) {
        let identity = self.files.identity();
        {
            let now = self.read();
            // Nothing was ever stored, and nothing is there: that is no damage.
            let new = identity.is_none() && now.links.is_empty() && now.rung == Rung::Store;
            if now.seen == identity || new {
                return;
            }
        }
        // While somebody writes, a generation may be there without its sum: then the journal tells what is new.
        match self.files.try_lock() {
            Ok(None) => self.read_on(),
            _lock => self.read_again(),
        }
    }

    /// Takes in what others have acknowledged since, without the lock.
    fn read_on(&self) {
        self.take_in(self.files.journal_lines());
    }

    /// Adds lines of the journal to what is known; tells where the rest of that comes from.
    fn take_in(&self, lines: Vec<Line>) -> Rung {
        let mut now = self.now();
        complete(&mut now.links, &lines);
        now.keys
            .extend(lines.into_iter().filter_map(|line| Some((line.key?, line.code))));
        now.rung
    }

    /// Reads the store again, with the lock held. Damaged: the copy in memory is as good as the store was.
    fn read_again(&self) {
        let mut now = self.now();
        let identity = self.files.identity();
        if now.seen == identity && now.rung == Rung::Store {
            return;
        }
        now.seen = identity;
        match self.files.generation("", self.format) {
            Some(mut links) => {
                let lines = self.files.journal_lines();
                let damaged = complete(&mut links, &lines).then(Instant::now);
                let mut keys = std::mem::take(&mut now.keys);
                keys.extend(lines.into_iter().filter_map(|line| Some((line.key?, line.code))));
                *now = Now {
                    links,
                    keys,
                    rung: Rung::Store,
                    seen: identity,
                    damaged,
                    lost: false,
                };
            }
            None if now.rung == Rung::Store => {
                tracing::error!("the store is damaged: serving the last good copy in memory");
                now.rung = Rung::Memory;
                now.damaged = Some(Instant::now());
            }
            None => {}
        }
    }

    /// Takes all puts that wait, and commits them together; heals the store in between.
    fn write_until_closed(&self, puts: &mpsc::Receiver<Put>) {
        loop {
            let mut batch = match puts.recv_timeout(Duration::from_millis(100)) {
                Ok(first) => vec![first],
                Err(mpsc::RecvTimeoutError::Timeout) => Vec::new(),
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            };
            batch.extend(puts.try_iter().take(1000));
            if batch.is_empty() {
                self.heal();
            } else {
                self.commit(batch);
                self.heal();
            }
        }
    }

    /// Writes the store anew from what is known, once it has been damaged for long enough. Also looks by itself: a
    /// damage that no request has met is healed too.
    fn heal(&self) {
        self.look();
        let due = {
            let now = self.read();
            !now.lost
                && now
                    .damaged
                    .is_some_and(|since| since.elapsed() >= self.heal_after)
        };
        if !due {
            return;
        }
        match self.write_anew() {
            Ok(()) => tracing::info!("the store is healed"),
            Err(error) => {
                tracing::error!("healing the store failed: {error}");
                self.now().damaged = Some(Instant::now());
            }
        }
    }

    fn write_anew(&self) -> std::io::Result<()> {
        let _lock = self.lock()?;
        let links = self.read().links.clone();
        let known = self.files.journal_lines();
        let missing = links
            .iter()
            .filter(|(code, _)| !known.iter().any(|line| line.code == **code));
        let line = |(code, to): (&String, &serde_json::Value)| Line {
            code: code.clone(),
            to: to.clone(),
            key: None,
        };
        let missing: Vec<Line> = missing.map(line).collect();
        if !missing.is_empty() {
            self.files.append(&missing)?;
        }
        self.files.write(&self.format.encode(&links), false)?;
        let mut now = self.now();
        (now.seen, now.rung, now.damaged) = (self.files.identity(), Rung::Store, None);
        Ok(())
    }

    fn commit(&self, batch: Vec<Put>) {
        let lock = self.lock();
        match &lock {
            Ok(_) => self.read_again(),
            Err(error) => {
                tracing::error!("locking the store failed: {error}");
                self.read_on();
            }
        }
        let mut lines = Vec::new();
        let mut answers = Vec::new();
        let links = {
            let now = self.read();
            let mut links = now.links.clone();
            for put in batch {
                let decision = decide(&put, &links, &now.keys, &lines);
                if decision == Decision::New {
                    let (code, to) = (put.code.as_str().to_owned(), serde_json::json!(put.entry));
                    links.insert(code.clone(), to.clone());
                    let key = put.key;
                    lines.push(Line { code, to, key });
                }
                answers.push((decision, put.answer));
            }
            links
        };
        let written = lock.and_then(|_lock| self.store(lines, &links));
        let rung = self.read().rung;
        for (decision, answer) in answers {
            let _ = answer.send(match (decision, &written) {
                (Decision::Taken, _) => Ok(Stored::Taken),
                (Decision::Known, _) => Ok(Stored::Yes(rung)),
                (Decision::New, Ok(rung)) => Ok(Stored::Yes(*rung)),
                (Decision::New, Err(error)) => {
                    let source = std::io::Error::new(error.kind(), error.to_string());
                    Err(StoreError::file("write", &self.files.store())(source))
                }
            });
        }
    }

    /// Journal first, then a new generation. While the store is damaged the journal alone holds the new links, until
    /// the store is healed. Nobody who reads waits for the disk: what is known is locked for moments only.
    fn store(&self, lines: Vec<Line>, links: &Links) -> std::io::Result<Rung> {
        if lines.is_empty() {
            return Ok(self.read().rung);
        }
        self.files.append(&lines)?;
        // From here on they are durable, whatever becomes of the generation.
        if self.take_in(lines) != Rung::Store {
            return Ok(Rung::Journal);
        }
        let written = self.files.write(&self.format.encode(links), true);
        let mut now = self.now();
        now.seen = self.files.identity();
        match written {
            Ok(()) => Ok(Rung::Store),
            Err(error) => {
                tracing::error!("writing the store failed, the journal has the links: {error}");
                (now.rung, now.damaged) = (Rung::Memory, Some(Instant::now()));
                Ok(Rung::Journal)
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    New,
    Known,
    Taken,
}

/// A repeat with the same key is known; another request for a code that leads elsewhere finds it taken.
fn decide(put: &Put, links: &Links, keys: &HashMap<String, String>, fresh: &[Line]) -> Decision {
    let by_key = put.key.as_ref().and_then(|key| {
        let fresh = || fresh.iter().find(|line| line.key.as_ref() == Some(key));
        keys.get(key).or_else(|| fresh().map(|line| &line.code))
    });
    match (by_key, links.contains_key(put.code.as_str())) {
        (Some(code), true) if code == put.code.as_str() => Decision::Known,
        (_, true) => Decision::Taken,
        (_, false) => Decision::New,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(n: u32) -> (Code, Entry) {
        (
            Code::new(&format!("c{n}")).unwrap(),
            Entry::url(&format!("http://example.org/{n}")).unwrap(),
        )
    }

    fn open(folder: &Path) -> Durable {
        Durable::open(folder, Format::Original, Duration::from_secs(3600)).unwrap()
    }

    #[tokio::test]
    async fn a_writer_that_stands_still_holds_up_neither_reads_nor_writes_of_another_release() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (open(folder.path()), open(folder.path()));
        let put = async |store: &Durable, n| {
            let (code, entry) = link(n);
            let put = store.put(code, entry, None);
            tokio::time::timeout(Duration::from_secs(20), put).await.unwrap()
        };
        put(&one, 0).await.unwrap();
        let stands_still = Files::new(folder.path()).lock(LOCK_AT_START).unwrap();
        // The file is another one than the other release has read.
        std::fs::copy(one.path(), folder.path().join("new")).unwrap();
        std::fs::rename(folder.path().join("new"), one.path()).unwrap();
        let (code, entry) = link(0);
        let read = tokio::task::spawn_blocking({
            let other = other.clone();
            move || other.get(&code)
        });
        let read = tokio::time::timeout(Duration::from_secs(20), read).await.unwrap();
        assert_eq!(
            read.unwrap().unwrap().0,
            Some(entry),
            "what was acknowledged is known"
        );
        let since = Instant::now();
        for _ in 0..50 {
            assert!(
                put(&other, 1).await.is_err(),
                "nothing is acknowledged that was not stored"
            );
        }
        let waited = since.elapsed();
        assert!(waited < 25 * LOCK_WITHIN, "each of them waited: {waited:?}");
        drop(stands_still);
        put(&other, 1).await.unwrap();
        let (code, entry) = link(1);
        assert_eq!(one.get(&code).unwrap(), (Some(entry), Rung::Store));
    }

    #[tokio::test]
    async fn a_disk_that_takes_its_time_holds_up_nobody_who_reads() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        // Whoever opens a pipe to write to it waits until somebody reads it.
        let slow = folder.path().join("urls.json.tmp");
        let made = std::process::Command::new("mkfifo").arg(&slow).status();
        assert!(made.unwrap().success());
        let (code, entry) = link(0);
        let writing = tokio::spawn({
            let (store, code) = (store.clone(), code.clone());
            async move { store.put(code, entry, None).await }
        });
        let (tell, told) = mpsc::channel();
        std::thread::spawn({
            let store = store.clone();
            move || {
                while store.get(&code).unwrap().0.is_none() {
                    std::thread::yield_now();
                }
                tell.send(()).unwrap();
            }
        });
        let told = tokio::task::spawn_blocking(move || told.recv_timeout(Duration::from_secs(20)));
        told.await
            .unwrap()
            .expect("the link is in the journal, and can be read");
        assert!(!writing.is_finished(), "its generation is not written yet");
        std::thread::spawn(move || std::fs::read(slow));
        assert_eq!(writing.await.unwrap().unwrap(), Stored::Yes(Rung::Journal));
    }

    #[tokio::test]
    async fn a_write_cut_off_after_any_of_its_steps_loses_nothing() {
        for done in 0..8 {
            let folder = tempfile::tempdir().unwrap();
            let store = open(folder.path());
            for n in 0..3 {
                let (code, entry) = link(n);
                store.put(code, entry, None).await.unwrap();
            }
            drop(store);
            // The fourth is in the journal, and its generation gets only so far.
            let (files, (code, entry)) = (Files::new(folder.path()), link(3));
            let to = serde_json::json!(entry);
            let mut links = files.generation("", Format::Original).unwrap();
            links.insert(code.as_str().to_owned(), to.clone());
            let code = code.as_str().to_owned();
            files.append(&[Line { code, to, key: None }]).unwrap();
            for step in files.steps(&Format::Original.encode(&links)).iter().take(done) {
                step().unwrap();
            }
            let store = open(folder.path());
            for n in 0..4 {
                let (code, entry) = link(n);
                let (found, rung) = store.get(&code).unwrap();
                assert_eq!(found, Some(entry), "link {n} from {rung:?} after {done} steps");
            }
        }
    }
}
