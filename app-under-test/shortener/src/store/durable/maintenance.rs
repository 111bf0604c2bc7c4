//! The maintenance thread: everything about the store that takes long, away from users.
//!
//! * A large store is *compacted* in the background: its generation follows the journal by seconds. A generation of 10^5
//!   links takes some 200 ms, too long to wait for in a write. A small store is written with every batch instead, so that
//!   releases that read only the file see each link at once. If the journal of a large store is damaged in those seconds
//!   *and* the service is killed, the links of those seconds are lost.
//! * A large store that another release has written is verified.
//! * A damaged store is *healed*: written anew from what is known, after a pause in which drills can observe the damage.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::super::Rung;
use super::Shared;
use super::journal::{self, JournalLine, Position};

/// How often the store is checked without a request.
const INTERVAL: Duration = Duration::from_millis(100);
/// After a compaction the next one waits this many times its duration: the disk and a core belong to the users.
const REST: u32 = 10;

/// How long the end of the service may wait for the last compaction.
const FINISH_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs until every handle of the store is dropped.
pub(super) fn run(shared: &Weak<Shared>) {
    let mut next_compaction = Instant::now();
    loop {
        // A read that finds the files changed wakes it at once.
        std::thread::park_timeout(INTERVAL);
        let Some(shared) = shared.upgrade() else { return };
        shared.catch_up();
        shared.verify();
        heal_if_due(&shared);
        if Instant::now() >= next_compaction && needs_compaction(&shared) {
            let began = Instant::now();
            if let Err(error) = compact(&shared) {
                tracing::warn!("cannot compact the store; the journal has the links: {error}");
            }
            next_compaction = Instant::now() + began.elapsed() * REST;
        }
    }
}

fn needs_compaction(shared: &Shared) -> bool {
    let view = shared.view();
    view.rung == Rung::Store && view.is_behind()
}

/// Writes a damaged store anew once the damage is old enough.
fn heal_if_due(shared: &Shared) {
    let due = {
        let view = shared.view();
        let old_enough = |since: Instant| since.elapsed() >= shared.heal_after;
        !view.lost && view.damaged.is_some_and(old_enough)
    };
    if !due {
        return;
    }
    match heal(shared) {
        Ok(true) => tracing::info!("the store is healed"),
        // Another release is writing it.
        Ok(false) => {}
        Err(error) => {
            tracing::error!("cannot heal the store: {error}");
            // Tried again after another pause.
            shared.view_mut().damaged = Some(Instant::now());
        }
    }
}

/// Appends what the journal lacks: the journal may be damaged too.
fn complete_journal(shared: &Shared) -> io::Result<()> {
    let path = shared.files.journal();
    let known: HashSet<_> = journal::read_from(&path, &mut Position::default())
        .into_iter()
        .map(|line| line.code)
        .collect();
    let missing: Vec<JournalLine> = shared
        .view()
        .links
        .snapshot()
        .iter()
        .filter(|link| !known.contains(&link.code))
        .map(|link| JournalLine {
            code: link.code.clone(),
            to: link.to.clone(),
            key: None,
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let _lock = shared.files.lock(super::LOCK_TIMEOUT)?;
    journal::append(&path, &missing)
}

/// Writes a damaged store anew; false when another release is writing it.
fn heal(shared: &Shared) -> io::Result<bool> {
    // The journal first: should the rest be interrupted, it has every link.
    complete_journal(shared)?;
    let Some(_prepare) = shared.files.try_lock_prepare()? else {
        return Ok(false);
    };
    let links = shared.prepare_generation()?;
    let _lock = shared.files.lock(super::LOCK_TIMEOUT)?;
    shared.publish_generation(links)?;
    Ok(true)
}

/// Writes the next generation. Only the renames at the end need the lock that writes need.
fn compact(shared: &Shared) -> io::Result<()> {
    let Some(_prepare) = shared.files.try_lock_prepare()? else {
        return Ok(());
    };
    let links = shared.prepare_generation()?;
    let _lock = shared.files.lock(super::LOCK_TIMEOUT)?;
    // Damage that came meanwhile is healed, not compacted away: drills must be able to observe it.
    if shared.is_intact() {
        shared.publish_generation(links)?;
    }
    Ok(())
}

/// Brings the generation up to date before the service ends, for a release that reads only the file.
pub(super) fn finish(shared: &Shared) {
    let until = Instant::now() + FINISH_TIMEOUT;
    while needs_compaction(shared) && Instant::now() < until {
        if let Err(error) = compact(shared) {
            tracing::warn!("cannot compact the store; the journal has the links: {error}");
            return;
        }
        if needs_compaction(shared) {
            // Another thread or release is writing a generation that may lack the last links.
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

/// Lowers the priority of this thread: on a busy machine, users' requests come before maintenance.
fn yield_to_users() {
    // On Linux this concerns the calling thread only. Without it everything still works, somewhat slower.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 10);
}

/// Starts the thread.
pub(super) fn start(shared: &Arc<Shared>) -> io::Result<std::thread::Thread> {
    // A weak reference: the thread must not keep the store open.
    let weak = Arc::downgrade(shared);
    let thread = std::thread::Builder::new()
        .name("store-maintenance".into())
        .spawn(move || {
            yield_to_users();
            run(&weak);
        })?;
    Ok(thread.thread().clone())
}
