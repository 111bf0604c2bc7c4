//! What several steps ask of one thing at the same time: the one registry of a drill.
//!
//! A fault registers a *claim* on a thing (a service, a file, the alert receiver) before it acts, and withdraws it when
//! it reverts. What is in effect follows from the list of claims alone: the narrowest limit, all permission bits taken
//! together, the newest content. So overlapping faults can be reverted in any order, and the last revert restores the
//! original. No fault keeps a list of its own.
//!
//! The list of a thing is a file of the run folder, replaced as a whole: a claim is on the disk before its effect is
//! there, and another process can read what a killed drill had in effect. The toxics of a link are not in here: the
//! proxy works by the same rule from its own list, which ends with the harness as the proxy does.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::OwnedMutexGuard;

use super::Error;
use super::error::failed;

/// What a step can ask of a thing.
pub(in crate::fault) trait Claim: Serialize + DeserializeOwned {
    /// What kind of claim it is; claims of different kinds on one thing do not meet.
    const KIND: &'static str;
}

/// The claims of all steps of one drill.
#[derive(Debug)]
pub struct Overlaps {
    folder: PathBuf,
    locks: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
}

/// A step's claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::fault) struct Claimed<T> {
    /// The step, from 0.
    pub(in crate::fault) step: usize,
    /// What it asks for.
    pub(in crate::fault) claim: T,
}

/// All claims of one kind on one thing, oldest first. Nobody else changes them while this exists: hold it until what
/// follows from the claims is in effect.
#[must_use]
pub(in crate::fault) struct Claims<T> {
    path: PathBuf,
    list: Vec<Claimed<T>>,
    _lock: OwnedMutexGuard<()>,
}

impl Overlaps {
    /// The registry in a folder, which is made with the first claim.
    pub fn open(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            locks: Mutex::default(),
        }
    }

    /// Where the claims of one kind on a thing are. A thing may have any name: a path of a file, for example.
    fn path<T: Claim>(&self, thing: &str) -> PathBuf {
        // A thing may be a path of any length and with any characters; its digest is a valid file name.
        let name = URL_SAFE_NO_PAD.encode(Sha256::digest(thing));
        self.folder.join(T::KIND).join(format!("{name}.json"))
    }

    /// A folder for what claims of one kind on a thing refer to and is too large for the list.
    pub(in crate::fault) fn attachments<T: Claim>(&self, thing: &str) -> PathBuf {
        self.path::<T>(thing).with_extension("files")
    }

    /// The claims on a thing as they are now.
    pub(in crate::fault) fn look<T: Claim>(&self, thing: &str) -> Result<Vec<Claimed<T>>, Error> {
        read(&self.path::<T>(thing))
    }

    /// The claims on a thing, to be changed.
    pub(in crate::fault) async fn lock<T: Claim>(&self, thing: &str) -> Result<Claims<T>, Error> {
        let path = self.path::<T>(thing);
        let lock = {
            // Held only to find the thing's own lock: waiting for one thing must not stop the others.
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(locks.entry(path.clone()).or_default())
        };
        let lock = lock.lock_owned().await;
        // Read under the lock: its last holder may have changed the list.
        Ok(Claims {
            list: read(&path)?,
            path,
            _lock: lock,
        })
    }
}

impl<T: Claim> Claims<T> {
    /// All of them, oldest first.
    pub(in crate::fault) fn all(&self) -> &[Claimed<T>] {
        &self.list
    }

    /// The claim of a step.
    pub(in crate::fault) fn of(&self, step: usize) -> Option<&T> {
        let claimed = self.list.iter().find(|claimed| claimed.step == step);
        claimed.map(|claimed| &claimed.claim)
    }

    /// Registers a claim as the newest, in place of an earlier one of the step.
    pub(in crate::fault) fn add(&mut self, step: usize, claim: T) -> Result<(), Error> {
        self.list.retain(|claimed| claimed.step != step);
        self.list.push(Claimed { step, claim });
        self.save()
    }

    /// Withdraws a step's claim.
    pub(in crate::fault) fn remove(&mut self, step: usize) -> Result<(), Error> {
        self.edit(|list| list.retain(|claimed| claimed.step != step))
    }

    /// Changes the list in one go.
    pub(in crate::fault) fn edit(&mut self, change: impl FnOnce(&mut Vec<Claimed<T>>)) -> Result<(), Error> {
        change(&mut self.list);
        self.save()
    }

    fn save(&self) -> Result<(), Error> {
        let write = || replace(&self.path, &serde_json::to_vec(&self.list)?);
        write().map_err(failed("write the claims in", &self.path))
    }
}

/// "step 2 and step 3", as people count.
pub(in crate::fault) fn steps<T>(claims: &[Claimed<T>]) -> String {
    // People count steps from 1.
    let mut steps: Vec<usize> = claims.iter().map(|claimed| claimed.step + 1).collect();
    steps.sort_unstable();
    let names: Vec<String> = steps.iter().map(|step| format!("step {step}")).collect();
    names.join(" and ")
}

fn read<T: Claim>(path: &Path) -> Result<Vec<Claimed<T>>, Error> {
    let parse = || -> io::Result<Vec<Claimed<T>>> {
        match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            text => Ok(serde_json::from_slice(&text?)?),
        }
    };
    parse().map_err(failed("read the claims in", path))
}

/// Puts a file in place whole, and on the disk before anything is done because of it: a reader meets the old list or
/// the new one, never half of one.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension("new");
    let mut file = fs::File::create(&new)?;
    file.write_all(content)?;
    // Before the rename: the name must never lead to an incomplete list.
    file.sync_all()?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct AtMost(u32);

    impl Claim for AtMost {
        const KIND: &'static str = "at-most";
    }

    fn in_force(claims: &[Claimed<AtMost>]) -> Option<u32> {
        claims.iter().map(|claimed| claimed.claim.0).min()
    }

    proptest! {
        #[test]
        fn in_any_order_of_reverts_the_remaining_claims_alone_decide(
            limits in prop::collection::vec(0u32..100, 1..6),
            order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let overlaps = Overlaps::open(folder.path());
                for (step, limit) in limits.iter().enumerate() {
                    overlaps.lock("app").await.unwrap().add(step, AtMost(*limit)).unwrap();
                }
                let mut left: Vec<Option<u32>> = limits.iter().copied().map(Some).collect();
                for step in order {
                    overlaps.lock::<AtMost>("app").await.unwrap().remove(step).unwrap();
                    if let Some(gone) = left.get_mut(step) { *gone = None }
                    // Read by another process, as it were.
                    let now = Overlaps::open(folder.path()).look("app").unwrap();
                    assert_eq!(in_force(&now), left.iter().flatten().min().copied());
                }
            });
        }
    }

    #[tokio::test]
    async fn a_claim_made_twice_counts_once_and_is_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let overlaps = Overlaps::open(folder.path());
        let mut claims = overlaps.lock("app").await.unwrap();
        for (step, limit) in [(0, 5), (1, 6), (0, 7)] {
            claims.add(step, AtMost(limit)).unwrap();
        }
        let steps: Vec<usize> = claims.all().iter().map(|claimed| claimed.step).collect();
        assert_eq!((steps, claims.of(0)), (vec![1, 0], Some(&AtMost(7))));
        assert!(
            overlaps.look::<AtMost>("edge").unwrap().is_empty(),
            "another thing"
        );
    }

    #[tokio::test]
    async fn two_steps_change_one_list_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let overlaps = Arc::new(Overlaps::open(folder.path()));
        let tasks = (0..8).map(|step| {
            let overlaps = Arc::clone(&overlaps);
            tokio::spawn(async move {
                let mut claims = overlaps.lock("app").await.unwrap();
                tokio::task::yield_now().await;
                claims.add(step, AtMost(1)).unwrap();
            })
        });
        futures::future::join_all(tasks).await;
        assert_eq!(overlaps.look::<AtMost>("app").unwrap().len(), 8);
    }
}
