//! The journal: one line per acknowledged link, each with its own checksum, append-only.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::files::hex;
use crate::link::{Code, LinkTarget};

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct JournalLine {
    /// The link's code.
    pub(super) code: Code,
    /// Where the link leads.
    pub(super) to: LinkTarget,
    /// The idempotency key of the request that stored it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
}

/// How far a journal has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Position {
    inode: u64,
    offset: u64,
}

impl Position {
    /// The end of the journal on disk. Equal positions mean that there is nothing new.
    pub(super) fn end_of(path: &Path) -> Self {
        std::fs::metadata(path).map_or(Self::default(), |metadata| Self {
            inode: metadata.ino(),
            offset: metadata.len(),
        })
    }

    /// Whether this is at least as far as `other` in the same file.
    pub(super) fn covers(self, other: Self) -> bool {
        self.inode == other.inode && self.offset >= other.offset
    }
}

/// Reads the lines behind a position, and moves it. A journal that was replaced or truncated is read from its beginning. An
/// unfinished line at the end is left for the next time.
pub(super) fn read_from(path: &Path, position: &mut Position) -> Vec<JournalLine> {
    let Ok(mut file) = File::open(path) else {
        *position = Position::default();
        return Vec::new();
    };
    let Ok(metadata) = file.metadata() else {
        return Vec::new();
    };
    // Another file, or one that was cut: everything in it is new.
    if position.inode != metadata.ino() || position.offset > metadata.len() {
        *position = Position {
            inode: metadata.ino(),
            offset: 0,
        };
    }
    let mut content = Vec::new();
    if file.seek(SeekFrom::Start(position.offset)).is_err() || file.read_to_end(&mut content).is_err() {
        return Vec::new();
    }
    // A last line without its end is still being written, or never will be.
    let complete = content
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    position.offset += complete as u64;
    content[..complete]
        .split(|byte| *byte == b'\n')
        .filter_map(decode)
        .collect()
}

/// `None` for an empty or damaged line.
fn decode(line: &[u8]) -> Option<JournalLine> {
    // 64 hexadecimal digits and a space.
    let (sum, json) = line.split_at_checked(65)?;
    (sum.strip_suffix(b" ")? == hex(&Sha256::digest(json)).as_bytes())
        .then(|| serde_json::from_slice(json).ok())
        .flatten()
}

/// Appends lines; they are on disk when this returns. The caller holds the lock for writing.
pub(super) fn append(path: &Path, lines: &[JournalLine]) -> io::Result<()> {
    // The first line break ends a line that an earlier write left unfinished.
    let mut text = String::from("\n");
    for line in lines {
        let json = serde_json::to_string(line)?;
        text.push_str(&format!("{} {json}\n", hex(&Sha256::digest(&json))));
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: u32) -> JournalLine {
        JournalLine {
            code: Code::new(&format!("c{n}")).unwrap(),
            to: LinkTarget::url(&format!("http://example.org/{n}")).unwrap(),
            key: None,
        }
    }

    #[test]
    fn only_new_lines_are_read_and_an_unfinished_one_later() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut position) = (folder.path().join("urls.journal"), Position::default());
        append(&path, &[line(1)]).unwrap();
        assert_eq!(read_from(&path, &mut position), [line(1)]);
        append(&path, &[line(2)]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        assert_eq!(read_from(&path, &mut position), []);
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(read_from(&path, &mut position), [line(2)]);
    }

    #[test]
    fn a_truncated_journal_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut position) = (folder.path().join("urls.journal"), Position::default());
        append(&path, &[line(1), line(2)]).unwrap();
        assert_eq!(read_from(&path, &mut position).len(), 2);
        std::fs::write(&path, "").unwrap();
        append(&path, &[line(3)]).unwrap();
        assert_eq!(read_from(&path, &mut position), [line(3)]);
    }
}
