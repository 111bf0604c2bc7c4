//! The end of a release's log file.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// How much of a log is read, in bytes.
const TAIL: u64 = 256 << 10;

/// The last part of `FOLDER/RELEASE.log`, beginning with a whole line.
pub(super) fn tail(folder: &Path, release: &str) -> io::Result<String> {
    // The name comes from a request: it must not lead out of the folder.
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if release.is_empty() || release.starts_with('.') || !release.chars().all(plain) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the release's name is not a file name",
        ));
    }
    let mut file = std::fs::File::open(folder.join(format!("{release}.log")))?;
    let length = file.metadata()?.len();
    let skipped = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(skipped))?;
    let mut content = Vec::new();
    file.take(TAIL).read_to_end(&mut content)?;
    let text = String::from_utf8_lossy(&content).into_owned();
    Ok(match text.split_once('\n') {
        // The first line was cut by the limit.
        Some((_, whole)) if skipped > 0 => whole.to_owned(),
        _ => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_long_log_begins_with_a_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let lines: String = (0..40_000).map(|n| format!("line {n}\n")).collect();
        std::fs::write(folder.path().join("v2.log"), lines).unwrap();
        let tail = tail(folder.path(), "v2").unwrap();
        assert!(tail.starts_with("line ") && tail.ends_with("line 39999\n") && tail.len() <= 256 << 10);
    }

    #[test]
    fn a_name_that_leads_out_of_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["../secret", "", ".hidden", "a/b"] {
            assert_eq!(
                tail(folder.path(), name).unwrap_err().kind(),
                io::ErrorKind::InvalidInput
            );
        }
    }
}
