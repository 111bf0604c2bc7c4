//! The files of the durable store, and the steps in which they are written.
//!
//! ```text
//! urls.json        the links, in the incident's format          urls.json.sum        SHA-256 of it
//! urls.json.prev   the generation before                        urls.json.prev.sum   SHA-256 of that
//! urls.journal     every link ever acknowledged, a line each with its own checksum
//! urls.lock        locked by whoever writes, or reads a changed store while nobody writes
//! ```
//! A link is acknowledged when its journal line *and* the new generation are on the disk. Whichever single file is
//! damaged, at whatever byte, another has every link: the journal has all of them, and so has a verified generation.
//! A write that is cut off between any two steps leaves either the old or the new generation verified, or neither,
//! and then the journal has everything.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{FILE, Format, Links};

/// One acknowledged link, as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) code: String,
    pub(super) to: serde_json::Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
}

/// The store's files.
#[derive(Debug, Clone)]
pub(super) struct Files {
    folder: PathBuf,
}

/// What identifies a generation without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    bytes: u64,
    modified: Option<std::time::SystemTime>,
    inode: u64,
}

fn sum(content: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(content)
        .iter()
        .fold(String::new(), |mut text, byte| {
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

    pub(super) fn store(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    fn named(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{FILE}{ending}"))
    }

    fn journal(&self) -> PathBuf {
        self.folder.join("urls.journal")
    }

    /// The lock that whoever writes holds; released when dropped. Waited for no longer than this: who holds it may stand
    /// still.
    pub(super) fn lock(&self, within: Duration) -> io::Result<File> {
        if let Some(lock) = self.try_lock()? {
            return Ok(lock);
        }
        let (gives, given) = mpsc::channel();
        let file = self.lock_file()?;
        // No system call waits for a lock and a time. This waits as long as it takes; where nobody wants the lock any more by
        // then, it is let go at once.
        let waits = move || drop(gives.send(file.lock().map(|()| file)));
        std::thread::Builder::new()
            .name("store-lock".into())
            .spawn(waits)?;
        given.recv_timeout(within).unwrap_or_else(|_| Err(held()))
    }

    /// The same without waiting; `None` while somebody else holds it.
    pub(super) fn try_lock(&self) -> io::Result<Option<File>> {
        let file = self.lock_file()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn lock_file(&self) -> io::Result<File> {
        fs::create_dir_all(&self.folder)?;
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.folder.join("urls.lock"))
    }

    /// What the store is now, without reading it; `None` when it is not there.
    pub(super) fn identity(&self) -> Option<Identity> {
        use std::os::unix::fs::MetadataExt;
        let meta = fs::metadata(self.store()).ok()?;
        Some(Identity {
            bytes: meta.len(),
            modified: meta.modified().ok(),
            inode: meta.ino(),
        })
    }

    /// Whether nothing was ever stored here.
    pub(super) fn is_new(&self) -> bool {
        !self.store().exists() && !self.journal().exists() && !self.named(".prev").exists()
    }

    /// A store that some earlier release left: a file, and neither sum nor journal. It is taken over as it is.
    pub(super) fn is_foreign(&self) -> bool {
        self.store().exists() && !self.named(".sum").exists() && !self.journal().exists()
    }

    /// A generation whose sum is right and whose links can be read: `""` the present one, `".prev"` the one before. For
    /// that one either sum will do: a write that was cut off may have kept the file and not yet its sum.
    pub(super) fn generation(&self, which: &str, format: Format) -> Option<Links> {
        let content = fs::read(self.named(which)).ok()?;
        let digest = sum(&content);
        let is_sum = |name: &str| fs::read_to_string(self.named(name)).is_ok_and(|wanted| wanted == digest);
        (is_sum(&format!("{which}.sum")) || (which == ".prev" && is_sum(".sum")))
            .then(|| format.decode(&content).ok())
            .flatten()
    }

    /// The present store without asking its sum.
    pub(super) fn unverified(&self, format: Format) -> Option<Links> {
        format.decode(&fs::read(self.store()).ok()?).ok()
    }

    /// Every line of the journal whose checksum is right.
    pub(super) fn journal_lines(&self) -> Vec<Line> {
        let text = fs::read(self.journal()).unwrap_or_default();
        let line = |line: &[u8]| {
            let (wanted, json) = line.split_at_checked(65)?;
            (wanted.strip_suffix(b" ")? == sum(json).as_bytes())
                .then(|| serde_json::from_slice(json).ok())
                .flatten()
        };
        text.split(|byte| *byte == b'\n').filter_map(line).collect()
    }

    /// Appends lines and returns when they are on the disk. A torn end of the journal is ended first.
    pub(super) fn append(&self, lines: &[Line]) -> io::Result<()> {
        let mut text = String::from("\n");
        for line in lines {
            let json = serde_json::to_string(line)?;
            text.push_str(&format!("{} {json}\n", sum(json.as_bytes())));
        }
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.journal())?;
        file.write_all(text.as_bytes())?;
        file.sync_data()
    }

    /// The steps of writing a new generation, in order; each can be the last one that happens.
    pub(super) fn steps(&self, content: &[u8]) -> Vec<Box<dyn Fn() -> io::Result<()> + '_>> {
        let (content, digest) = (content.to_vec(), sum(content));
        let path = |ending: &'static str| self.named(ending);
        vec![
            Box::new(move || write_synced(&path(".tmp"), &content)),
            Box::new(move || write_synced(&path(".sum.tmp"), digest.as_bytes())),
            Box::new(move || keep(&path(""), &path(".prev"))),
            Box::new(move || keep(&path(".sum"), &path(".prev.sum"))),
            Box::new(move || fs::rename(path(".sum.tmp"), path(".sum"))),
            Box::new(move || fs::rename(path(".tmp"), path(""))),
            Box::new(|| File::open(&self.folder)?.sync_all()),
        ]
    }

    /// Writes a new generation. A damaged present one does not become the previous one.
    pub(super) fn write(&self, content: &[u8], keep_present: bool) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        for (number, step) in self.steps(content).iter().enumerate() {
            if keep_present || !(2..=3).contains(&number) {
                step()?;
            }
        }
        Ok(())
    }
}

/// Somebody else has the lock.
pub(super) fn held() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "another writer holds the store")
}

/// Gives a file a second name in one step: whoever reads the first name finds it there at every moment.
fn keep(from: &Path, to: &Path) -> io::Result<()> {
    let beside = to.with_extension("link");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    match fs::hard_link(from, &beside) {
        Ok(()) => fs::rename(&beside, to),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_data()
}
