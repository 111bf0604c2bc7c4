//! A file of a volume, reached by descriptors and never by way of a link.
//!
//! Takes a volume's folder and a relative path; gives the operations of the store faults on the file there. The service
//! writes to the volume while the harness does, often as another user and in a container, and the harness may be root:
//! whatever the service puts in a file's place, nothing outside the volume is read, written or created.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, fchown, openat, renameat, unlinkat};

use crate::fault::error::{NotInEffect, failed};
use crate::fault::{Context, Error};
use firedrill_model::files::{FileError, Special};

/// The largest file that is damaged, since its content is held in memory; a sparse one costs a service nothing.
const LARGEST: u64 = 1 << 30;
/// So many names are tried for a new file, when others have the ones before.
const NAMES: usize = 16;

/// Never follows a link, never waits for a writer of a pipe, is never inherited.
const CAREFUL: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);
/// Opens a folder only to go on from it.
#[cfg(target_os = "linux")]
const ENTER: OFlags = CAREFUL.union(OFlags::DIRECTORY).union(OFlags::PATH);
#[cfg(not(target_os = "linux"))]
const ENTER: OFlags = CAREFUL.union(OFlags::DIRECTORY);

/// Where a file of a volume is, whether or not there is one.
#[derive(Debug)]
pub(super) struct Place {
    /// The folder that it is in, opened.
    folder: OwnedFd,
    /// Its name there.
    name: OsString,
    /// Its path, for messages and as a key.
    path: PathBuf,
    /// The same as the scenario names it.
    file: PathBuf,
}

impl Place {
    /// The place of a file in a service's volume.
    pub(super) fn of(context: &Context<'_>, service: &str, volume: &str, file: &Path) -> Result<Self, Error> {
        let root = context.backend.volume(service, volume)?;
        Self::below(&root, file)
    }

    /// The place of a file below a folder. The folder itself is the harness's own.
    pub(super) fn below(root: &Path, file: &Path) -> Result<Self, Error> {
        let outside = || NotInEffect::OutsideVolume {
            file: file.to_owned(),
        };
        let mut parts = Vec::new();
        for part in file.components() {
            match part {
                Component::Normal(part) => parts.push(part),
                Component::CurDir => {}
                _ => return Err(outside().into()),
            }
        }
        let name = parts.pop().ok_or_else(outside)?;
        let mut path = root.to_owned();
        let mut folder =
            openat(CWD, root, ENTER, Mode::empty()).map_err(|error| failed("open", root)(error.into()))?;
        // One folder after the other: none of them may be a link, wherever it leads.
        for part in parts {
            path.push(part);
            folder = enter(&folder, part).map_err(|error| match path.is_symlink() {
                true => NotInEffect::ThroughLink {
                    file: file.to_owned(),
                }
                .into(),
                false => failed("open", &path)(error),
            })?;
        }
        path.push(name);
        Ok(Self {
            folder,
            name: name.to_owned(),
            path,
            file: file.to_owned(),
        })
    }

    /// The same, where the file may also be the folder itself: an empty path.
    pub(super) fn below_or_at(root: &Path, file: &Path) -> Result<Self, Error> {
        match (file.as_os_str().is_empty(), root.parent(), root.file_name()) {
            (true, Some(parent), Some(name)) => {
                let place = Self::below(parent, Path::new(name))?;
                Ok(Self {
                    path: root.to_owned(),
                    ..place
                })
            }
            _ => Self::below(root, file),
        }
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Names a failed operation on it.
    pub(super) fn failed(&self, operation: &'static str) -> impl FnOnce(io::Error) -> Error {
        failed(operation, &self.path)
    }

    /// What is there now; a link is looked at, not followed.
    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        // Opened for nothing but its name: neither does a pipe wait, nor does a device notice.
        #[cfg(target_os = "linux")]
        {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = openat(&self.folder, &self.name, flags, Mode::empty())?;
            File::from(file).metadata()
        }
        #[cfg(not(target_os = "linux"))]
        self.path.symlink_metadata()
    }

    /// Refuses what is no regular file. A file that is missing is none of that.
    pub(super) fn refuse_special(&self) -> Result<(), Error> {
        let Ok(meta) = self.metadata() else {
            return Ok(());
        };
        Special::of(meta.file_type()).map_or(Ok(()), |special| {
            let file = self.file.clone();
            Err(NotInEffect::NotRegular { file, special }.into())
        })
    }

    /// Opens the regular file that is there.
    pub(super) fn open(&self, flags: OFlags) -> io::Result<File> {
        let special = |meta: &Metadata| Special::of(meta.file_type());
        // Before it is opened, which a device may notice, and afterwards, as it may have been replaced in between.
        let before = special(&self.metadata()?);
        let file = File::from(openat(&self.folder, &self.name, CAREFUL | flags, Mode::empty())?);
        match before.or(special(&file.metadata()?)) {
            None => Ok(file),
            Some(special) => Err(io::Error::other(FileError::NotRegular(special))),
        }
    }

    /// Its content, read without changing its access time, where that is allowed: only the file's owner may.
    pub(super) fn read_untraced(&self) -> io::Result<Vec<u8>> {
        #[cfg(target_os = "linux")]
        let quiet = self.open(OFlags::RDONLY | OFlags::NOATIME);
        #[cfg(not(target_os = "linux"))]
        let quiet = self.open(OFlags::RDONLY);
        let file = match quiet {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => self.open(OFlags::RDONLY)?,
            quiet => quiet?,
        };
        // Before any of it is held; and below, since it may grow while it is read.
        if file.metadata()?.len() > LARGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut content = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut content)?;
        if content.len() as u64 > LARGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(content)
    }

    /// Removes what is there; a link itself.
    pub(super) fn remove(&self) -> io::Result<()> {
        Ok(unlinkat(&self.folder, &self.name, AtFlags::empty())?)
    }

    /// Creates a file that is not there yet.
    pub(super) fn create(&self) -> io::Result<File> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        Ok(openat(&self.folder, &self.name, CAREFUL | flags, mode)?.into())
    }

    /// Writes a new file beside it, on the disk when this returns, of the same owner as what is there, or as the folder.
    pub(super) fn beside(&self, content: &[u8]) -> Result<New<'_>, Error> {
        let write = || -> io::Result<New<'_>> {
            let (name, mut file) = self.create_beside()?;
            // From here on the file is removed again unless it is put in place.
            let new = New {
                place: self,
                name,
                file: file.try_clone()?,
                is_placed: false,
            };
            file.write_all(content)?;
            self.hand_over(&file)?;
            file.sync_all()?;
            Ok(new)
        };
        write().map_err(self.failed("write beside"))
    }

    /// A new file with a name that nobody can have put there before.
    fn create_beside(&self) -> io::Result<(OsString, File)> {
        for _ in 0..NAMES {
            let mut name = OsString::from(".");
            name.push(&self.name);
            name.push(format!(".firedrill-{:016x}", rand::random::<u64>()));
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR;
            match openat(&self.folder, &name, CAREFUL | flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => return Ok((name, file.into())),
                Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Gives a new file the owner of the one that it replaces: the service must be able to use it.
    fn hand_over(&self, file: &File) -> io::Result<()> {
        let owner = match self.metadata() {
            Ok(meta) if meta.is_file() => meta,
            _ => stat(&self.folder)?,
        };
        let own = file.metadata()?;
        if (own.uid(), own.gid()) == (owner.uid(), owner.gid()) {
            return Ok(());
        }
        let (user, group) = (
            rustix::fs::Uid::from_raw(owner.uid()),
            rustix::fs::Gid::from_raw(owner.gid()),
        );
        match fchown(file, Some(user), Some(group)) {
            // Without root's rights a file has no other owner than its writer, and never had.
            Err(rustix::io::Errno::PERM) => Ok(()),
            changed => Ok(changed?),
        }
    }

    /// Sets the permissions of the file or folder that is there; a link's are left alone.
    pub(super) fn set_mode(&self, mode: u32) -> io::Result<()> {
        let meta = self.metadata()?;
        if !(meta.is_file() || meta.is_dir()) {
            return Ok(());
        }
        #[cfg(target_os = "linux")]
        {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = openat(&self.folder, &self.name, flags, Mode::empty())?;
            set_mode_of(&file, mode)
        }
        #[cfg(not(target_os = "linux"))]
        std::fs::set_permissions(&self.path, Permissions::from_mode(mode))
    }
}

/// Sets the permissions of what a descriptor stands for, which needs no permission to read it. No link is followed: the
/// one in `/proc` leads to the descriptor, not to a name.
#[cfg(target_os = "linux")]
fn set_mode_of(file: &OwnedFd, mode: u32) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let file_type = stat(file)?.file_type();
    if file_type.is_symlink() {
        return Ok(());
    }
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

fn enter(folder: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    Ok(openat(folder, name, ENTER, Mode::empty())?)
}

fn stat(descriptor: &OwnedFd) -> io::Result<Metadata> {
    File::from(descriptor.try_clone()?).metadata()
}

/// A file that was written beside its place. It is removed again unless it is put there.
#[must_use]
#[derive(Debug)]
pub(super) struct New<'p> {
    place: &'p Place,
    name: OsString,
    file: File,
    is_placed: bool,
}

impl New<'_> {
    /// The file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Puts it in its place, with these permissions. A link that is there is replaced, not followed.
    pub(super) fn put_in_place(mut self, mode: u32) -> Result<(), Error> {
        let put = || -> io::Result<()> {
            self.file.set_permissions(Permissions::from_mode(mode))?;
            let Place { folder, name, .. } = self.place;
            Ok(renameat(folder, &self.name, folder, name)?)
        };
        put().map_err(self.place.failed("put the file in place at"))?;
        self.is_placed = true;
        Ok(())
    }
}

impl Drop for New<'_> {
    fn drop(&mut self) {
        if !self.is_placed {
            // It is gone with its volume otherwise.
            let _ = unlinkat(&self.place.folder, &self.name, AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A volume and a folder outside with a file; the volume has a link to each, a pipe, and a folder.
    fn planted() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let (volume, outside) = (root.path().join("volume"), root.path().join("outside"));
        fs::create_dir_all(volume.join("folder")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "secret").unwrap();
        symlink(outside.join("secret"), volume.join("link")).unwrap();
        symlink(&outside, volume.join("away")).unwrap();
        rustix::fs::mkfifoat(CWD, volume.join("pipe"), Mode::RWXU).unwrap();
        (root, volume, outside)
    }

    fn refusal<T>(result: Result<T, Error>) -> String {
        result.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn no_operation_leaves_the_volume() {
        let (_root, volume, outside) = planted();
        for (file, why) in [
            ("../outside/secret", "is outside the volume"),
            ("/etc/passwd", "is outside the volume"),
            (".", "is outside the volume"),
            ("away/secret", "through a symbolic link"),
        ] {
            let refused = refusal(Place::below(&volume, Path::new(file)));
            assert!(refused.contains(why), "{file}: {refused}");
        }
        for name in ["link", "pipe", "folder"] {
            let place = Place::below(&volume, Path::new(name)).unwrap();
            assert!(
                refusal(place.refuse_special()).contains("not a regular file"),
                "{name}"
            );
            assert!(place.read_untraced().is_err(), "{name}");
            assert!(place.open(OFlags::WRONLY).is_err(), "{name}");
            assert!(place.create().is_err(), "{name}");
            place.set_mode(0o700).unwrap();
        }
        let link = Place::below(&volume, Path::new("link")).unwrap();
        link.beside(b"new").unwrap().put_in_place(0o640).unwrap();
        assert_eq!(fs::read(volume.join("link")).unwrap(), b"new");
        assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        drop(link.beside(b"dropped").unwrap());
        assert_eq!(
            fs::read_dir(&volume).unwrap().count(),
            4,
            "nothing is left beside"
        );
    }

    #[test]
    fn an_enormous_file_is_not_read() {
        let (_root, volume, _) = planted();
        let big = File::create(volume.join("big")).unwrap();
        big.set_len(LARGEST + 1).unwrap();
        let place = Place::below(&volume, Path::new("big")).unwrap();
        let error = place.read_untraced().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
