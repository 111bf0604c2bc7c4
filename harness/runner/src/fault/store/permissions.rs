//! What the faults of permissions share: bits taken from files, noted with who took them, so that several can overlap
//! and be lifted in any order. What a file may do is computed anew from all that is in force.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::fault::{Context, Error};

/// Steps run side by side; the note is read, changed and written by one of them at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Every file touched: its own permissions, and the bits that each step has taken away.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note(BTreeMap<PathBuf, Taken>);

#[derive(Debug, Serialize, Deserialize)]
struct Taken {
    own: u32,
    by: BTreeMap<usize, u32>,
}

impl Taken {
    fn in_force(&self) -> u32 {
        self.by.values().fold(self.own, |mode, bits| mode & !bits)
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

fn path(context: &Context<'_>) -> PathBuf {
    context.shared().join("permissions.json")
}

fn load(context: &Context<'_>) -> Note {
    let text = fs::read(path(context)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn store(context: &Context<'_>, note: &Note) -> Result<(), Error> {
    let path = path(context);
    let text = serde_json::to_vec(note).unwrap_or_default();
    super::stored::write_synced(&path, &text)
}

fn mode(path: &Path) -> Result<u32, Error> {
    let meta = fs::symlink_metadata(path).map_err(failed("look at", path))?;
    Ok(meta.permissions().mode() & 0o7777)
}

fn set(path: &Path, mode: u32) -> Result<(), Error> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed("change the permissions of", path))
}

/// Takes bits from files and folders; returns how many obey.
pub(in crate::fault) fn take(context: &Context<'_>, paths: &[PathBuf], bits: u32) -> Result<usize, Error> {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut note = load(context);
    for path in paths {
        // A temporary file may be gone again.
        let Ok(own) = mode(path) else { continue };
        let taken = note.0.entry(path.clone()).or_insert(Taken {
            own,
            by: BTreeMap::new(),
        });
        taken.by.insert(context.step, bits);
    }
    store(context, &note)?;
    for path in paths {
        if let Some(taken) = note.0.get(path) {
            match set(path, taken.in_force()) {
                Err(_) if !path.exists() => {}
                done => done?,
            }
        }
    }
    let obeys = |path: &&PathBuf| mode(path).is_ok_and(|mode| mode & bits == 0);
    Ok(paths.iter().filter(obeys).count())
}

/// Gives back what this step has taken; what others have taken stays taken. Returns how many files were given back.
pub(in crate::fault) fn give_back(context: &Context<'_>) -> Result<usize, Error> {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut note = load(context);
    let mut back = 0;
    for (path, taken) in &mut note.0 {
        if taken.by.remove(&context.step).is_some() && path.exists() {
            set(path, taken.in_force())?;
            back += 1;
        }
    }
    note.0.retain(|_, taken| !taken.by.is_empty());
    store(context, &note)?;
    Ok(back)
}
