//! `read-only`: a volume can be read and not written, as when a file system was remounted after an error.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::permissions;
use super::place::Place;
use crate::backend::Capability;
use crate::fault::error::NotInEffect;
use crate::fault::{Context, Describe, Error, Family, Fault, Injected};
use firedrill_model::format;

/// Takes the write permission from a volume and everything in it: nothing can be created, replaced or opened for
/// writing ("permission denied", where a read-only mount says "read-only file system"). Files that a service already has
/// open for writing stay writable. Reverting gives the permission back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct ReadOnly {
    /// The service.
    service: String,
    /// Its volume.
    volume: String,
}

impl Describe for ReadOnly {
    const NAME: &'static str = "read-only";
    const SUMMARY: &'static str = "make a volume read-only";
    const CONFIRMED: &'static str =
        "nothing in the volume has the write permission, and the service does not run as root";
    const FAMILY: Family = Family::Store;
    const EXAMPLE: &'static str =
        r#"at = "1s", for = "1s", read-only = { service = "app", volume = "store" }"#;
    const LASTS: bool = true;
}

/// The folders of a volume, itself first; or the files in them.
fn everything(folder: &Path, folders: bool, into: &mut Vec<PathBuf>) {
    if folders {
        into.push(folder.to_owned());
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => everything(&entry.path(), folders, into),
            Ok(kind) if kind.is_file() && !folders => into.push(entry.path()),
            _ => {}
        }
    }
}

#[async_trait]
impl Fault for ReadOnly {
    fn describe(&self) -> String {
        format!("make the volume {} of {} read-only", self.volume, self.service)
    }

    fn needs(&self) -> Vec<Capability> {
        vec![Capability::Permissions]
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        // A service with root's capabilities writes whatever the permissions say.
        context.backend.obeys_permissions(&self.service).await?;
        let folder = context.backend.volume(&self.service, &self.volume)?;
        let places = |paths: &[PathBuf]| -> Vec<Place> {
            let below = paths.iter().filter_map(|path| path.strip_prefix(&folder).ok());
            // What has gone since it was listed, or has become a link, is left alone.
            below
                .filter_map(|file| Place::below_or_at(&folder, file).ok())
                .collect()
        };
        // Folders first: otherwise a service that replaces its file would have a new, writable one.
        let mut folders = Vec::new();
        everything(&folder, true, &mut folders);
        let folders = places(&folders);
        if permissions::take(context, &folders, 0o222).await? < folders.len() {
            return Err(NotInEffect::StillWritable { folder }.into());
        }
        // From here on no file is added, replaced or removed.
        let mut files = Vec::new();
        everything(&folder, false, &mut files);
        let obey = permissions::take(context, &places(&files), 0o222).await?;
        Ok(Injected::confirmed(format!(
            "volume {} of {} is read-only ({}); the service does not run as root (cannot tell whether it tried to write)",
            self.volume,
            self.service,
            format::count(obey, "file")
        )))
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        let folder = context.backend.volume(&self.service, &self.volume)?;
        permissions::give_back(context, &folder).await?;
        Ok(format!(
            "volume {} of {} is writable again",
            self.volume, self.service
        ))
    }
}
