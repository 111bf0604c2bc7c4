//! `read-only`: a volume can be read and not written, as when a file system was remounted after an error.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::permissions;
use crate::backend::Capability;
use crate::fault::{Context, Describe, Error, Fault, Injected};

/// Takes the permission to write from a volume and everything in it: nothing can be created, replaced or opened for
/// writing ("permission denied", where a read-only mount says "read-only file system"). What a service has open for
/// writing already stays so. Reverting gives it back.
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
    const CONFIRMED: &'static str = "nothing in the volume has the permission to write, and the service's process is one that permissions bind";
    const FAMILY: &'static str = "store";
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
        format!("{}'s {}: made read-only", self.service, self.volume)
    }

    fn needs(&self) -> Vec<Capability> {
        vec![Capability::Permissions]
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        context.backend.obeys_permissions(&self.service).await?;
        let folder = context.backend.volume(&self.service, &self.volume)?;
        let mut folders = Vec::new();
        everything(&folder, true, &mut folders);
        if permissions::take(context, &folders, 0o222)? < folders.len() {
            return Err(Error::NotInEffect(format!(
                "{} can still be written to",
                folder.display()
            )));
        }
        // From here on no file is added, replaced or removed.
        let mut files = Vec::new();
        everything(&folder, false, &mut files);
        let obey = permissions::take(context, &files, 0o222)?;
        Ok(Injected::confirmed(format!(
            "nothing can be written to {}'s {} ({obey} files), and the service obeys that (who tries is not \
             seen)",
            self.service, self.volume
        )))
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        permissions::give_back(context)?;
        Ok(format!("{}'s {} can be written again", self.service, self.volume))
    }
}
