//! The writer thread: appends links to the journal and acknowledges them.
//!
//! It takes all waiting writes at once, so that concurrent users share one sync of the disk.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};

use tokio::sync::oneshot;

use super::super::{PutResult, Rung, StoreError};
use super::Shared;
use super::files::locked;
use super::journal::{self, JournalLine, Position};
use super::view::View;
use crate::link::{Code, LinkTarget};

/// Writes that share one sync of the disk.
const MAX_BATCH: usize = 1000;

/// A write that waits for its answer.
pub(super) struct PendingWrite {
    pub(super) code: Code,
    pub(super) to: LinkTarget,
    pub(super) key: Option<String>,
    pub(super) answer: oneshot::Sender<Result<PutResult, StoreError>>,
}

/// What happens to one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// The link is stored.
    Store,
    /// The same request was stored before.
    Repeated,
    /// The code leads elsewhere.
    Taken,
    /// The idempotency key belongs to another request.
    KeyReused,
}

/// Writes until every handle of the store is dropped.
pub(super) fn run(shared: &Arc<Shared>, writes: &mpsc::Receiver<PendingWrite>) {
    while let Ok(first) = writes.recv() {
        let mut batch = vec![first];
        batch.extend(writes.try_iter().take(MAX_BATCH - 1));
        commit(shared, batch);
    }
}

fn commit(shared: &Shared, batch: Vec<PendingWrite>) {
    let lock = lock(shared);
    // Another release may have stored one of these codes. With the lock held, nobody can add more.
    shared.catch_up();
    match &lock {
        Ok(_) => shared.verify_if_small(),
        Err(error) => tracing::error!("cannot lock the store: {error}"),
    }
    let (decisions, lines) = decide_all(&shared.view(), &batch);
    let written = lock.and_then(|_lock| write(shared, lines));
    let rung = shared.view().rung;
    for (decision, pending) in decisions.into_iter().zip(batch) {
        let result = match (decision, &written) {
            (Decision::Taken, _) => Ok(PutResult::Taken),
            (Decision::KeyReused, _) => Ok(PutResult::KeyReused),
            (Decision::Repeated, _) => Ok(PutResult::Stored(rung)),
            (Decision::Store, Ok(rung)) => Ok(PutResult::Stored(*rung)),
            (Decision::Store, Err(error)) => {
                let source = io::Error::new(error.kind(), error.to_string());
                Err(StoreError::file("write", &shared.files.store())(source))
            }
        };
        // The request may have been cancelled; its link is stored all the same.
        drop(pending.answer.send(result));
    }
}

/// Takes the lock for writing. When the last attempt timed out, the holder hangs: then the next writes do not wait for it,
/// because users have little patience and part of it was spent on the release that hangs.
fn lock(shared: &Shared) -> io::Result<std::fs::File> {
    // After one timeout it is only tried: otherwise every user would wait for a writer that hangs.
    let lock = if shared.lock_timed_out.load(Ordering::Relaxed) {
        shared.files.try_lock().and_then(|lock| lock.ok_or_else(locked))
    } else {
        shared.files.lock(super::LOCK_TIMEOUT)
    };
    shared.lock_timed_out.store(lock.is_err(), Ordering::Relaxed);
    lock
}

/// Decides each write of a batch, in order; the lines to append.
fn decide_all(view: &View, batch: &[PendingWrite]) -> (Vec<Decision>, Vec<JournalLine>) {
    // Codes and keys of this batch, each with the index of its line: two writes of one batch may conflict.
    let mut codes: HashMap<Code, usize> = HashMap::new();
    let mut keys: HashMap<String, usize> = HashMap::new();
    let mut lines: Vec<JournalLine> = Vec::new();
    let mut decisions = Vec::new();
    for write in batch {
        let existing = view.links.get(&write.code);
        // A write earlier in this batch is not in the view yet.
        let existing = existing.or_else(|| Some(&lines[*codes.get(&write.code)?].to));
        let by_key = write.key.as_ref().and_then(|key| {
            let in_batch = || Some(&lines[*keys.get(key)?].code);
            view.keys.get(key).or_else(in_batch)
        });
        let decision = decide(write, existing, by_key);
        if decision == Decision::Store {
            codes.insert(write.code.clone(), lines.len());
            if let Some(key) = &write.key {
                keys.insert(key.clone(), lines.len());
            }
            lines.push(JournalLine {
                code: write.code.clone(),
                to: write.to.clone(),
                key: write.key.clone(),
            });
        }
        decisions.push(decision);
    }
    (decisions, lines)
}

/// `existing` is where the code leads already; `by_key` is the code that a request with the same key stored.
fn decide(write: &PendingWrite, existing: Option<&LinkTarget>, by_key: Option<&Code>) -> Decision {
    match (by_key, existing) {
        // The key goes before the code: a repeated request is no conflict with itself.
        (Some(code), _) if *code != write.code => Decision::KeyReused,
        (Some(_), Some(to)) if *to == write.to => Decision::Repeated,
        (Some(_), Some(_)) => Decision::KeyReused,
        (None, Some(_)) => Decision::Taken,
        (_, None) => Decision::Store,
    }
}

/// Appends lines to the journal, which makes them durable, and adds them to the view.
fn write(shared: &Shared, lines: Vec<JournalLine>) -> io::Result<Rung> {
    if lines.is_empty() {
        return Ok(shared.view().rung);
    }
    let path = shared.files.journal();
    journal::append(&path, &lines)?;
    // From here on the links are durable, whatever happens to the generation.
    let rung = {
        let mut view = shared.view_mut();
        view.add_lines(lines);
        view.journal = Position::end_of(&path);
        view.rung
    };
    if rung != Rung::Store {
        // While the store is damaged, the journal alone has the new links, until the store is healed.
        return Ok(Rung::Journal);
    }
    if !shared.is_small() {
        shared.wake_maintenance();
        return Ok(Rung::Store);
    }
    // A small store is written with every batch: releases that read only the file then see each link at once.
    let written = shared.write_generation_locked();
    match written {
        Ok(()) => Ok(Rung::Store),
        Err(error) => {
            tracing::error!("cannot write the store; the journal has the links: {error}");
            let mut view = shared.view_mut();
            (view.rung, view.damaged) = (Rung::Memory, Some(std::time::Instant::now()));
            view.seen = shared.files.identity();
            Ok(Rung::Journal)
        }
    }
}
