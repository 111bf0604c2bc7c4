//! `read-only`: a volume can be read and not written, as when a file system was remounted after an error.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Context, Describe, Error, Fault, Injected, permissions};
use crate::target::Capability;

/// Takes the permission to write from a volume and everything in it: nothing can be created, replaced or opened for
/// writing ("permission denied", where a read-only mount says "read-only file system"). What a service has open for
/// writing already stays so. Reverting gives it back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadOnly {
    /// The service.
    service: String,
    /// Its volume.
    volume: String,
}

impl Describe for ReadOnly {
    const NAME: &'static str = "read-only";
    const SUMMARY: &'static str = "make a volume read-only";
    const FAMILY: &'static str = "store";
    const EXAMPLE: &'static str =
        r#"at = "1s", for = "1s", read-only = { service = "app", volume = "store" }"#;
    const LASTS: bool = true;
}

/// Everything below a folder, and the folder itself last: until then it can be walked and changed.
fn everything(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => everything(&entry.path(), into),
            Ok(kind) if kind.is_file() => into.push(entry.path()),
            _ => {}
        }
    }
    into.push(folder.to_owned());
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
        context.target.obeys_permissions(&self.service).await?;
        let folder = context.target.volume(&self.service, &self.volume)?;
        let mut paths = Vec::new();
        everything(&folder, &mut paths);
        let obey = permissions::take(context, &paths, 0o222)?;
        // A file may have been replaced while the folder was still writable; the folder itself is what counts.
        Ok(Injected::confirmed(format!(
            "nothing can be written to {}'s {} ({obey} files and folders), and the service obeys that",
            self.service, self.volume
        )))
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        permissions::give_back(context)?;
        Ok(format!("{}'s {} can be written again", self.service, self.volume))
    }
}
