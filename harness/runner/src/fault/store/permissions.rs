//! What the faults of permissions share: bits taken from files, so that several faults can overlap. A file's mode is
//! computed anew from all claims.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fault::error::failed;
use crate::fault::overlaps::{Claim, Claimed};
use crate::fault::{Context, Error};

/// A step's claim: the files and folders that it takes bits from. One list for all files of a drill, since a volume's
/// files come and go.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Taken(BTreeMap<PathBuf, Bits>);

/// What is taken from one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Bits {
    /// The file's mode before any fault. Every claim has it, so that any of them may be the last to be withdrawn.
    original: u32,
    taken: u32,
}

impl Claim for Taken {
    const KIND: &'static str = "permissions";
}

/// The one list of a drill.
const ALL_FILES: &str = "files";

/// The mode that follows from all claims on a file; `None` when there is none.
fn in_force(claims: &[Claimed<Taken>], path: &Path) -> Option<u32> {
    let on_file = claims.iter().filter_map(|claimed| claimed.claim.0.get(path));
    on_file.fold(None, |mode, bits| {
        Some(mode.unwrap_or(bits.original) & !bits.taken)
    })
}

/// The mode of a file before any fault took bits from it; `None` when there is no such file.
fn original(claims: &[Claimed<Taken>], path: &Path) -> Option<u32> {
    let known = claims.iter().find_map(|claimed| claimed.claim.0.get(path));
    known.map_or_else(|| mode(path).ok(), |bits| Some(bits.original))
}

fn mode(path: &Path) -> Result<u32, Error> {
    let meta = fs::symlink_metadata(path).map_err(failed("look at", path))?;
    Ok(meta.permissions().mode() & 0o7777)
}

fn set(path: &Path, mode: u32) -> Result<(), Error> {
    match fs::set_permissions(path, Permissions::from_mode(mode)) {
        // A temporary file may be gone again.
        Err(_) if !path.exists() => Ok(()),
        changed => changed.map_err(failed("change the permissions of", path)),
    }
}

/// The mode of a file before any fault took bits from it.
pub(super) fn original_mode(context: &Context<'_>, path: &Path) -> Result<u32, Error> {
    let claims = context.overlaps.look::<Taken>(ALL_FILES)?;
    original(&claims, path).map_or_else(|| mode(path), Ok)
}

/// The mode that the faults of permissions leave a file; `None` when none has taken bits from it.
pub(super) fn mode_in_force(context: &Context<'_>, path: &Path) -> Result<Option<u32>, Error> {
    let claims = context.overlaps.look::<Taken>(ALL_FILES)?;
    Ok(in_force(&claims, path))
}

/// Takes bits from files and folders; returns how many of them lack the bits then.
pub(super) async fn take(context: &Context<'_>, paths: &[PathBuf], bits: u32) -> Result<usize, Error> {
    let mut claims = context.overlaps.lock::<Taken>(ALL_FILES).await?;
    // A step may take bits in several goes.
    let mut taken = claims.of(context.step).cloned().unwrap_or_default();
    for path in paths {
        if let Some(original) = original(claims.all(), path) {
            taken.0.insert(
                path.clone(),
                Bits {
                    original,
                    taken: bits,
                },
            );
        }
    }
    // Registered before the files change: the original modes must be on disk by then.
    claims.add(context.step, taken)?;
    for path in paths {
        if let Some(mode) = in_force(claims.all(), path) {
            set(path, mode)?;
        }
    }
    // Looked at again: some file systems accept a mode and do not keep it.
    let obeys = |path: &&PathBuf| mode(path).is_ok_and(|mode| mode & bits == 0);
    Ok(paths.iter().filter(obeys).count())
}

/// Gives back the bits that this step has taken; what other steps have taken stays taken.
pub(super) async fn give_back(context: &Context<'_>) -> Result<(), Error> {
    let mut claims = context.overlaps.lock::<Taken>(ALL_FILES).await?;
    let Some(taken) = claims.of(context.step).cloned() else {
        return Ok(());
    };
    let others: Vec<Claimed<Taken>> = (claims.all().iter())
        .filter(|claimed| claimed.step != context.step)
        .cloned()
        .collect();
    for (path, bits) in &taken.0 {
        set(path, in_force(&others, path).unwrap_or(bits.original))?;
    }
    // Withdrawn last: a revert that is cut off is repeated in full.
    claims.remove(context.step)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn in_any_order_of_reverts_the_mode_follows_from_the_remaining_claims(
            mode_before in 0u32..0o1000,
            taken in prop::collection::vec(0u32..0o1000, 1..6),
            order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(),
        ) {
            let path = Path::new("/volume/urls.json");
            let mut claims: Vec<Claimed<Taken>> = Vec::new();
            for (step, taken) in taken.iter().enumerate() {
                // As `take` does: the first claim looks at the file, later ones at the first.
                let original = original(&claims, path).unwrap_or(mode_before);
                let claim = Taken([(path.to_owned(), Bits { original, taken: *taken })].into());
                claims.push(Claimed { step, claim });
            }
            for step in order {
                claims.retain(|claimed| claimed.step != step);
                let left = claims.iter().fold(mode_before, |mode, claimed| mode & !taken[claimed.step]);
                prop_assert_eq!(in_force(&claims, path).unwrap_or(mode_before), left);
            }
        }
    }
}
