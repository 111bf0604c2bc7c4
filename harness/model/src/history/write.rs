//! Writing a history while it happens. Only the drill does.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use firedrill_logs::redact::Secrets;
use serde_json::Value;

use super::{EVENTS, Event, FORMAT, LOAD, Load, SAMPLES, Stamped, samples};
use crate::sample::{Clock, Label, Labels, Sample};
use crate::{files, json_lines};

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
    secrets: Secrets,
}

impl Writer {
    /// Begins a history in a new, empty folder.
    ///
    /// # Errors
    /// When the files cannot be made, or are there already.
    pub fn create(folder: &Path, clock: Clock, labels: Labels) -> io::Result<Self> {
        let create = |name: &str| {
            files::private()
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
            secrets: Secrets::default(),
        })
    }

    /// Hides these secrets in all texts. What looks like a secret is hidden in any case.
    #[must_use]
    pub fn hiding(mut self, secrets: Secrets) -> Self {
        self.secrets = secrets;
        self
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
            event: hidden(event, &self.secrets)?,
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
                event: hidden(Event::Label { label, text }, &self.secrets)?,
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

/// An event without secrets in its texts.
fn hidden(event: Event, secrets: &Secrets) -> io::Result<Event> {
    let mut json = serde_json::to_value(&event)?;
    if hide(&mut json, secrets) {
        Ok(serde_json::from_value(json)?)
    } else {
        Ok(event)
    }
}

/// Hides secrets in every text of a value, and says whether there were any.
fn hide(value: &mut Value, secrets: &Secrets) -> bool {
    match value {
        Value::String(text) => {
            let without = secrets.redacted(text);
            let found = without != *text;
            *text = without;
            found
        }
        // No short-circuit: each of them may have one.
        Value::Array(items) => items
            .iter_mut()
            .fold(false, |found, item| hide(item, secrets) | found),
        Value::Object(table) => table
            .values_mut()
            .fold(false, |found, item| hide(item, secrets) | found),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
