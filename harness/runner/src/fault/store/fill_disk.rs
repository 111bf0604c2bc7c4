//! `fill-disk`: no space is left on a volume.

use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::place::Place;
use crate::backend::Capability;
use crate::fault::error::{NotInEffect, failed};
use crate::fault::{Context, Describe, Error, Family, Fault, Injected};
use firedrill_model::scenario::{LARGEST_FILLED, Requirement};
use firedrill_model::units::Size;

/// Fills a volume of limited size (`limits.volume` in the system file) with a ballast file, until nothing or as much as
/// `leave` is free. The host's own disk is never filled: a volume that is not a mount of its own is refused.
/// Reverting removes the ballast.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct FillDisk {
    /// The service.
    service: String,
    /// Its volume, of limited size.
    volume: String,
    /// How much stays free [default: 0B].
    #[serde(default = "nothing")]
    leave: Size,
}

fn nothing() -> Size {
    Size(0)
}

impl Describe for FillDisk {
    const NAME: &'static str = "fill-disk";
    const SUMMARY: &'static str = "fill a volume of limited size until nothing can be written";
    const CONFIRMED: &'static str = "the file system reports the free space";
    const FAMILY: Family = Family::Store;
    const EXAMPLE: &'static str =
        r#"at = "1s", for = "1s", fill-disk = { service = "app", volume = "store", leave = "0B" }"#;
    const LASTS: bool = true;
    const REQUIRES: &'static [Requirement] = &[Requirement::SizedVolume];
}

impl FillDisk {
    fn ballast(&self, context: &Context<'_>) -> Result<Place, Error> {
        let name = format!(".firedrill-ballast-{}", context.step);
        Place::of(context, &self.service, &self.volume, Path::new(&name))
    }

    /// Free bytes of the volume, which must be a file system of its own and a small one.
    fn free(&self, folder: &Path) -> Result<u64, Error> {
        let device = |path: &Path| {
            path.metadata()
                .map(|meta| meta.dev())
                .map_err(failed("look at", path))
        };
        // A folder on the device of its parent is not a mount of its own: filling it would fill this machine's disk.
        let is_mount = device(folder)? != device(folder.parent().unwrap_or(folder))?;
        let space = rustix::fs::statvfs(folder).map_err(|error| failed("look at", folder)(error.into()))?;
        let size = space.f_blocks.saturating_mul(space.f_frsize);
        if !is_mount || size > LARGEST_FILLED.0 {
            let (service, volume) = (self.service.clone(), self.volume.clone());
            return Err(NotInEffect::UnlimitedVolume { service, volume }.into());
        }
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }
}

/// Writes so many bytes, or as many as there is space for; returns how many.
fn fill(mut file: impl Write, bytes: u64) -> io::Result<u64> {
    let block = [0; 4096];
    let mut written = 0;
    while written < bytes {
        let now = usize::try_from(bytes - written)
            .unwrap_or(block.len())
            .min(block.len());
        match file.write(&block[..now]) {
            // A full disk may also show as a short write.
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
        format!(
            "fill the volume {} of {} until {} is free",
            self.volume, self.service, self.leave
        )
    }

    fn needs(&self) -> Vec<Capability> {
        vec![Capability::SizedVolumes]
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        let ballast = self.ballast(context)?;
        let folder = context.backend.volume(&self.service, &self.volume)?;
        let free = self.free(&folder)?;
        // A new file: what the service may have put under this name is not written to.
        let file = ballast.create().map_err(ballast.failed("create"))?;
        let written = fill(file, free.saturating_sub(self.leave.0)).map_err(ballast.failed("fill"))?;
        if written == 0 {
            let leave = self.leave;
            return Err(NotInEffect::AlreadyFull { free, leave }.into());
        }
        // Looked at again: the service may have freed space while the ballast was written.
        let left = self.free(&folder)?;
        // A file system counts in blocks: less than one may stay free.
        if left > self.leave.0.max(4096) {
            let (free, leave) = (left, self.leave);
            return Err(NotInEffect::StillFree { free, leave }.into());
        }
        Ok(Injected::confirmed(format!(
            "wrote {} of ballast; {} free (attempts to write are not observable)",
            Size(written),
            Size(left)
        )))
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        let ballast = self.ballast(context)?;
        // A folder of that name is the service's own: the ballast was never written then.
        let is_file = ballast.metadata().is_ok_and(|meta| !meta.is_dir());
        if is_file {
            ballast.remove().map_err(ballast.failed("remove"))?;
        }
        let folder = context.backend.volume(&self.service, &self.volume)?;
        let left = self.free(&folder)?;
        Ok(format!("ballast removed; {} free", Size(left)))
    }
}
