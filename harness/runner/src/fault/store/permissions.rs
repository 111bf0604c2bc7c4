//! What the faults of permissions share: bits taken from files, so that several faults can overlap. A file's mode is
//! computed anew from all claims.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::place::Place;
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

/// The mode of a file before any fault took bits from it; `None` when no fault has.
fn original(claims: &[Claimed<Taken>], path: &Path) -> Option<u32> {
    let known = claims.iter().find_map(|claimed| claimed.claim.0.get(path));
    known.map(|bits| bits.original)
}

fn mode(place: &Place) -> Result<u32, Error> {
    let meta = place.metadata().map_err(place.failed("look at"))?;
    Ok(meta.permissions().mode() & 0o7777)
}

fn set(place: &Place, mode: u32) -> Result<(), Error> {
    match place.set_mode(mode) {
        // A temporary file may be gone again.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        changed => changed.map_err(place.failed("change the permissions of")),
    }
}

/// The mode of a file before any fault took bits from it.
pub(super) fn original_mode(context: &Context<'_>, place: &Place) -> Result<u32, Error> {
    let claims = context.overlaps.look::<Taken>(ALL_FILES)?;
    original(&claims, place.path()).map_or_else(|| mode(place), Ok)
}

/// The mode that the faults of permissions leave a file; `None` when none has taken bits from it.
pub(super) fn mode_in_force(context: &Context<'_>, place: &Place) -> Result<Option<u32>, Error> {
    let claims = context.overlaps.look::<Taken>(ALL_FILES)?;
    Ok(in_force(&claims, place.path()))
}

/// Takes bits from files and folders; returns how many of them lack the bits then.
pub(super) async fn take(context: &Context<'_>, places: &[Place], bits: u32) -> Result<usize, Error> {
    let mut claims = context.overlaps.lock::<Taken>(ALL_FILES).await?;
    // A step may take bits in several goes.
    let mut taken = claims.of(context.step).cloned().unwrap_or_default();
    for place in places {
        if let Some(original) = original(claims.all(), place.path()).or_else(|| mode(place).ok()) {
            taken.0.insert(
                place.path().to_owned(),
                Bits {
                    original,
                    taken: bits,
                },
            );
        }
    }
    // Registered before the files change: the original modes must be on disk by then.
    claims.add(context.step, taken)?;
    for place in places {
        if let Some(mode) = in_force(claims.all(), place.path()) {
            set(place, mode)?;
        }
    }
    // Looked at again: some file systems accept a mode and do not keep it.
    let obeys = |place: &&Place| mode(place).is_ok_and(|mode| mode & bits == 0);
    Ok(places.iter().filter(obeys).count())
}

/// Gives back the bits that this step has taken below a folder; what other steps have taken stays taken.
pub(super) async fn give_back(context: &Context<'_>, root: &Path) -> Result<(), Error> {
    let mut claims = context.overlaps.lock::<Taken>(ALL_FILES).await?;
    let Some(taken) = claims.of(context.step).cloned() else {
        return Ok(());
    };
    let others: Vec<Claimed<Taken>> = (claims.all().iter())
        .filter(|claimed| claimed.step != context.step)
        .cloned()
        .collect();
    for (path, bits) in &taken.0 {
        let Ok(file) = path.strip_prefix(root) else {
            continue;
        };
        let mode = in_force(&others, path).unwrap_or(bits.original);
        match Place::below_or_at(root, file) {
            Ok(place) => set(&place, mode)?,
            // The service has since put a link or nothing in place of a folder: what it replaced is gone.
            Err(_) if path.symlink_metadata().is_err() => {}
            Err(Error::NotInEffect(_)) => {}
            Err(error) => return Err(error),
        }
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
