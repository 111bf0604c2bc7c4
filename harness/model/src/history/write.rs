//! Writing a history while it happens. Only the drill does.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{EVENTS, Event, FORMAT, LOAD, Load, SAMPLES, Stamped, samples};
use crate::json_lines;
use crate::sample::{Clock, Label, Labels, Sample};

/// The one writer of a history. Events go to disk at once, samples with the next event or [`Writer::flush`].
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    clock: Clock,
    events: File,
    samples: BufWriter<File>,
    load: File,
    labels: Labels,
    written: usize,
}

impl Writer {
    /// Begins a history in a new, empty folder.
    ///
    /// # Errors
    /// When the files cannot be made, or are there already.
    pub fn create(folder: &Path, clock: Clock, labels: Labels) -> io::Result<Self> {
        let create = |name: &str| {
            OpenOptions::new()
                .append(true)
                .create_new(true)
                .open(folder.join(name))
        };
        let mut samples = BufWriter::with_capacity(1 << 16, create(SAMPLES)?);
        samples.write_all(&samples::head(FORMAT))?;
        samples.flush()?;
        Ok(Self {
            folder: folder.to_owned(),
            clock,
            events: create(EVENTS)?,
            load: create(LOAD)?,
            samples,
            labels,
            written: 0,
        })
    }

    /// The run folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes an event down, stamped now, and returns it as written.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn event(&mut self, event: Event) -> io::Result<Stamped> {
        // The samples first: an event must not be on disk before the samples that it is about.
        self.flush()?;
        let stamped = Stamped {
            at: self.clock.now(),
            event,
        };
        json_lines::append(&mut self.events, &stamped)?;
        Ok(stamped)
    }

    /// Writes a sample down, after the texts that it refers to.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn sample(&mut self, sample: &Sample) -> io::Result<()> {
        // Before the sample, so that a cut-off history has no number without its text.
        let new = |label: Label| label != Label::TOO_MANY && usize::from(label.0) > self.written;
        if new(sample.release) || new(sample.rung) {
            self.write_labels()?;
        }
        samples::write(&mut self.samples, sample)
    }

    /// Writes down what the machine did.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn load(&mut self, load: &Load) -> io::Result<()> {
        json_lines::append(&mut self.load, load)
    }

    fn write_labels(&mut self) -> io::Result<()> {
        for text in self.labels.after(self.written) {
            self.written += 1;
            let label = Label(u16::try_from(self.written).unwrap_or(0));
            let stamped = Stamped {
                at: self.clock.now(),
                event: Event::Label { label, text },
            };
            json_lines::append(&mut self.events, &stamped)?;
        }
        Ok(())
    }

    /// Hands everything to the operating system: from then on a kill of the harness does not lose it.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn flush(&mut self) -> io::Result<()> {
        self.samples.flush()
    }
}
