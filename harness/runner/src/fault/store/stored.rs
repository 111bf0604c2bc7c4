//! What every fault of stored files shares: which file, keeping the original, changing it in place, looking again.
//!
//! A fault of a file is a function from the old content to the new one ([`Damages`]); everything else is here.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::access_time::{Marks, read_unnoticed};
use super::backup::{Back, Kept};
use crate::fault::{Context, Error, Fault, Injected, Struck};

/// A file of a service's volume.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct Stored {
    /// The service.
    pub(in crate::fault) service: String,
    /// Its volume.
    pub(in crate::fault) volume: String,
    /// The file in it, as a relative path.
    pub(in crate::fault) file: PathBuf,
}

/// A fault that is nothing but a damaged file.
pub(in crate::fault) trait Damages: std::fmt::Debug + Send + Sync {
    /// The file.
    fn stored(&self) -> &Stored;

    /// What is done to it: "cut to 50%".
    fn what(&self) -> String;

    /// From the old content to the new one. Choices are made from the seed.
    fn damage(&self, before: &[u8], seed: u64) -> Damage;
}

#[async_trait]
impl<D: Damages> Fault for D {
    fn describe(&self) -> String {
        format!("{}: {}", self.stored(), self.what())
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        self.stored()
            .damage(context, |before| self.damage(before, context.seed))
            .await
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        self.stored().restore(context)
    }

    fn struck(&self, context: &Context<'_>) -> Option<Struck> {
        self.stored().struck(context)
    }
}

/// How a damaged file is confirmed.
pub(in crate::fault) const CONFIRMED: &str =
    "the file was read back and the damage stayed; that somebody else read it is told by its time of access";

/// What a file is to become.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::fault) enum Damage {
    /// This content, written in place over the old one.
    Content(Vec<u8>),
    /// Not there at all.
    Deleted,
}

impl std::fmt::Display for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {}'s {}", self.file.display(), self.service, self.volume)
    }
}

/// A service that writes while its file is damaged may undo the damage at once; so many times it is done again.
const ATTEMPTS: usize = 5;
/// A write that was under way is over after this: damage that is still there then was not written over unseen.
const STAYS: Duration = Duration::from_millis(150);
/// The same for a file that is gone: a service that makes a new one soon after has met the damage.
const STAYS_AWAY: Duration = Duration::from_millis(30);

impl Stored {
    /// Where the file lies here.
    pub(in crate::fault) fn path(&self, context: &Context<'_>) -> Result<PathBuf, Error> {
        if !self
            .file
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
        {
            return Err(Error::NotInEffect(format!(
                "{} leaves the volume",
                self.file.display()
            )));
        }
        let folder = context.backend.volume(&self.service, &self.volume)?;
        let path = folder.join(&self.file);
        // A link on the way there is followed here, and may mean another place than it does inside a container.
        let way = path.parent().unwrap_or(&folder).canonicalize();
        if let (Ok(way), Ok(folder)) = (way, folder.canonicalize())
            && !way.starts_with(&folder)
        {
            return Err(Error::NotInEffect(format!(
                "{} leaves the volume by a link",
                self.file.display()
            )));
        }
        match fs::symlink_metadata(&path) {
            Ok(meta) if meta.file_type().is_symlink() => Err(Error::NotInEffect(format!(
                "{} is a link; only plain files are touched",
                self.file.display()
            ))),
            _ => Ok(path),
        }
    }

    /// Sets the original aside, then damages the file and looks whether the damage is there, and stays.
    pub(in crate::fault) async fn damage(
        &self,
        context: &Context<'_>,
        change: impl Fn(&[u8]) -> Damage + Send,
    ) -> Result<Injected, Error> {
        let path = self.path(context)?;
        let original = read(&path)?;
        self.kept(context).keep(&path, &original)?;
        for attempt in 0..ATTEMPTS {
            let before = read(&path)?;
            let damage = change(&before);
            let already = matches!(&damage, Damage::Content(content) if *content == before);
            if already && attempt > 0 {
                return Ok(Injected::confirmed(format!(
                    "{self}: the service has written the damage on"
                )));
            }
            if already {
                return Err(Error::NotInEffect(format!(
                    "{self} is so already ({} bytes)",
                    before.len()
                )));
            }
            self.marks(context).settle(&path);
            apply(&path, &damage, &self.marks(context))?;
            if seen(&path, &damage, before.len())?.is_none() {
                continue;
            }
            let stays = match damage {
                Damage::Deleted => STAYS_AWAY,
                Damage::Content(_) => STAYS,
            };
            firedrill_wait::until_due(Instant::now() + stays).await;
            if let Some(evidence) = seen(&path, &damage, before.len())? {
                return Ok(Injected::confirmed(format!("{self}: {evidence}")));
            }
        }
        Err(Error::NotInEffect(format!(
            "{self} was written again each time it was damaged"
        )))
    }

    /// Whether the damage was read, where that can be told: not of a file that is gone or was replaced.
    pub(in crate::fault) fn struck(&self, context: &Context<'_>) -> Option<Struck> {
        let path = self.path(context).ok()?;
        self.marks(context).was_read(&path).map(Struck::file)
    }

    /// What is kept of this file.
    fn kept(&self, context: &Context<'_>) -> Kept {
        Kept::of(self.own(context, "files"), context.step)
    }

    /// Who has damaged it, and whether that was read.
    fn marks(&self, context: &Context<'_>) -> Marks {
        Marks::of(self.own(context, "marks"), context.step)
    }

    /// A folder that all faults of this file share, by whatever name they call it: services may share a volume.
    fn own(&self, context: &Context<'_>, what: &str) -> PathBuf {
        let parts = self.file.components();
        let file: PathBuf = parts.filter(|part| *part != Component::CurDir).collect();
        let folder = context.backend.volume(&self.service, &self.volume);
        let place = folder.map_or_else(|_| self.to_string().into(), |folder| folder.join(file));
        let key = URL_SAFE_NO_PAD.encode(Sha256::digest(place.as_os_str().as_bytes()));
        context.shared().join(what).join(key)
    }

    /// Puts back what was there before; under a later damage it stays hidden until that one is reverted.
    pub(in crate::fault) fn restore(&self, context: &Context<'_>) -> Result<String, Error> {
        let kept = self.kept(context);
        let (original, mode) = match kept.give_back()? {
            Back::Nothing => return Ok(format!("{self} was not touched")),
            Back::Hidden => return Ok(format!("{self} is damaged by a later step still")),
            Back::Content(original, mode) => (original, mode),
        };
        let path = self.path(context)?;
        let beside = beside(&path);
        write_synced(&beside, &original)?;
        // Another fault's permissions stay in force.
        let mode = fs::metadata(&path).map_or(mode, |meta| meta.permissions());
        self.marks(context).hand_on(&path, &beside);
        let put = fs::set_permissions(&beside, mode).and_then(|()| fs::rename(&beside, &path));
        put.map_err(|source| Error::File {
            operation: "put back",
            path,
            source,
        })?;
        kept.forget()?;
        Ok(format!("{self} is the original again ({} bytes)", original.len()))
    }

    /// Gives the file a content that no other name leads to: a generation kept by a hard link is another file, and is not
    /// damaged with this one. Only while nobody has the file open.
    pub(in crate::fault) fn unshare(&self, context: &Context<'_>) -> Result<(), Error> {
        let path = self.path(context)?;
        let beside = beside(&path);
        let copied = fs::copy(&path, &beside).and_then(|_| fs::rename(&beside, &path));
        copied.map_err(|source| Error::File {
            operation: "copy",
            path,
            source,
        })
    }
}

/// Where a file is made before it takes its name.
fn beside(path: &Path) -> PathBuf {
    path.with_extension("firedrill")
}

pub(in crate::fault) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_unnoticed(path).map_err(|source| Error::File {
        operation: "read",
        path: path.to_owned(),
        source,
    })
}

pub(in crate::fault) fn write_synced(path: &Path, content: &[u8]) -> Result<(), Error> {
    let write = || -> io::Result<()> {
        let mut file = fs::File::create(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(|source| Error::File {
        operation: "write",
        path: path.to_owned(),
        source,
    })
}

/// Changes the file itself, not a copy that takes its name: whoever has it open sees the change.
fn apply(path: &Path, damage: &Damage, marks: &Marks) -> Result<(), Error> {
    let change = || -> io::Result<()> {
        match damage {
            Damage::Deleted => fs::remove_file(path),
            Damage::Content(content) => {
                let mut file = OpenOptions::new().write(true).open(path)?;
                file.write_all(content)?;
                file.set_len(content.len() as u64)?;
                marks.put(&file);
                Ok(())
            }
        }
    };
    change().map_err(|source| Error::File {
        operation: "damage",
        path: path.to_owned(),
        source,
    })
}

/// What proves the damage; `None` when it is not there.
fn seen(path: &Path, damage: &Damage, before: usize) -> Result<Option<String>, Error> {
    match (damage, read_unnoticed(path)) {
        (Damage::Deleted, Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            Ok(Some("it is gone (who asks for it is not seen)".into()))
        }
        (Damage::Content(wanted), Ok(now)) if now == *wanted => Ok(Some(format!(
            "it had {before} bytes and has {} other ones",
            now.len()
        ))),
        (_, Err(source)) if source.kind() != io::ErrorKind::NotFound => Err(Error::File {
            operation: "look at",
            path: path.to_owned(),
            source,
        }),
        _ => Ok(None),
    }
}
