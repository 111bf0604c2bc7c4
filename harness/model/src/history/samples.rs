//! The samples file: a head of 16 bytes, then 32 bytes a sample, little endian.
//!
//! ```text
//! head    0  8  "FDSAMPLE"     8  4  format     12  4  bytes a record (32)
//! record  0  8  due, µs        8  4  sent − due, µs      12  4  first byte − sent, µs    16  4  ended − sent, µs
//!        20  2  stream        22  2  status   24  2  release   26  2  rung   28  1  outcome
//!        29  1  1: repeated on a new connection; 0 in older files        30  2  zero
//! ```
//! An hour at 1000 samples/s is 115 MB on disk. Offsets saturate after 71 minutes, far beyond any timeout.

use std::io::{self, Read, Write};

use crate::sample::{Label, Micros, Outcome, Sample, StreamId};

const MAGIC: &[u8; 8] = b"FDSAMPLE";
/// Bytes of the head.
pub(super) const HEAD: usize = 16;
/// Bytes of a record.
pub(super) const RECORD: usize = 32;

/// The head of a samples file.
pub(super) fn head(format: u32) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&format.to_le_bytes());
    head[12..].copy_from_slice(&32u32.to_le_bytes());
    head
}

/// One sample as bytes.
pub(super) fn encode(sample: &Sample) -> [u8; RECORD] {
    let offset = |later: Micros, earlier: Micros| {
        u32::try_from(later.0.saturating_sub(earlier.0))
            .unwrap_or(u32::MAX)
            .to_le_bytes()
    };
    let mut record = [0; RECORD];
    record[..8].copy_from_slice(&sample.due.0.to_le_bytes());
    record[8..12].copy_from_slice(&offset(sample.sent, sample.due));
    record[12..16].copy_from_slice(&offset(sample.first, sample.sent));
    record[16..20].copy_from_slice(&offset(sample.ended, sample.sent));
    record[20..22].copy_from_slice(&sample.stream.0.to_le_bytes());
    record[22..24].copy_from_slice(&sample.status.to_le_bytes());
    record[24..26].copy_from_slice(&sample.release.0.to_le_bytes());
    record[26..28].copy_from_slice(&sample.rung.0.to_le_bytes());
    record[28] = sample.outcome.code();
    record[29] = u8::from(sample.reconnected);
    record
}

fn u16_at(record: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([record[at], record[at + 1]])
}

fn u32_at(record: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
}

/// One sample from its bytes; `None` for an outcome that this version does not know, or impossible times.
pub(super) fn decode(record: &[u8; RECORD]) -> Option<Sample> {
    let mut due = [0; 8];
    due.copy_from_slice(&record[..8]);
    let due = u64::from_le_bytes(due);
    let sent = due.checked_add(u64::from(u32_at(record, 8)))?;
    Some(Sample {
        stream: StreamId(u16_at(record, 20)),
        due: Micros(due),
        sent: Micros(sent),
        first: Micros(sent.checked_add(u64::from(u32_at(record, 12)))?),
        ended: Micros(sent.checked_add(u64::from(u32_at(record, 16)))?),
        // A newer version may know more outcomes: such a sample is left out and counted.
        outcome: Outcome::from_code(record[28])?,
        status: u16_at(record, 22),
        release: Label(u16_at(record, 24)),
        rung: Label(u16_at(record, 26)),
        // The other bits may get a meaning later.
        reconnected: record[29] & 1 == 1,
    })
}

/// What a samples file held.
pub(super) struct Decoded {
    pub(super) samples: Vec<Sample>,
    /// Records that this version could not understand.
    pub(super) unreadable: usize,
    /// Bytes of a last record that was cut off.
    pub(super) cut: usize,
}

/// Why a file of samples cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SamplesError {
    /// Its head is another file's.
    #[error("wrong file signature")]
    Foreign,
    /// A later version wrote it.
    #[error("it was written by a newer Firedrill (format {format}; this one reads up to {newest})")]
    Newer {
        /// Its format.
        format: u32,
        /// The newest format that this version reads.
        newest: u32,
    },
    /// Its records have another length.
    #[error("its records have {bytes} bytes instead of {RECORD}")]
    RecordLength {
        /// Their length.
        bytes: u32,
    },
}

/// Whether a head is one of ours, of a format this version reads, with records of our size.
fn check(head: &[u8], newest: u32) -> Result<(), SamplesError> {
    if head.len() < HEAD || &head[..8] != MAGIC {
        return Err(SamplesError::Foreign);
    }
    match (u32_at(head, 8), u32_at(head, 12)) {
        (format, _) if format > newest => Err(SamplesError::Newer { format, newest }),
        (_, 32) => Ok(()),
        (_, bytes) => Err(SamplesError::RecordLength { bytes }),
    }
}

/// Reads a whole samples file, in pieces of a megabyte.
pub(super) fn read(
    mut file: impl Read,
    bytes: u64,
    newest: u32,
) -> io::Result<Result<Decoded, SamplesError>> {
    let mut head = Vec::with_capacity(HEAD);
    file.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    let mut decoded = Decoded {
        samples: Vec::new(),
        unreadable: 0,
        cut: 0,
    };
    // The harness was killed before it wrote the head: a history without samples.
    if head.is_empty() {
        return Ok(Ok(decoded));
    }
    if let Err(why) = check(&head, newest) {
        return Ok(Err(why));
    }
    decoded
        .samples
        // Limited, because the length of a sparse file costs nothing and its memory would.
        .reserve(usize::try_from(bytes / RECORD as u64).unwrap_or(0).min(1 << 24));
    let mut buffer = vec![0; RECORD << 15];
    let mut held = 0;
    loop {
        let read = file.read(&mut buffer[held..])?;
        held += read;
        let whole = held - held % RECORD;
        for record in buffer[..whole].as_chunks::<RECORD>().0 {
            match decode(record) {
                Some(sample) => decoded.samples.push(sample),
                None => decoded.unreadable += 1,
            }
        }
        // A read may end inside a record: its first part is completed by the next read.
        buffer.copy_within(whole..held, 0);
        held -= whole;
        if read == 0 {
            decoded.cut = held;
            return Ok(Ok(decoded));
        }
    }
}

/// Writes one sample.
pub(super) fn write(file: &mut impl Write, sample: &Sample) -> io::Result<()> {
    file.write_all(&encode(sample))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_sample() -> impl Strategy<Value = Sample> {
        (
            any::<u32>(),
            any::<u32>(),
            any::<u16>(),
            any::<u16>(),
            0..Outcome::ALL.len(),
            any::<[u16; 2]>(),
            any::<bool>(),
        )
            .prop_map(|(due, offset, stream, status, outcome, labels, reconnected)| {
                let sent = u64::from(due) + u64::from(offset / 2);
                Sample {
                    stream: StreamId(stream),
                    due: Micros(due.into()),
                    sent: Micros(sent),
                    first: Micros(sent + u64::from(offset / 3)),
                    ended: Micros(sent + u64::from(offset / 2)),
                    outcome: Outcome::ALL[outcome],
                    status,
                    release: Label(labels[0]),
                    rung: Label(labels[1]),
                    reconnected,
                }
            })
    }

    proptest! {
        #[test]
        fn a_sample_reads_back_as_written(sample in any_sample()) {
            prop_assert_eq!(decode(&encode(&sample)), Some(sample));
        }

        #[test]
        fn a_file_cut_anywhere_keeps_every_whole_record(samples in prop::collection::vec(any_sample(), 0..20), cut in 0usize..700) {
            let mut file = head(1).to_vec();
            for sample in &samples {
                write(&mut file, sample).unwrap();
            }
            let cut = cut.min(file.len());
            let whole = cut.saturating_sub(HEAD) / RECORD;
            match read(&file[..cut], cut as u64, 1).unwrap() {
                Ok(decoded) => prop_assert_eq!(decoded.samples, &samples[..whole]),
                Err(_) => prop_assert!(cut > 0 && cut < HEAD),
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut ours = head(1).to_vec();
            ours.extend_from_slice(&bytes);
            let _ = read(&bytes[..], bytes.len() as u64, 1).unwrap();
            let _ = read(&ours[..], ours.len() as u64, 1).unwrap();
        }
    }

    #[test]
    fn a_newer_format_and_a_foreign_file_are_refused_with_the_reason() {
        let refused = |bytes: &[u8]| read(bytes, bytes.len() as u64, 1).unwrap().err();
        assert_eq!(
            refused(&head(9)),
            Some(SamplesError::Newer { format: 9, newest: 1 })
        );
        assert_eq!(refused(b"not a samples file"), Some(SamplesError::Foreign));
    }
}
