//! What a file held before each fault that damaged it, so that overlapping damages can be reverted in any order.
//!
//! The newest damage is what one sees. Reverting it shows what was there before it; reverting an older one hands its
//! backup on to the next newer damage, so that the last revert of all restores the original.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fault::Error;
use crate::fault::error::failed;
use crate::fault::overlaps::{Claim, Claims, Overlaps};

/// A step's claim on a damaged file: what to restore when this damage is reverted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Backup {
    /// The name of the copy among the attachments.
    copy: u32,
    /// The file's mode before any fault.
    mode: u32,
}

impl Claim for Backup {
    const KIND: &'static str = "backups";
}

/// The backups of one file, seen by one step. No other step damages or restores the file while this exists.
pub(super) struct Backups {
    claims: Claims<Backup>,
    copies: PathBuf,
    step: usize,
}

/// What a revert has to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Restore {
    /// Nothing: the step has no backup, so it damaged nothing.
    Nothing,
    /// Nothing: a later damage covers this one, and has taken over its backup.
    Covered,
    /// Make the file hold this again, with this mode.
    Content(Vec<u8>, u32),
}

impl Backups {
    pub(super) async fn lock(overlaps: &Overlaps, file: &str, step: usize) -> Result<Self, Error> {
        Ok(Self {
            claims: overlaps.lock(file).await?,
            copies: overlaps.attachments::<Backup>(file),
            step,
        })
    }

    fn path(&self, copy: u32) -> PathBuf {
        self.copies.join(copy.to_string())
    }

    /// Backs up what the file holds, and its mode. The copy is on the disk before the file is touched.
    pub(super) fn back_up(&mut self, content: &[u8], mode: u32) -> Result<(), Error> {
        fs::create_dir_all(&self.copies).map_err(failed("make", &self.copies))?;
        // A number that no claim uses: a claim may have taken over the copy of an older one.
        let newest = self.claims.all().iter().map(|claimed| claimed.claim.copy).max();
        let copy = newest.map_or(0, |newest| newest + 1);
        // The copy before the claim: a claim must never name a copy that does not exist.
        write_synced(&self.path(copy), content)?;
        self.claims.add(self.step, Backup { copy, mode })
    }

    /// What reverting this step's damage has to do. A content is backed up until [`Self::forget`].
    pub(super) fn restore(&mut self) -> Result<Restore, Error> {
        let step = self.step;
        let Some(at) = self.claims.all().iter().position(|claimed| claimed.step == step) else {
            return Ok(Restore::Nothing);
        };
        let backup = self.claims.all()[at].claim.clone();
        if let Some(newer) = self.claims.all().get(at + 1) {
            let superseded = self.path(newer.claim.copy);
            // One write: a list without this claim in which the newer had its own backup would restore the damage.
            self.claims.edit(|list| {
                list[at + 1].claim = backup;
                list.remove(at);
            })?;
            fs::remove_file(&superseded).map_err(failed("remove", &superseded))?;
            return Ok(Restore::Covered);
        }
        let copy = self.path(backup.copy);
        let content = fs::read(&copy).map_err(failed("read", &copy))?;
        Ok(Restore::Content(content, backup.mode))
    }

    /// Drops this step's backup: its content is in place again.
    pub(super) fn forget(&mut self) -> Result<(), Error> {
        let Some(copy) = self.claims.of(self.step).map(|backup| self.path(backup.copy)) else {
            return Ok(());
        };
        // The claim first, for the same reason as in `back_up`.
        self.claims.remove(self.step)?;
        fs::remove_file(&copy).map_err(failed("remove", &copy))
    }
}

/// Writes a file that is on the disk when this returns. In the run folder, where only the harness writes.
fn write_synced(path: &Path, content: &[u8]) -> Result<(), Error> {
    let write = || -> io::Result<()> {
        let mut file = fs::File::create(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(failed("write", path))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Damages a file by so many steps in turn and reverts them in an order; what the file holds after each revert.
    async fn revert(steps: usize, order: &[usize]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let overlaps = Overlaps::open(&folder.path().join("overlaps"));
        let path = folder.path().join("urls.json");
        fs::write(&path, "original").unwrap();
        for step in 0..steps {
            let mut backups = Backups::lock(&overlaps, "urls.json", step).await.unwrap();
            backups.back_up(&fs::read(&path).unwrap(), 0o644).unwrap();
            fs::write(&path, format!("damaged by {step}")).unwrap();
        }
        let mut seen = Vec::new();
        for step in order {
            let mut backups = Backups::lock(&overlaps, "urls.json", *step).await.unwrap();
            // A revert that was cut off before `forget` is repeated: it must come to the same.
            for _ in 0..2 {
                if let Restore::Content(before, _) = backups.restore().unwrap() {
                    fs::write(&path, before).unwrap();
                }
            }
            backups.forget().unwrap();
            assert_eq!(backups.restore().unwrap(), Restore::Nothing);
            seen.push(fs::read_to_string(&path).unwrap());
        }
        let copies = overlaps.attachments::<Backup>("urls.json");
        assert_eq!(fs::read_dir(copies).unwrap().count(), 0, "no copy is left");
        seen
    }

    proptest! {
        #[test]
        fn in_any_order_the_last_revert_restores_the_original(
            order in (1usize..6).prop_flat_map(|steps| Just((0..steps).collect::<Vec<_>>()).prop_shuffle()),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let seen = runtime.block_on(revert(order.len(), &order));
            for (at, content) in seen.iter().enumerate() {
                // The newest damage that is left is what one sees.
                let newest = order[at + 1..].iter().max();
                let expected = newest.map_or("original".to_owned(), |step| format!("damaged by {step}"));
                prop_assert_eq!(content, &expected);
            }
        }
    }
}
