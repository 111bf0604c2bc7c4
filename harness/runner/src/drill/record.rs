//! The writer of the history: every event goes through here, to the disk and to the watcher.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Error;
use firedrill_model::history::{Event, Load, Stamped, Writer};
use firedrill_model::sample::Sample;

/// Called with every event right after it was written.
pub type Watch = Arc<dyn Fn(&Stamped) + Send + Sync>;

/// The history's writer, shared by the parts of one drill.
#[derive(Clone)]
pub(super) struct Recorder {
    writer: Arc<Mutex<Writer>>,
    watch: Watch,
    /// The kinds of the alerts that arrived and were accepted since the first fault; `None` before it: an earlier alert is
    /// about something else.
    alerts: Arc<Mutex<Option<BTreeSet<String>>>>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorder").finish()
    }
}

impl Recorder {
    pub(super) fn new(writer: Writer, watch: Watch) -> Self {
        Self {
            writer: Arc::new(Mutex::new(writer)),
            watch,
            alerts: Arc::default(),
        }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an event.
    pub(super) fn event(&self, event: Event) -> Result<(), Error> {
        let stamped = self.writer().event(event).map_err(Error::History)?;
        // After the write and without the lock: what is shown is on disk, and a slow terminal delays no probe.
        (self.watch)(&stamped);
        match stamped.event {
            Event::Injecting { .. } => drop(self.alerts().get_or_insert_default()),
            Event::Alert { kind, answered, .. } if answered < 400 => {
                if let Some(alerts) = &mut *self.alerts() {
                    alerts.insert(kind);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether an alert of this kind arrived since the first fault, and was accepted.
    pub(super) fn has_alert(&self, kind: &str) -> bool {
        self.alerts().as_ref().is_some_and(|alerts| alerts.contains(kind))
    }

    fn alerts(&self) -> MutexGuard<'_, Option<BTreeSet<String>>> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records what the machine did.
    pub(super) fn load(&self, load: &Load) -> Result<(), Error> {
        self.writer().load(load).map_err(Error::History)
    }

    /// Records samples and hands them to the operating system.
    pub(super) fn samples(&self, samples: impl Iterator<Item = Sample>) -> Result<(), Error> {
        let mut writer = self.writer();
        for sample in samples {
            writer.sample(&sample).map_err(Error::History)?;
        }
        writer.flush().map_err(Error::History)
    }
}
