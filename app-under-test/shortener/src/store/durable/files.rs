//! The files of the durable store, and the steps in which they are written.
//!
//! ```text
//! urls.json           the links, in the format of the incident     urls.json.sum        its SHA-256
//! urls.json.prev      the previous generation                      urls.json.prev.sum   its SHA-256
//! urls.journal        every acknowledged link, one line each, with a checksum per line
//! urls.lock           locked while the journal is appended to or a generation is published
//! urls.prepare.lock   locked while the next generation is prepared
//! ```
//!
//! A link is acknowledged when its line in the journal is on disk. The journal is only ever appended to, so it has every
//! link; a generation has every link up to some line of the journal. Whichever single file is damaged, the others
//! together have every link, except those of the last moments of a large store (see [`super::maintenance`]).
//!
//! Publishing a generation renames four files. Interrupted between any two renames, it leaves the old or the new
//! generation verifiable, or neither; then the journal has everything.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::super::{FILE, Format};
use crate::link::{Code, LinkTarget};

/// The paths of a store.
#[derive(Debug, Clone)]
pub(super) struct Files {
    folder: PathBuf,
}

/// Identifies a generation without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) bytes: u64,
    modified: Option<std::time::SystemTime>,
    inode: u64,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) code: Code,
    pub(super) to: LinkTarget,
}

impl Link {
    /// A member of a generation; `None` when it is not a link.
    pub(super) fn from_json((code, to): (String, serde_json::Value)) -> Option<Self> {
        Some(Self {
            code: Code::new(&code)?,
            to: serde_json::from_value(to).ok()?,
        })
    }
}

/// The content of a generation, read but not yet verified.
pub(super) struct Generation {
    content: Vec<u8>,
    sums: Vec<String>,
}

impl Generation {
    /// The links, when the checksum is right and the content can be read.
    pub(super) fn verified(&self, format: Format) -> Option<Vec<Link>> {
        let sum = hex(&Sha256::digest(&self.content));
        self.sums.contains(&sum).then(|| self.unverified(format))?
    }

    /// The links without regard to the checksum.
    pub(super) fn unverified(&self, format: Format) -> Option<Vec<Link>> {
        let links = format.decode(&self.content).ok()?;
        links.into_iter().map(Link::from_json).collect()
    }
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Files {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The current generation.
    pub(super) fn store(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// The journal.
    pub(super) fn journal(&self) -> PathBuf {
        self.folder.join("urls.journal")
    }

    fn with_suffix(&self, suffix: &str) -> PathBuf {
        self.folder.join(format!("{FILE}{suffix}"))
    }

    /// Takes the lock for writing; it is released when the file is dropped. Fails after `within`, because another release
    /// may hang while it holds the lock.
    pub(super) fn lock(&self, within: Duration) -> io::Result<File> {
        if let Some(lock) = self.try_lock()? {
            return Ok(lock);
        }
        let (sender, receiver) = mpsc::channel();
        let file = self.lock_file("urls.lock")?;
        // No system call waits for a lock with a time limit, so a thread waits without one. If it gets the lock too late,
        // sending fails and the lock is released at once.
        let wait = move || drop(sender.send(file.lock().map(|()| file)));
        std::thread::Builder::new()
            .name("store-lock".into())
            .spawn(wait)?;
        receiver.recv_timeout(within).unwrap_or_else(|_| Err(locked()))
    }

    /// Takes the lock for writing if it is free.
    pub(super) fn try_lock(&self) -> io::Result<Option<File>> {
        try_lock(self.lock_file("urls.lock")?)
    }

    /// Takes the lock for preparing a generation if it is free.
    pub(super) fn try_lock_prepare(&self) -> io::Result<Option<File>> {
        try_lock(self.lock_file("urls.prepare.lock")?)
    }

    fn lock_file(&self, name: &str) -> io::Result<File> {
        fs::create_dir_all(&self.folder)?;
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.folder.join(name))
    }

    /// The identity of the current generation; `None` when there is none.
    pub(super) fn identity(&self) -> Option<Identity> {
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(self.store()).ok()?;
        Some(Identity {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
            inode: metadata.ino(),
        })
    }

    /// Whether nothing was ever stored here.
    pub(super) fn is_new(&self) -> bool {
        !self.store().exists() && !self.journal().exists() && !self.with_suffix(".prev").exists()
    }

    /// Whether an earlier release wrote the store: it has neither checksum nor journal and is adopted as it is.
    pub(super) fn is_foreign(&self) -> bool {
        self.store().exists() && !self.with_suffix(".sum").exists() && !self.journal().exists()
    }

    /// Reads the current generation; `None` when it cannot be read.
    pub(super) fn current(&self) -> Option<Generation> {
        self.generation("", &[".sum"])
    }

    /// Reads the previous generation. Its checksum may still be that of the current one: publishing may have been
    /// interrupted after the file was renamed and before its checksum was.
    pub(super) fn previous(&self) -> Option<Generation> {
        self.generation(".prev", &[".prev.sum", ".sum"])
    }

    fn generation(&self, suffix: &str, sums: &[&str]) -> Option<Generation> {
        let content = fs::read(self.with_suffix(suffix)).ok()?;
        let sums = sums
            .iter()
            .filter_map(|name| fs::read_to_string(self.with_suffix(name)).ok());
        Some(Generation {
            content,
            sums: sums.collect(),
        })
    }

    /// Writes the next generation and its checksum beside the current one. This is the slow part; it needs the lock for
    /// preparing, and no other.
    pub(super) fn prepare(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut file = Hashing::new(File::create(self.with_suffix(".tmp"))?);
        write(&mut file)?;
        let sum = file.finish()?;
        let mut file = File::create(self.with_suffix(".sum.tmp"))?;
        file.write_all(sum.as_bytes())?;
        file.sync_data()
    }

    /// The steps that make the prepared generation the current one, in order; a kill may come between any two.
    pub(super) fn publish_steps(&self, replace_previous: bool) -> Vec<Box<dyn Fn() -> io::Result<()> + '_>> {
        let path = |suffix: &'static str| self.with_suffix(suffix);
        let mut steps: Vec<Box<dyn Fn() -> io::Result<()>>> = Vec::new();
        if replace_previous {
            steps.push(Box::new(move || link(&path(""), &path(".prev"))));
            steps.push(Box::new(move || link(&path(".sum"), &path(".prev.sum"))));
        }
        steps.push(Box::new(move || fs::rename(path(".sum.tmp"), path(".sum"))));
        steps.push(Box::new(move || fs::rename(path(".tmp"), path(""))));
        steps.push(Box::new(|| File::open(&self.folder)?.sync_all()));
        steps
    }

    /// Makes the prepared generation the current one. A damaged current one must not replace the previous one.
    pub(super) fn publish(&self, replace_previous: bool) -> io::Result<()> {
        self.publish_steps(replace_previous)
            .iter()
            .try_for_each(|step| step())
    }
}

fn try_lock(file: File) -> io::Result<Option<File>> {
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Another writer has the lock.
pub(super) fn locked() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "another writer holds the lock of the store",
    )
}

/// Gives a file a second name in one step, so that the first name exists at every moment.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    let beside = to.with_extension("link");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // A hard link cannot replace a file; a rename replaces it in one step.
    match fs::hard_link(from, &beside) {
        Ok(()) => fs::rename(&beside, to),
        // There is no generation yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// A file whose SHA-256 is computed while it is written.
struct Hashing {
    file: BufWriter<File>,
    sum: Sha256,
    unsynced: usize,
}

impl Hashing {
    /// Synced to disk at least once in so many bytes: one large sync at the end would delay the journal's own syncs,
    /// and with them the users' writes.
    const SYNC_EVERY: usize = 1 << 20;

    fn new(file: File) -> Self {
        Self {
            file: BufWriter::with_capacity(64 << 10, file),
            sum: Sha256::new(),
            unsynced: 0,
        }
    }

    /// Syncs the file; its checksum in hexadecimal.
    fn finish(mut self) -> io::Result<String> {
        self.file.flush()?;
        self.file.get_ref().sync_data()?;
        Ok(hex(&self.sum.finalize()))
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sum.update(&bytes[..written]);
        self.unsynced += written;
        if self.unsynced >= Self::SYNC_EVERY {
            self.file.flush()?;
            self.file.get_ref().sync_data()?;
            self.unsynced = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
