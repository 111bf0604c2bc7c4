//! Volumes of a limited size: file systems in memory, mounted in the run folder, so that a full disk is a real one and
//! never the host's. Both backends use them; cleanup finds what a killed harness leaves mounted by its path.

use std::io;
use std::path::{Path, PathBuf};

use super::{Spec, Unsupported, privilege};
use firedrill_model::format;

/// Whether this process may mount.
pub(super) fn can() -> Result<(), Unsupported> {
    if cfg!(not(target_os = "linux")) {
        return Err(Unsupported::MountNeedsLinux);
    }
    if !privilege::may_mount() {
        return Err(Unsupported::MountNeedsRoot);
    }
    Ok(())
}

/// Makes a service's own volumes, as folders of a folder; those with a limit as mounts of that size.
pub(super) fn make(spec: &Spec, volumes: &Path) -> io::Result<()> {
    for volume in spec.volumes.keys() {
        let folder = volumes.join(&spec.name).join(volume);
        std::fs::create_dir_all(&folder)?;
        if let Some(size) = spec.limits.volume.get(volume) {
            mount(&folder, size.0)?;
        }
    }
    Ok(())
}

/// Lets every user write to a service's own volumes: its image runs as one that only the image knows. On this machine the
/// folder around them keeps others out.
pub(super) fn open_to_all(spec: &Spec, volumes: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
    if spec.volumes.is_empty() {
        return Ok(());
    }
    set(volumes, 0o700)?;
    for volume in spec.volumes.keys() {
        set(&volumes.join(&spec.name).join(volume), 0o777)?;
    }
    Ok(())
}

/// Mounts a file system of so many bytes on a folder.
#[cfg(target_os = "linux")]
fn mount(folder: &Path, bytes: u64) -> io::Result<()> {
    use rustix::mount::{MountFlags, mount};
    let options = std::ffi::CString::new(format!("size={bytes},mode=0755"))?;
    // As for any folder that a service writes: nothing in it may become a program or a device of this machine.
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount("firedrill", folder, "tmpfs", flags, options.as_c_str())?)
}

/// Unmounts everything below a folder, the last mounted first.
#[cfg(target_os = "linux")]
pub(super) fn unmount_below(folder: &Path) -> io::Result<()> {
    use rustix::mount::{UnmountFlags, unmount};
    // In reverse: a mount on another one comes later in the list and goes first.
    for mount in mounted_below(folder)?.into_iter().rev() {
        unmount(&mount, UnmountFlags::DETACH)?;
    }
    Ok(())
}

/// The mounts below a folder, in the order they were made.
#[cfg(target_os = "linux")]
fn mounted_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mut points = mount_points(&std::fs::read("/proc/self/mountinfo")?);
    points.retain(|point| point.starts_with(&folder));
    Ok(points)
}

/// The mount points of a `/proc/self/mountinfo`: the fifth column of each line, as bytes. A mount of anybody may have any
/// name, and not only one in UTF-8.
#[cfg(target_os = "linux")]
fn mount_points(mountinfo: &[u8]) -> Vec<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let lines = mountinfo.split(|byte| *byte == b'\n');
    let columns = lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    columns
        .map(|point| PathBuf::from(std::ffi::OsString::from_vec(unescaped(point))))
        .collect()
}

/// The kernel writes a space, a tab, a line break and a backslash as a backslash with three octal digits.
#[cfg(target_os = "linux")]
fn unescaped(mut text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    while let [first, rest @ ..] = text {
        match rest {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] if *first == b'\\' => {
                bytes.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                text = after;
            }
            _ => {
                bytes.push(*first);
                text = rest;
            }
        }
    }
    bytes
}

#[cfg(not(target_os = "linux"))]
fn mount(_: &Path, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn unmount_below(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Why a service's folders are still there.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRemoved {
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// This user may not remove them, and the engine no longer helps: the container has gone.
    #[error(
        "{source}: a container wrote files in it as another user; remove it with: {}",
        format::command(["sudo", "rm", "-r", "--", &*folder.to_string_lossy()])
    )]
    OfAnotherUser {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Removes a service's folders in whatever state a fault has left them: mounted, read-only, unreadable.
pub(super) fn remove_all(folder: &Path) -> Result<(), NotRemoved> {
    if !folder.exists() {
        return Ok(());
    }
    unmount_below(folder)?;
    // After unmounting: the contents of a mount vanish with it. A fault may have left folders without permissions.
    unlock(folder);
    match std::fs::remove_dir_all(folder) {
        Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
            let folder = folder.to_owned();
            Err(NotRemoved::OfAnotherUser { folder, source })
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Lets the owner into every folder again. What fails is found by the removal itself.
fn unlock(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    drop(std::fs::set_permissions(
        folder,
        std::fs::Permissions::from_mode(0o700),
    ));
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            unlock(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_locked_folder_is_removed_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("volumes/app");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join("urls.json"), "{}").unwrap();
        std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o000)).unwrap();
        remove_all(&folder.path().join("volumes")).unwrap();
        assert!(!folder.path().join("volumes").exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_mount_point_may_have_any_name() {
        let mountinfo = b"36 35 98:0 / /a\\040b\\011c\\134d\\012 rw - tmpfs x rw\n\
            37 35 98:0 / /caf\xe9\\04 rw - tmpfs x rw\n\n";
        let bytes: Vec<Vec<u8>> = mount_points(mountinfo)
            .into_iter()
            .map(|point| std::os::unix::ffi::OsStringExt::into_vec(point.into_os_string()))
            .collect();
        assert_eq!(bytes, [b"/a b\tc\\d\n".to_vec(), b"/caf\xe9\\04".to_vec()]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_mounted_volume_is_unmounted_and_removed() {
        if can().is_err() {
            return;
        }
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        for name in [&b"a b"[..], b"tab\tand \\040", b"caf\xe9"] {
            let volume = folder
                .path()
                .join("volumes")
                .join(std::ffi::OsStr::from_bytes(name));
            std::fs::create_dir_all(&volume).unwrap();
            mount(&volume, 1 << 20).unwrap();
            assert!(
                std::fs::write(volume.join("big"), vec![0; 2 << 20]).is_err(),
                "it is full at its size"
            );
        }
        remove_all(&folder.path().join("volumes")).unwrap();
        assert_eq!(mounted_below(folder.path()).unwrap(), Vec::<PathBuf>::new());
    }
}
