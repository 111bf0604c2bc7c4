//! Files that others may have put in place of ours: in run folders, above all.
//!
//! Takes a path; gives a regular file of bounded size, or the reason why not. A run folder comes from a CI artifact or
//! a colleague as often as from this machine: a link in it would show another file of the reader, a pipe would never
//! end, and a sparse file of a terabyte costs nothing to send. Every reader of run folders opens files here.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::units::Size;

/// Why a file is not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is something else than a file.
    #[error("it is {0}, not a regular file")]
    NotRegular(Special),
    /// It is larger than any that Firedrill writes.
    #[error("it has {size}; the limit is {limit}, because {because}", size = Size(*bytes), limit = Size(limit.bytes), because = limit.because)]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// What was allowed.
        limit: Limit,
    },
}

/// What lies in a file's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Special {
    /// A symbolic link.
    Link,
    /// A folder.
    Folder,
    /// A named pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A device.
    Device,
}

impl std::fmt::Display for Special {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Link => "a symbolic link",
            Self::Folder => "a folder",
            Self::Pipe => "a named pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
        })
    }
}

impl Special {
    /// What a type of file is; `None` for a regular file.
    pub fn of(kind: std::fs::FileType) -> Option<Self> {
        if kind.is_file() {
            None
        } else if kind.is_symlink() {
            Some(Self::Link)
        } else if kind.is_dir() {
            Some(Self::Folder)
        } else if kind.is_fifo() {
            Some(Self::Pipe)
        } else if kind.is_socket() {
            Some(Self::Socket)
        } else {
            Some(Self::Device)
        }
    }
}

/// The largest size of a kind of file, with the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Bytes.
    pub bytes: u64,
    /// The reason, as the end of "the limit is 1 MiB, because …".
    pub because: &'static str,
}

impl Limit {
    /// A limit of so many bytes.
    pub const fn new(bytes: u64, because: &'static str) -> Self {
        Self { bytes, because }
    }
}

impl FileError {
    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Options for a new file that its owner alone may read: what is observed of a service is nobody else's business.
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Opens a regular file for reading. Never waits, never follows a link in the file's place.
///
/// # Errors
/// [`FileError`].
pub fn open(path: &Path, limit: Limit) -> Result<File, FileError> {
    let file = open_regular(path)?;
    let bytes = file.metadata()?.len();
    if bytes > limit.bytes {
        return Err(FileError::TooLarge { bytes, limit });
    }
    Ok(file)
}

/// The same without a limit, for readers that hold no more than a part of the file in memory and read no more of it
/// than they need.
///
/// # Errors
/// [`FileError`].
pub fn open_regular(path: &Path) -> Result<File, FileError> {
    // A device may do things when it is opened, and a socket cannot be opened at all: its kind is asked for first.
    if let Some(special) = Special::of(path.symlink_metadata()?.file_type()) {
        return Err(FileError::NotRegular(special));
    }
    // The flags hold even if the file is replaced in between: a link is not followed, a pipe does not wait for a writer.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    match Special::of(file.metadata()?.file_type()) {
        None => Ok(file),
        Some(special) => Err(FileError::NotRegular(special)),
    }
}

/// The whole content of a regular file.
///
/// # Errors
/// [`FileError`].
pub fn read(path: &Path, limit: Limit) -> Result<Vec<u8>, FileError> {
    let file = open(path, limit)?;
    let mut bytes = Vec::new();
    // The file may grow while it is read.
    file.take(limit.bytes + 1).read_to_end(&mut bytes)?;
    let read = bytes.len() as u64;
    if read > limit.bytes {
        return Err(FileError::TooLarge { bytes: read, limit });
    }
    Ok(bytes)
}

/// The paths in a folder, sorted. A link to a folder is refused.
///
/// # Errors
/// [`FileError`].
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    if folder.symlink_metadata()?.is_symlink() {
        return Err(FileError::NotRegular(Special::Link));
    }
    let entries = std::fs::read_dir(folder)?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Writes a file whole or not at all: beside its place first, then renamed. What is there is replaced if it is a regular
/// file; anything else is refused. A link would be followed out of the folder, and a device replaced.
///
/// # Errors
/// [`FileError`].
pub fn replace(path: &Path, content: &[u8]) -> Result<(), FileError> {
    // As any new file: the process's umask takes away what it does not want. A temporary file is private otherwise.
    replaced(path, content, 0o666)
}

/// The same, for a file that its owner alone may read.
///
/// # Errors
/// [`FileError`].
pub fn replace_private(path: &Path, content: &[u8]) -> Result<(), FileError> {
    replaced(path, content, 0o600)
}

fn replaced(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    match path.symlink_metadata() {
        Ok(meta) => {
            if let Some(special) = Special::of(meta.file_type()) {
                return Err(FileError::NotRegular(special));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut beside = tempfile::Builder::new()
        .prefix(".firedrill-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)?;
    beside.write_all(content)?;
    // A rename replaces a link that was put there in between; it does not follow it.
    beside.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const LIMIT: Limit = Limit::new(1 << 20, "this is a test");

    fn refused(path: &Path) -> String {
        read(path, LIMIT).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_file_is_neither_read_nor_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("secret"), "secret").unwrap();
        symlink("secret", at("link")).unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RWXU).unwrap();
        drop(std::os::unix::net::UnixListener::bind(at("socket")).unwrap());
        for (name, kind) in [
            ("link", "it is a symbolic link, not a regular file"),
            ("folder", "it is a folder, not a regular file"),
            ("pipe", "it is a named pipe, not a regular file"),
            ("socket", "it is a socket, not a regular file"),
        ] {
            assert_eq!(refused(&at(name)), kind);
            assert_eq!(replace(&at(name), b"new").unwrap_err().to_string(), kind);
        }
        assert_eq!(std::fs::read(at("secret")).unwrap(), b"secret");
        assert_eq!(
            refused(Path::new("/dev/zero")),
            "it is a device, not a regular file"
        );
    }

    #[test]
    fn a_sparse_file_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("big");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(
            refused(&path),
            "it has 1024GiB; the limit is 1MiB, because this is a test"
        );
        assert!(open_regular(&path).is_ok());
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        for content in ["first", "2"] {
            replace(&path, content.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(entries(folder.path()).unwrap(), [path]);
    }
}
