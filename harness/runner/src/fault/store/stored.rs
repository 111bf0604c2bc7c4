//! What every fault of stored files shares: which file, its backup, the damage in place, a second look.
//!
//! A fault of a file is a function from the old content to the new one ([`Damages`]); everything else is here.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, PathBuf};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rustix::fs::OFlags;
use schemars::JsonSchema;
use serde::Deserialize;

use super::access_time::AccessTimes;
use super::backup::{Backups, Restore};
use super::permissions;
use super::place::Place;
use crate::fault::error::NotInEffect;
use crate::fault::{Context, Error, Fault, HitCount, Injected};
use firedrill_model::units::Size;

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

    /// The damage, in words: "cut to 50%".
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
        self.stored().restore(context).await
    }

    fn hits(&self, context: &Context<'_>) -> Option<HitCount> {
        self.stored().hits(context)
    }
}

/// How a damaged file is confirmed.
pub(in crate::fault) const CONFIRMED: &str =
    "the file was read back and the damage stayed; its access time shows whether the service read it";

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
        write!(f, "{}/{} of {}", self.volume, self.file.display(), self.service)
    }
}

/// A service that writes while its file is damaged may repair it at once; it is damaged again so often.
const ATTEMPTS: usize = 5;
/// A write that was under way is over after this: damage that is still there then was not overwritten unseen.
const STAYS: Duration = Duration::from_millis(150);
/// The same for a deleted file: a service that writes a new one soon after has been hit.
const STAYS_DELETED: Duration = Duration::from_millis(30);

impl Stored {
    /// Where the file lies here. Nothing outside its volume is ever touched.
    pub(super) fn place(&self, context: &Context<'_>) -> Result<Place, Error> {
        Place::of(context, &self.service, &self.volume, &self.file)
    }

    /// Backs up the file, then damages it and looks whether the damage is there and stays.
    pub(super) async fn damage(
        &self,
        context: &Context<'_>,
        change: impl Fn(&[u8]) -> Damage + Send,
    ) -> Result<Injected, Error> {
        let place = self.place(context)?;
        place.refuse_special()?;
        let name = self.name(context);
        // Until the damage is there no other step may back up or restore the file: backups are in the order of damages.
        let mut backups = Backups::lock(context.overlaps, &name, context.step).await?;
        backups.back_up(&read(&place)?, permissions::original_mode(context, &place)?)?;
        for attempt in 0..ATTEMPTS {
            // Read anew at each attempt: the service may have written in between, and its newest data is damaged.
            let before = read(&place)?;
            let damage = change(&before);
            if matches!(&damage, Damage::Content(content) if *content == before) {
                return self.already_damaged(attempt, before.len());
            }
            if let Some(evidence) = self.attempt(context, &place, &damage, before.len()).await? {
                return Ok(Injected::confirmed(format!("{self}: {evidence}")));
            }
        }
        let (file, attempts) = (self.to_string(), ATTEMPTS);
        Err(NotInEffect::WrittenAgain { file, attempts }.into())
    }

    /// The file has the content that it was to get: because the service has read the damage and written it back, or
    /// because it had it before.
    fn already_damaged(&self, attempt: usize, length: usize) -> Result<Injected, Error> {
        if attempt > 0 {
            return Ok(Injected::confirmed(format!(
                "{self}: the service wrote the damaged content back"
            )));
        }
        let (file, bytes) = (self.to_string(), length as u64);
        Err(NotInEffect::AlreadyDamaged { file, bytes }.into())
    }

    /// Damages the file once. `None` when the damage did not stay.
    async fn attempt(
        &self,
        context: &Context<'_>,
        place: &Place,
        damage: &Damage,
        before: usize,
    ) -> Result<Option<String>, Error> {
        let name = self.name(context);
        let times = AccessTimes::of(context.overlaps, &name, context.step);
        // Before the damage, which removes the traces of reads of the damage before it.
        times.settle(place).await?;
        if let Some(file) = apply(place, damage)? {
            times.begin(&file).await?;
        }
        // At once, and again below: a service that writes constantly puts its own content back.
        if evidence(place, damage, before)?.is_none() {
            return Ok(None);
        }
        let stays = match damage {
            Damage::Deleted => STAYS_DELETED,
            Damage::Content(_) => STAYS,
        };
        firedrill_wait::until_due(Instant::now() + stays).await;
        evidence(place, damage, before)
    }

    /// Whether the damage was read; `None` where nothing shows it: of a deleted file, or of one that was replaced.
    pub(super) fn hits(&self, context: &Context<'_>) -> Option<HitCount> {
        let place = self.place(context).ok()?;
        let name = self.name(context);
        let times = AccessTimes::of(context.overlaps, &name, context.step);
        times.was_read(&place).map(HitCount::file)
    }

    /// The file's name in the registry. All faults of the file share it, by whatever name they call it: services may
    /// share a volume, and a path may contain `.`.
    fn name(&self, context: &Context<'_>) -> String {
        let parts = self.file.components();
        let file: PathBuf = parts.filter(|part| *part != Component::CurDir).collect();
        match context.backend.volume(&self.service, &self.volume) {
            Ok(folder) => folder.join(file).display().to_string(),
            Err(_) => self.to_string(),
        }
    }

    /// Restores what was there before; under a later damage it stays hidden until that one is reverted.
    pub(super) async fn restore(&self, context: &Context<'_>) -> Result<String, Error> {
        let name = self.name(context);
        let mut backups = Backups::lock(context.overlaps, &name, context.step).await?;
        let (original, mode) = match backups.restore()? {
            Restore::Nothing => return Ok(format!("{self}: nothing to restore")),
            Restore::Covered => return Ok(format!("{self}: a later step still damages it")),
            Restore::Content(original, mode) => (original, mode),
        };
        let place = self.place(context)?;
        // Whatever the service has put there since: a link is replaced, not followed.
        let new = place.beside(&original)?;
        // Another fault's permissions stay in force.
        let mode = match place.metadata() {
            Ok(meta) if meta.is_file() => meta.permissions().mode(),
            _ => permissions::mode_in_force(context, &place)?.unwrap_or(mode),
        };
        AccessTimes::of(context.overlaps, &name, context.step)
            .pass_on(&place, new.file())
            .await?;
        new.put_in_place(mode)?;
        // Only now: until the content is in place, a revert that was cut off must find the backup.
        backups.forget()?;
        Ok(format!(
            "{self}: original restored ({})",
            Size(original.len() as u64)
        ))
    }

    /// Gives the file a content that no other name leads to: a hard link to it is another file of the service (a former
    /// generation, say), and is not to be damaged with this one. Only while nobody has the file open.
    pub(super) fn unshare(&self, context: &Context<'_>) -> Result<(), Error> {
        let place = self.place(context)?;
        place.refuse_special()?;
        let mode = place.metadata().map_err(place.failed("look at"))?;
        place
            .beside(&read(&place)?)?
            .put_in_place(mode.permissions().mode())
    }
}

/// Changes the file itself, not a copy that is renamed over it: a service that has it open sees the change. Returns the
/// file, if there still is one.
fn apply(place: &Place, damage: &Damage) -> Result<Option<File>, Error> {
    let change = || -> io::Result<Option<File>> {
        match damage {
            Damage::Deleted => place.remove().map(|()| None),
            Damage::Content(content) => {
                let mut file = place.open(OFlags::WRONLY)?;
                file.write_all(content)?;
                file.set_len(content.len() as u64)?;
                Ok(Some(file))
            }
        }
    };
    change().map_err(place.failed("damage"))
}

/// The content, read without a trace in the access time.
fn read(place: &Place) -> Result<Vec<u8>, Error> {
    place.read_untraced().map_err(place.failed("read"))
}

/// What shows the damage; `None` when it is not there.
fn evidence(place: &Place, damage: &Damage, before: usize) -> Result<Option<String>, Error> {
    match (damage, place.read_untraced()) {
        (Damage::Deleted, Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(Some(
            "deleted (reads of a missing file are not observable)".into(),
        )),
        (Damage::Content(wanted), Ok(now)) if now == *wanted => {
            let (before, now) = (Size(before as u64), Size(now.len() as u64));
            Ok(Some(format!("content replaced, {before} before and {now} now")))
        }
        (_, Err(source)) if source.kind() != io::ErrorKind::NotFound => Err(place.failed("look at")(source)),
        _ => Ok(None),
    }
}
