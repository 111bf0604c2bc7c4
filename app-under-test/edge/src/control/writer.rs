//! The thread that writes decisions to disk, in order, and then passes them to the listeners.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::event::{Listener, Record};
use crate::state::{Error, State, StateFolder};

/// Completes when a decision is on disk, or could not be written.
pub(super) type Written = oneshot::Receiver<Result<(), Error>>;

/// A state to be written, and the events to pass on afterwards.
struct Change {
    state: State,
    records: Vec<Record>,
    written: oneshot::Sender<Result<(), Error>>,
}

/// The queue of the writer thread.
pub(super) struct Writer(mpsc::UnboundedSender<Change>);

impl Writer {
    /// Starts the thread. It ends when the writer is dropped.
    pub(super) fn start(folder: StateFolder, listeners: Vec<Arc<dyn Listener>>) -> Result<Self, Error> {
        let (queue, changes) = mpsc::unbounded_channel();
        std::thread::Builder::new()
            .name("state-writer".into())
            .spawn(move || write_all(&folder, changes, &listeners))
            .map_err(Error::Thread)?;
        Ok(Self(queue))
    }

    /// Queues a state and the events that led to it. Never blocks: a full disk must not delay a rollback.
    pub(super) fn write(&self, state: State, records: Vec<Record>) -> Written {
        let (written, result) = oneshot::channel();
        let change = Change {
            state,
            records,
            written,
        };
        // This fails only when the thread panicked; the caller then sees a closed channel.
        drop(self.0.send(change));
        result
    }
}

fn write_all(
    folder: &StateFolder,
    mut changes: mpsc::UnboundedReceiver<Change>,
    listeners: &[Arc<dyn Listener>],
) {
    while let Some(change) = changes.blocking_recv() {
        let written = folder.write(&change.state);
        if let Err(error) = &written {
            tracing::error!("{error}; the decision is in effect but would be lost in a restart");
        }
        // Listeners come after the disk: an alert is never sent for a decision that a restart forgets, unless the disk
        // is broken.
        for record in &change.records {
            tracing::info!("event {}", serde_json::json!(record));
            for listener in listeners {
                listener.on_event(record);
            }
        }
        drop(change.written.send(written));
    }
}
