//! Folders in volumes that belong to other users: taken over by the harness, so that it can remove what is in them.
//!
//! A container writes to its volumes as its own user, often root. A harness that is another user cannot remove such a
//! folder; the engine can change its owner. It unpacks an archive of nothing but folders into the container, which gives
//! the folders that are there the owner and the permissions that the archive has. The container need not run, and
//! needs no program for it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use testcontainers::bollard::query_parameters::UploadToContainerOptionsBuilder;
use testcontainers::bollard::{Docker, body_full};
use tokio_tar::{Builder, EntryType, Header};

/// Each round reaches one level deeper than the harness could look before.
const ROUNDS: usize = 64;

/// Takes over the folders in a container's volumes that belong to others. What fails is found when they are removed.
pub(in crate::backend) async fn reclaim(client: &Docker, container: &str) {
    let user = rustix::process::geteuid();
    // Root removes everything anyway.
    if user.is_root() {
        return;
    }
    let inspected = client.inspect_container(container, None).await.ok();
    let mounts = inspected
        .and_then(|inspected| inspected.mounts)
        .unwrap_or_default();
    for mount in mounts {
        if let (Some(here), Some(inside)) = (mount.source, mount.destination) {
            reclaim_below(
                client,
                container,
                Path::new(&here),
                Path::new(&inside),
                user.as_raw(),
            )
            .await;
        }
    }
}

async fn reclaim_below(client: &Docker, container: &str, here: &Path, inside: &Path, user: u32) {
    let mut before = Vec::new();
    for _ in 0..ROUNDS {
        let mut others = Vec::new();
        of_others(here, user, &mut others);
        // Nothing left, or the engine does not change it.
        if others.is_empty() || others == before {
            return;
        }
        let names = others.iter().filter_map(|path| {
            let below = path.strip_prefix(here).ok()?;
            inside.join(below).strip_prefix("/").ok().map(Path::to_owned)
        });
        let Ok(archive) = folders(names, user).await else {
            return;
        };
        let options = UploadToContainerOptionsBuilder::default().path("/").build();
        let unpacked = client.upload_to_container(container, Some(options), body_full(archive.into()));
        if unpacked.await.is_err() {
            return;
        }
        before = others;
    }
}

/// The folders below one that another user owns, as far as they can be seen. Links are not followed.
fn of_others(folder: &Path, user: u32, found: &mut Vec<PathBuf>) {
    let Ok(meta) = folder.symlink_metadata() else {
        return;
    };
    if !meta.is_dir() {
        return;
    }
    if meta.uid() != user {
        found.push(folder.to_owned());
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        of_others(&entry.path(), user, found);
    }
}

/// An archive of folders that belong to a user, and that it may read and change.
async fn folders(paths: impl Iterator<Item = PathBuf>, user: u32) -> std::io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    for path in paths {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Directory);
        header.set_size(0);
        header.set_mode(0o700);
        header.set_uid(user.into());
        header.set_gid(rustix::process::getegid().as_raw().into());
        archive.append_data(&mut header, path, tokio::io::empty()).await?;
    }
    archive.into_inner().await
}
