//! A service's log on its way into the run folder: bounded in memory and on disk, and searched as a whole.
//!
//! Takes the log from a backend, chunk by chunk; gives its beginning and its end, with a line about what was left out.
//! The beginning says how a service started, the end how it failed; a service that floods its log in between must not
//! cost the harness the memory.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};

use firedrill_logs::redact::{Secrets, redacted};
use memchr::memmem;

use firedrill_model::format;
use firedrill_model::units::Size;

/// This part of the limit is for the beginning.
const BEGINNING: u64 = 16;

/// A log within a limit.
#[derive(Debug)]
pub struct Log {
    first: usize,
    last: usize,
    beginning: Vec<u8>,
    end: VecDeque<u8>,
    /// Bytes between the two.
    left_out: u64,
    search: Option<Search>,
    secrets: Secrets,
}

/// A text that is looked for in everything that passes.
#[derive(Debug)]
struct Search {
    text: Vec<u8>,
    /// The last bytes of the chunks so far, in which the text may have begun.
    carried: Vec<u8>,
    found: bool,
}

impl Log {
    /// A log of at most so many bytes: a sixteenth of them from its beginning, the others from its end.
    pub fn within(limit: Size) -> Self {
        let part = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let first = limit.0 / BEGINNING;
        Self {
            first: part(first),
            last: part(limit.0 - first),
            beginning: Vec::new(),
            end: VecDeque::new(),
            left_out: 0,
            search: None,
            secrets: Secrets::default(),
        }
    }

    /// Hides these secrets in what is written. What looks like a secret is hidden in any case.
    #[must_use]
    pub fn hiding(mut self, secrets: &Secrets) -> Self {
        self.secrets = secrets.clone();
        self
    }

    /// Looks for a text, also in what is left out.
    #[must_use]
    pub fn searching(mut self, text: &str) -> Self {
        self.search = Some(Search {
            text: text.into(),
            carried: Vec::new(),
            found: text.is_empty(),
        });
        self
    }

    /// Takes the next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) {
        if let Some(search) = &mut self.search {
            search.push(bytes);
        }
        let room = self.first - self.beginning.len();
        let (begins, rest) = bytes.split_at(room.min(bytes.len()));
        self.beginning.extend_from_slice(begins);
        bytes = rest;
        // Of a chunk larger than the end, only its own end is kept.
        let skipped = bytes.len().saturating_sub(self.last);
        let kept = &bytes[skipped..];
        let over = (self.end.len() + kept.len()).saturating_sub(self.last);
        self.end.drain(..over);
        self.end.extend(kept);
        self.left_out += (skipped + over) as u64;
    }

    /// Takes a file, in pieces.
    pub(crate) fn read_from(&mut self, mut file: File) -> io::Result<()> {
        // No further than it is now: a service may write faster than it is read.
        let mut left = file.metadata()?.len();
        let mut buffer = vec![0; 1 << 16];
        while left > 0 {
            let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = file.read(&mut buffer[..most])?;
            if read == 0 {
                break;
            }
            self.push(&buffer[..read]);
            left -= read as u64;
        }
        Ok(())
    }

    /// Whether the text that is looked for has passed.
    pub fn found(&self) -> bool {
        self.search.as_ref().is_some_and(|search| search.found)
    }

    /// How many bytes were left out.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Writes what is kept, and between beginning and end a line that says how much is not.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_to(&self, mut file: impl Write) -> io::Result<()> {
        let (mut first, mut last) = (self.beginning.as_slice(), Vec::from(self.end.clone()));
        if self.left_out > 0 {
            // The cut may go through a secret: no part of it must stay.
            let longest = self.secrets.longest();
            first = &first[..first.len().saturating_sub(longest)];
            last.drain(..longest.min(last.len()));
        }
        file.write_all(&self.hidden(first))?;
        if self.left_out > 0 {
            let bytes = format::count(self.left_out, "byte");
            write!(file, "\n[firedrill: {bytes} of this log left out here]\n")?;
        }
        file.write_all(&self.hidden(&last))
    }

    /// Bytes without secrets.
    fn hidden<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let bytes = self.secrets.hide(bytes);
        let without = |text: &str| redacted(text, []).into_bytes();
        match str::from_utf8(&bytes) {
            Ok(text) => without(text).into(),
            // What is no text stays as it is, line by line.
            Err(_) => bytes
                .split_inclusive(|byte| *byte == b'\n')
                .flat_map(|line| str::from_utf8(line).map_or_else(|_| line.to_vec(), without))
                .collect::<Vec<u8>>()
                .into(),
        }
    }

    /// The same in memory.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing into memory does not fail.
        let _ = self.write_to(&mut bytes);
        bytes
    }
}

impl Search {
    fn push(&mut self, bytes: &[u8]) {
        if self.found {
            return;
        }
        let across = self.text.len() - 1;
        // A text that lies across the edge begins in what was carried and ends within as many bytes of this chunk.
        let mut edge = std::mem::take(&mut self.carried);
        edge.extend_from_slice(&bytes[..bytes.len().min(across)]);
        self.found = contains(&edge, &self.text) || contains(bytes, &self.text);
        if bytes.len() >= across {
            edge = bytes[bytes.len() - across..].to_vec();
        }
        let begin = edge.len().saturating_sub(across);
        self.carried = edge.split_off(begin);
    }
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    memmem::find(bytes, text).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_log_keeps_its_ends_and_finds_a_text_anywhere(
            chunks in prop::collection::vec(prop::collection::vec(b'a'..=b'c', 0..20), 0..20),
            limit in 0u64..200,
            text in "[abc]{1,6}",
        ) {
            let whole = chunks.concat();
            let mut log = Log::within(Size(limit)).searching(&text);
            chunks.iter().for_each(|chunk| log.push(chunk));
            prop_assert_eq!(log.found(), contains(&whole, text.as_bytes()));
            let kept = log.beginning.len() + log.end.len();
            prop_assert!(kept as u64 <= limit);
            prop_assert_eq!(kept as u64 + log.left_out(), whole.len() as u64);
            let end: Vec<u8> = log.end.iter().copied().collect();
            prop_assert!(whole.starts_with(&log.beginning) && whole.ends_with(&end));
            if whole.len() as u64 <= limit {
                prop_assert_eq!(log.to_bytes(), whole);
            }
        }
    }

    #[test]
    fn what_is_left_out_is_said_in_its_place() {
        let mut log = Log::within(Size(32));
        log.push(&[b'a'; 100]);
        log.push(b"end");
        let text = String::from_utf8(log.to_bytes()).unwrap();
        assert!(
            text.starts_with("aa\n[firedrill: 71 bytes of this log left out here]\n"),
            "{text}"
        );
        assert!(text.ends_with("aaaend"), "{text}");
    }
}
