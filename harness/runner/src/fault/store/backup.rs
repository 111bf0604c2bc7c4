//! What a file held before each fault that damaged it: a pile, so that overlapping damages can be reverted in any order.
//!
//! The newest damage is what one sees. Reverting it shows what was there before it; reverting an older one hands what
//! was there before that to the next newer, so that the last revert of all brings back the original.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::stored::{read, write_synced};
use crate::fault::Error;

/// The pile of one file, seen by one step.
pub(in crate::fault) struct Kept {
    folder: PathBuf,
    step: usize,
}

/// What a revert brings back.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::fault) enum Back {
    /// The step kept nothing: it damaged nothing.
    Nothing,
    /// A later damage hides it.
    Hidden,
    /// This is what the file is to hold now, and who might read and write it then.
    Content(Vec<u8>, Permissions),
}

impl Kept {
    pub(in crate::fault) fn of(folder: PathBuf, step: usize) -> Self {
        Self { folder, step }
    }

    /// The pile, the oldest first: a running number and the step.
    fn pile(&self) -> Vec<(u32, usize)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut pile: Vec<(u32, usize)> = entries
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let (number, step) = name.split_once('-')?;
                Some((number.parse().ok()?, step.parse().ok()?))
            })
            .collect();
        pile.sort_unstable();
        pile
    }

    fn path(&self, (number, step): (u32, usize)) -> PathBuf {
        self.folder.join(format!("{number}-{step}"))
    }

    /// Puts what the file holds on the pile, on the disk before the file is touched.
    pub(in crate::fault) fn keep(&self, file: &Path, content: &[u8]) -> Result<(), Error> {
        fs::create_dir_all(&self.folder).map_err(failed("make", &self.folder))?;
        let number = self.pile().last().map_or(0, |(number, _)| number + 1);
        let mine = self.path((number, self.step));
        write_synced(&mine, content)?;
        let mut mode = fs::metadata(file).map_err(failed("look at", file))?.permissions();
        mode.set_mode(mode.mode() | 0o600); // ours to read again
        fs::set_permissions(&mine, mode).map_err(failed("keep", &mine))
    }

    /// Takes this step's from the pile; a content stays there until it is back in its place.
    pub(in crate::fault) fn give_back(&self) -> Result<Back, Error> {
        let pile = self.pile();
        let Some(at) = pile.iter().position(|(_, step)| *step == self.step) else {
            return Ok(Back::Nothing);
        };
        let mine = self.path(pile[at]);
        if let Some(newer) = pile.get(at + 1) {
            fs::rename(&mine, self.path(*newer)).map_err(failed("hand on", &mine))?;
            return Ok(Back::Hidden);
        }
        let mode = fs::metadata(&mine)
            .map_err(failed("look at", &mine))?
            .permissions();
        Ok(Back::Content(read(&mine)?, mode))
    }

    /// This step's content is back in its place.
    pub(in crate::fault) fn forget(&self) -> Result<(), Error> {
        let mine = self.pile().into_iter().find(|(_, step)| *step == self.step);
        match mine.map(|mine| self.path(mine)) {
            Some(mine) => fs::remove_file(&mine).map_err(failed("remove", &mine)),
            None => Ok(()),
        }
    }
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File {
        operation,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_either_order_the_last_revert_brings_back_the_original() {
        for order in [[0, 1], [1, 0]] {
            let folder = tempfile::tempdir().unwrap();
            let step = |step| Kept::of(folder.path().join("f"), step);
            let path = folder.path().join("urls.json");
            std::fs::write(&path, "original").unwrap();
            let content = || std::fs::read(&path).unwrap();
            for (number, damaged) in [(0, "cut"), (1, "garbage")] {
                step(number).keep(&path, &content()).unwrap();
                std::fs::write(&path, damaged).unwrap();
            }
            for number in order {
                // As often as it takes: what could not be put back is there still.
                for _ in 0..2 {
                    if let Back::Content(before, _) = step(number).give_back().unwrap() {
                        std::fs::write(&path, before).unwrap();
                    }
                }
                step(number).forget().unwrap();
            }
            assert_eq!(content(), b"original", "{order:?}");
            assert_eq!(step(0).give_back().unwrap(), Back::Nothing);
        }
    }
}
