//! `fill-disk`: no space is left on a volume.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::backend::Capability;
use crate::fault::{Context, Describe, Error, Fault, Injected};
use firedrill_model::scenario::{LARGEST_FILLED, Requirement};
use firedrill_model::units::Size;

/// Fills a volume of limited size (`limits.volume` in the system file) with a file of ballast, down to the last byte or
/// to what `leave` says. The host's own disk is never filled: a volume that is no mount of its own is refused.
/// Reverting removes the ballast.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct FillDisk {
    /// The service.
    service: String,
    /// Its volume, of limited size.
    volume: String,
    /// How much stays free (0B).
    #[serde(default = "nothing")]
    leave: Size,
}

fn nothing() -> Size {
    Size(0)
}

impl Describe for FillDisk {
    const NAME: &'static str = "fill-disk";
    const SUMMARY: &'static str = "fill a volume of limited size until nothing can be written";
    const CONFIRMED: &'static str = "the file system says how little is free";
    const FAMILY: &'static str = "store";
    const EXAMPLE: &'static str =
        r#"at = "1s", for = "1s", fill-disk = { service = "app", volume = "store", leave = "0B" }"#;
    const LASTS: bool = true;
    const REQUIRES: &'static [Requirement] = &[Requirement::SizedVolume];
}

impl FillDisk {
    fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::File {
            operation,
            path,
            source,
        }
    }

    fn ballast(&self, context: &Context<'_>) -> Result<PathBuf, Error> {
        let folder = context.backend.volume(&self.service, &self.volume)?;
        Ok(folder.join(format!(".firedrill-ballast-{}", context.step)))
    }

    /// Free bytes of the volume, which must be a file system of its own and a small one.
    fn free(&self, folder: &Path) -> Result<u64, Error> {
        let device = |path: &Path| {
            path.metadata()
                .map(|meta| meta.dev())
                .map_err(Self::failed("look at", path))
        };
        let own = device(folder)? != device(folder.parent().unwrap_or(folder))?;
        let space =
            rustix::fs::statvfs(folder).map_err(|error| Self::failed("look at", folder)(error.into()))?;
        let size = space.f_blocks.saturating_mul(space.f_frsize);
        if !own || size > LARGEST_FILLED.0 {
            return Err(Error::NotInEffect(format!(
                "{}'s {} is no volume of limited size; write: limits = {{ volume = {{ {} = \"4MiB\" }} }}",
                self.service, self.volume, self.volume
            )));
        }
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }
}

/// Writes until so much is left, or nothing more can be written.
fn fill(path: &Path, bytes: u64) -> io::Result<u64> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let block = [0; 4096];
    let mut written = 0;
    while written < bytes {
        let now = usize::try_from(bytes - written)
            .unwrap_or(block.len())
            .min(block.len());
        match file.write(&block[..now]) {
            Ok(0) => break,
            Ok(some) => written += some as u64,
            Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

#[async_trait]
impl Fault for FillDisk {
    fn describe(&self) -> String {
        format!("{}'s {}: filled up to {}", self.service, self.volume, self.leave)
    }

    fn needs(&self) -> Vec<Capability> {
        vec![Capability::SizedVolumes]
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        let ballast = self.ballast(context)?;
        let folder = ballast.parent().unwrap_or(&ballast);
        let free = self.free(folder)?;
        let written =
            fill(&ballast, free.saturating_sub(self.leave.0)).map_err(Self::failed("fill", &ballast))?;
        if written == 0 {
            return Err(Error::NotInEffect(format!(
                "only {free} bytes were free as it was, and {} are to be left",
                self.leave
            )));
        }
        let left = self.free(folder)?;
        if left > self.leave.0.max(4096) {
            return Err(Error::NotInEffect(format!("{left} bytes are still free")));
        }
        Ok(Injected::confirmed(format!(
            "{written} bytes of ballast; {left} bytes are free (who writes is not seen)"
        )))
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        let ballast = self.ballast(context)?;
        match fs::remove_file(&ballast) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Self::failed("remove", &ballast)(error));
            }
            _ => {}
        }
        let left = self.free(ballast.parent().unwrap_or(&ballast))?;
        Ok(format!("the ballast is gone; {left} bytes are free"))
    }
}
