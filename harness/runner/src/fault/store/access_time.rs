//! Whether a damaged file was read: its access time says, where the file system has one.
//!
//! Damaging a file sets its access time far back, and the harness itself reads without changing it. Linux moves it
//! forward at the next read by anybody else, also under `relatime`, since it lies before the last change then.

use std::fs::{File, FileTimes, Metadata};
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::place::Place;
use crate::fault::Error;
use crate::fault::overlaps::{Claim, Overlaps};

/// A step's claim on a file that it has damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mark {
    /// This very file had its access time set back.
    Set { device: u64, inode: u64 },
    /// The damage was read.
    Read,
}

impl Claim for Mark {
    const KIND: &'static str = "access-times";
}

impl Mark {
    /// Sets a file's access time far back; `None` where that would tell nothing of a later read.
    fn set(file: &File) -> Option<Self> {
        let mount = rustix::fs::fstatvfs(file).ok()?;
        // Nothing moves an access time on such a mount: "not read" would be a guess.
        if mount.f_flag.contains(rustix::fs::StatVfsMountFlags::NOATIME) {
            return None;
        }
        let long_ago = FileTimes::new().set_accessed(SystemTime::UNIX_EPOCH);
        file.set_times(long_ago).ok()?;
        Some(Self::on(&file.metadata().ok()?))
    }

    fn on(file: &Metadata) -> Self {
        Self::Set {
            device: file.dev(),
            inode: file.ino(),
        }
    }

    /// Whether the file was read since; `None` when it is gone or another one.
    fn was_read(self, place: &Place) -> Option<bool> {
        if self == Self::Read {
            return Some(true);
        }
        let now = place.metadata().ok()?;
        // A service that replaces the file has another inode in its place, which says nothing about the old one.
        let same = self == Self::on(&now);
        same.then(|| now.accessed().is_ok_and(|at| at > SystemTime::UNIX_EPOCH))
    }
}

/// Whether a damaged file was read, for each step that has damaged it.
#[derive(Clone, Copy)]
pub(super) struct AccessTimes<'a> {
    overlaps: &'a Overlaps,
    file: &'a str,
    step: usize,
}

impl<'a> AccessTimes<'a> {
    pub(super) fn of(overlaps: &'a Overlaps, file: &'a str, step: usize) -> Self {
        Self { overlaps, file, step }
    }

    /// Begins to watch a file that this step has just damaged. Where its access time cannot be set back, nobody can tell
    /// later whether it was read.
    pub(super) async fn begin(&self, file: &File) -> Result<(), Error> {
        // At once: a read before this is not seen.
        let mark = Mark::set(file);
        let mut times = self.overlaps.lock(self.file).await?;
        match mark {
            Some(mark) => times.add(self.step, mark),
            None => times.remove(self.step),
        }
    }

    /// Records which steps' damage has been read so far. Before the file is damaged once more, which removes the traces.
    pub(super) async fn settle(&self, place: &Place) -> Result<(), Error> {
        self.update(|mark| match mark.was_read(place) {
            Some(true) => Some(Mark::Read),
            _ => Some(mark),
        })
        .await
    }

    /// Settles, and passes the marks that are left on to the file that is about to replace this one.
    pub(super) async fn pass_on(&self, place: &Place, new: &File) -> Result<(), Error> {
        let moved = Mark::set(new);
        self.update(|mark| match mark.was_read(place) {
            Some(true) => Some(Mark::Read),
            Some(false) => moved,
            None => Some(mark),
        })
        .await
    }

    async fn update(&self, change: impl Fn(Mark) -> Option<Mark>) -> Result<(), Error> {
        let mut times = self.overlaps.lock::<Mark>(self.file).await?;
        // Nothing to write for a file that no step watches.
        if times.all().is_empty() {
            return Ok(());
        }
        times.edit(|list| {
            list.retain_mut(|claimed| match change(claimed.claim) {
                Some(mark) => {
                    claimed.claim = mark;
                    true
                }
                None => false,
            });
        })
    }

    /// Whether the file was read since this step damaged it; `None` when that is unknown.
    pub(super) fn was_read(&self, place: &Place) -> Option<bool> {
        let times = self.overlaps.look::<Mark>(self.file).ok()?;
        let claimed = times.iter().find(|claimed| claimed.step == self.step)?;
        claimed.claim.was_read(place)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
    fn urls(folder: &tempfile::TempDir) -> Place {
        Place::below(folder.path(), Path::new("urls.json")).unwrap()
    }

    fn overlaps(folder: &tempfile::TempDir) -> Overlaps {
        Overlaps::open(&folder.path().join("overlaps"))
    }

    #[tokio::test]
    async fn a_read_by_somebody_else_differs_from_one_of_our_own_and_from_a_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let overlaps = overlaps(&folder);
        let (path, place) = (folder.path().join("urls.json"), urls(&folder));
        let times = AccessTimes::of(&overlaps, "urls.json", 0);
        fs::write(&path, "[]").unwrap();
        assert_eq!(times.was_read(&place), None, "not watched yet");
        let file = place.open(rustix::fs::OFlags::WRONLY).unwrap();
        times.begin(&file).await.unwrap();
        assert_eq!(place.read_untraced().unwrap(), b"[]");
        assert_eq!(times.was_read(&place), Some(false));
        assert_eq!(fs::read(&path).unwrap(), b"[]");
        assert_eq!(times.was_read(&place), Some(true));
        fs::write(folder.path().join("new"), "{}").unwrap();
        fs::rename(folder.path().join("new"), &path).unwrap();
        assert_eq!(times.was_read(&place), None, "another file");
    }

    #[tokio::test]
    async fn a_read_is_not_forgotten_when_another_step_damages_the_file_again() {
        let folder = tempfile::tempdir().unwrap();
        let overlaps = overlaps(&folder);
        let (path, place) = (folder.path().join("urls.json"), urls(&folder));
        let step = |step| AccessTimes::of(&overlaps, "urls.json", step);
        let damage = async |by: AccessTimes<'_>| {
            by.settle(&place).await.unwrap();
            by.begin(&File::create(&path).unwrap()).await.unwrap();
        };
        damage(step(0)).await;
        fs::read(&path).unwrap();
        damage(step(1)).await;
        assert_eq!(
            [0, 1].map(|n| step(n).was_read(&place)),
            [Some(true), Some(false)]
        );
        let new = folder.path().join("new");
        fs::write(&new, "of an older damage").unwrap();
        step(1).pass_on(&place, &File::open(&new).unwrap()).await.unwrap();
        fs::rename(new, &path).unwrap();
        assert_eq!(
            [0, 1].map(|n| step(n).was_read(&place)),
            [Some(true), Some(false)]
        );
    }

    #[tokio::test]
    async fn an_empty_file_is_read_too() {
        let folder = tempfile::tempdir().unwrap();
        let overlaps = overlaps(&folder);
        let (path, place) = (folder.path().join("urls.json"), urls(&folder));
        let times = AccessTimes::of(&overlaps, "urls.json", 0);
        times.begin(&File::create(&path).unwrap()).await.unwrap();
        assert_eq!(times.was_read(&place), Some(false));
        assert_eq!(fs::read(&path).unwrap(), b"");
        assert_eq!(times.was_read(&place), Some(true));
    }
}
