//! Whether somebody has read a damaged file since: its time of access tells, where the file system keeps one.
//!
//! Damaging a file sets that time far back, and the harness itself reads without touching it. Linux moves it forward at
//! the next read by anybody else, also under `relatime`: it lies before the last change then.

use std::fs::{self, File, FileTimes, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Reads a file, and leaves no trace of it where that can be had: only a file's owner may.
pub(in crate::fault) fn read_unnoticed(path: &Path) -> io::Result<Vec<u8>> {
    #[cfg(target_os = "linux")]
    let quiet = rustix::fs::OFlags::NOATIME.bits().cast_signed();
    #[cfg(not(target_os = "linux"))]
    let quiet = 0;
    let opened = OpenOptions::new().read(true).custom_flags(quiet).open(path);
    let mut file = match opened {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => File::open(path)?,
        opened => opened?,
    };
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(content)
}

/// The marks on one file, one a step that damages it, as notes in a folder: which file it was, or that it was read.
pub(in crate::fault) struct Marks {
    folder: PathBuf,
    step: usize,
}

const READ: &str = "read";

impl Marks {
    pub(in crate::fault) fn of(folder: PathBuf, step: usize) -> Self {
        Self { folder, step }
    }

    /// Marks a file that has just been damaged. Where it cannot be marked nobody can tell later.
    pub(in crate::fault) fn put(&self, file: &File) {
        let own = self.own();
        drop(fs::remove_file(&own));
        if let Some(marked) = mark(file) {
            // Without the note nobody can tell, which is said then.
            let _ = fs::create_dir_all(&self.folder).and_then(|()| fs::write(own, marked));
        }
    }

    /// Notes which steps' damage has been read so far: before the file is damaged once more, which wipes out the traces.
    pub(in crate::fault) fn settle(&self, path: &Path) {
        for note in self.all().filter(|note| was_read(note, path) == Some(true)) {
            let _ = fs::write(note, READ);
        }
    }

    /// Settles, and hands the marks that are left on to the file that is about to take this one's place.
    pub(in crate::fault) fn hand_on(&self, path: &Path, new: &Path) {
        self.settle(path);
        let marked = File::open(new).ok().and_then(|new| mark(&new));
        for note in self.all().filter(|note| was_read(note, path) == Some(false)) {
            let _ = match &marked {
                Some(marked) => fs::write(note, marked),
                None => fs::remove_file(note),
            };
        }
    }

    fn own(&self) -> PathBuf {
        self.folder.join(self.step.to_string())
    }

    fn all(&self) -> impl Iterator<Item = PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    }

    /// Whether the file was read since this step damaged it; `None` when that cannot be told.
    pub(in crate::fault) fn was_read(&self, path: &Path) -> Option<bool> {
        was_read(&self.own(), path)
    }
}

/// Sets a file's time of access far back, where that tells a later read: what the note says then.
fn mark(file: &File) -> Option<String> {
    let mount = rustix::fs::fstatvfs(file).ok()?;
    if mount.f_flag.contains(rustix::fs::StatVfsMountFlags::NOATIME) {
        return None;
    }
    let long_ago = FileTimes::new().set_accessed(SystemTime::UNIX_EPOCH);
    file.set_times(long_ago).ok()?;
    file.metadata().ok().map(|meta| which(&meta))
}

fn was_read(note: &Path, path: &Path) -> Option<bool> {
    let noted = fs::read_to_string(note).ok()?;
    if noted == READ {
        return Some(true);
    }
    let now = path.metadata().ok()?;
    (which(&now) == noted).then(|| now.accessed().is_ok_and(|at| at > SystemTime::UNIX_EPOCH))
}

fn which(meta: &Metadata) -> String {
    format!("{}:{}", meta.dev(), meta.ino())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_read_by_somebody_else_is_told_from_one_of_our_own_and_from_a_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("urls.json");
        let mark = Marks::of(folder.path().join("marks"), 0);
        std::fs::write(&path, "[]").unwrap();
        assert_eq!(mark.was_read(&path), None, "never marked");
        mark.put(&OpenOptions::new().write(true).open(&path).unwrap());
        assert_eq!(read_unnoticed(&path).unwrap(), b"[]");
        assert_eq!(mark.was_read(&path), Some(false));
        assert_eq!(std::fs::read(&path).unwrap(), b"[]");
        assert_eq!(mark.was_read(&path), Some(true));
        std::fs::write(folder.path().join("new"), "{}").unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        assert_eq!(mark.was_read(&path), None, "another file");
    }

    #[test]
    fn a_read_is_not_forgotten_when_another_step_damages_the_file_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("urls.json");
        let step = |step| Marks::of(folder.path().join("marks"), step);
        let damage = |by: &Marks| {
            by.settle(&path);
            by.put(&File::create(&path).unwrap());
        };
        damage(&step(0));
        std::fs::read(&path).unwrap();
        damage(&step(1));
        assert_eq!([0, 1].map(|n| step(n).was_read(&path)), [Some(true), Some(false)]);
        let new = folder.path().join("new");
        std::fs::write(&new, "of an older damage").unwrap();
        step(1).hand_on(&path, &new);
        std::fs::rename(new, &path).unwrap();
        assert_eq!([0, 1].map(|n| step(n).was_read(&path)), [Some(true), Some(false)]);
    }

    #[test]
    fn an_empty_file_is_read_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("urls.json");
        let mark = Marks::of(folder.path().join("marks"), 0);
        mark.put(&File::create(&path).unwrap());
        assert_eq!(mark.was_read(&path), Some(false));
        assert_eq!(std::fs::read(&path).unwrap(), b"");
        assert_eq!(mark.was_read(&path), Some(true));
    }
}
