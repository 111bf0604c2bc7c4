//! The control decides which release is live.
//!
//! Takes what the [`proxy`](crate::proxy) sees of each request and what the [`pipeline`](crate::pipeline) asks for, gives
//! the [`Routes`] for the next request. It alone changes the state. The order of a rollback is: switch, write to disk, send
//! alerts. Neither a full disk nor an unreachable receiver may leave users on a bad release.

mod routes;
mod writer;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use firedrill_logs::count;
use tokio::time::Instant;

pub use routes::{Routes, Side};

use crate::config::{self, Placed};
use crate::event::{Event, Listener, Pair};
use crate::state::{Error, Stage, State, StateFolder, StoredState};
use crate::upstream::Upstream;
use crate::watch::{Episode, Failure, Pairs};
use writer::{Writer, Written};

/// What changes with every decision.
struct Inner {
    state: State,
    epoch: u64,
    promoted: Instant,
    pairs: Pairs,
    shared: Episode,
    failing: Episode,
    standby_answers: Episode,
}

/// Decides which release is live; see the module.
pub struct Control<U> {
    pub(crate) slots: BTreeMap<String, U>,
    pub(crate) ready: config::Ready,
    pub(crate) identity: Option<String>,
    /// Held during an operation of the pipeline: there is only one at a time.
    pub(crate) operating: tokio::sync::Mutex<()>,
    rules: config::Watch,
    routes: RwLock<Arc<Routes<U>>>,
    inner: Mutex<Inner>,
    writer: Writer,
}

impl<U: Upstream> Control<U> {
    /// Continues from the state on disk, or starts as configured. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// When the folder of the state cannot be used.
    pub fn open(
        config: &config::Config,
        slots: BTreeMap<String, U>,
        listeners: Vec<Arc<dyn Listener>>,
    ) -> Result<Arc<Self>, Error> {
        let folder = StateFolder::open(&config.state)?;
        let (state, origin) = resume(folder.read(), config);
        listeners
            .iter()
            // Before any new event: alerts of the time before the restart may still have to be sent.
            .for_each(|listener| listener.resume(&state.events));
        let inner = Inner {
            epoch: 0,
            promoted: Instant::now(),
            pairs: Pairs::new(config.watch.pairs, config.watch.window),
            shared: Episode::default(),
            failing: Episode::default(),
            standby_answers: Episode::default(),
            state,
        };
        let routes = Routes::new(inner.epoch, &inner.state, &slots, config.watch.rollback);
        let control = Arc::new(Self {
            slots,
            ready: config.ready.clone(),
            identity: config.identity.clone(),
            operating: tokio::sync::Mutex::default(),
            rules: config.watch.clone(),
            routes: RwLock::new(Arc::new(routes)),
            inner: Mutex::new(inner),
            writer: Writer::start(folder, listeners)?,
        });
        control.started(&origin);
        Ok(control)
    }

    /// Records the start. A release that was being watched is watched again for the whole time.
    fn started(self: &Arc<Self>, origin: &Origin) {
        let mut inner = self.inner();
        let Placed { release, slot } = inner.state.live.clone();
        let damaged = origin.damage.map(|reason| Event::StateDamaged {
            release: release.clone(),
            reason: reason.to_owned(),
        });
        let started = Event::Started {
            release,
            slot,
            resumed: origin.resumed,
        };
        drop(self.decide(&mut inner, std::iter::once(started).chain(damaged)));
        // For the whole time anew: nobody watched while the edge was down.
        if inner.state.watched_since.is_some() {
            self.settle_later(inner.epoch);
        }
    }

    /// A copy of the current state.
    pub fn state(&self) -> State {
        self.inner().state.clone()
    }

    /// The routes for a request that begins now.
    pub fn routes(&self) -> Arc<Routes<U>> {
        Arc::clone(&self.routes.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers events and hands the state to the writer. The caller holds the lock, so decisions are written in order.
    fn decide(&self, inner: &mut Inner, events: impl IntoIterator<Item = Event>) -> Written {
        let records = events
            .into_iter()
            .map(|event| inner.state.record(event))
            .collect();
        self.writer.write(inner.state.clone(), records)
    }

    /// Sends the next requests where the state says.
    fn switch(&self, inner: &mut Inner) {
        // What requests of the time before report from now on is about routes that no longer exist.
        inner.epoch += 1;
        inner.pairs = Pairs::new(self.rules.pairs, self.rules.window);
        (inner.shared, inner.failing, inner.standby_answers) = Default::default();
        let routes = Routes::new(inner.epoch, &inner.state, &self.slots, self.rules.rollback);
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(routes);
    }

    /// The live release failed a request that arrived at `began`, and the standby answered it. Enough of these roll a
    /// watched release back.
    pub fn pair(&self, seen: &Routes<U>, pair: Pair, failure: &Failure, began: Instant) {
        let mut inner = self.inner();
        if seen.epoch != inner.epoch {
            return;
        }
        let reason = format!("{}: {}", pair.request, pair.new);
        if inner.state.watched_since.is_none() {
            self.settled_release_failed(&mut inner, seen, reason);
        } else if inner.pairs.add(pair, failure, began, Instant::now()) {
            let pairs = inner.pairs.evidence();
            let reason = format!(
                "{} failed on {} and succeeded on the last working release; the last one: {reason}",
                count(pairs.len(), "request"),
                inner.state.live.release,
            );
            self.go_back(&mut inner, reason, pairs);
        }
    }

    /// A settled release is not rolled back: what it fails now is more likely caused by something else.
    fn settled_release_failed(&self, inner: &mut Inner, seen: &Routes<U>, reason: String) {
        let due = inner
            .standby_answers
            .occurred(Instant::now(), 1, self.rules.repeat);
        if due.is_none() {
            return;
        }
        let standby = seen.standby.as_ref().map(|side| side.release.clone());
        let event = Event::StandbyAnswers {
            release: inner.state.live.release.clone(),
            standby: standby.unwrap_or_default(),
            reason,
        };
        drop(self.decide(inner, [event]));
    }

    /// Both releases failed the same request.
    pub fn both_failed(&self, seen: &Routes<U>, request: &str, live: &Failure, standby: &Failure) {
        let mut inner = self.inner();
        if seen.epoch != inner.epoch {
            return;
        }
        let due = inner.shared.occurred(Instant::now(), 1, self.rules.repeat);
        if due.is_some()
            && let Some(other) = &seen.standby
        {
            let event = Event::SharedCause {
                release: seen.live.release.clone(),
                standby: other.release.clone(),
                reason: format!(
                    "{request}: {live} from {}, {standby} from {}",
                    seen.live.release, other.release
                ),
            };
            drop(self.decide(&mut inner, [event]));
        }
    }

    /// The live release failed a request, and there is no standby or the request must not be repeated.
    pub fn failed_alone(&self, seen: &Routes<U>, request: &str, failure: &Failure) {
        let mut inner = self.inner();
        if seen.epoch != inner.epoch {
            return;
        }
        // As many failures as would cause a rollback: a single one is no reason to alert people.
        let from = self.rules.pairs as u64;
        if let Some(failures) = inner.failing.occurred(Instant::now(), from, self.rules.repeat) {
            let event = Event::Failing {
                release: seen.live.release.clone(),
                reason: format!("{request}: {failure}"),
                failures,
            };
            drop(self.decide(&mut inner, [event]));
        }
    }

    /// Makes the standby live again; `None` when there is none.
    fn go_back(&self, inner: &mut Inner, reason: String, pairs: Vec<Pair>) -> Option<Written> {
        // Taken: after a rollback no other release is known to work.
        let to = inner.state.standby.take()?;
        let bad = std::mem::replace(&mut inner.state.live, to.clone());
        inner.state.watched_since = None;
        // Users first: everything below this line may take its time.
        self.switch(inner);
        let state = &mut inner.state;
        state.set_status(&bad.release, &bad.slot, Stage::RolledBack, reason.clone());
        state.set_status(&to.release, &to.slot, Stage::Settled, "rolled back to");
        tracing::warn!("rolled back from {} to {}: {reason}", bad.release, to.release);
        let after = inner.promoted.elapsed().as_millis();
        let event = Event::RolledBack {
            release: bad.release,
            slot: bad.slot,
            to: to.release,
            reason,
            pairs,
            after_ms: u64::try_from(after).unwrap_or(u64::MAX),
        };
        Some(self.decide(inner, [event]))
    }

    /// Rolls back on request. True when there was a release to roll back to.
    pub(crate) async fn go_back_on_request(&self) -> bool {
        let written = self.go_back(&mut self.inner(), "requested".into(), Vec::new());
        match written {
            Some(written) => {
                if let Ok(Err(error)) = written.await {
                    tracing::error!("{error}");
                }
                true
            }
            None => false,
        }
    }

    /// Changes the state, records events, and waits until both are on disk.
    pub(crate) async fn record(
        &self,
        change: impl FnOnce(&mut State),
        events: impl IntoIterator<Item = Event>,
    ) -> Result<(), Error> {
        let written = {
            let mut inner = self.inner();
            change(&mut inner.state);
            self.decide(&mut inner, events)
        };
        written.await.unwrap_or(Ok(()))
    }

    /// Removes the standby if it runs in this slot, which will be used for another release.
    pub(crate) fn drop_standby_in(&self, slot: &str) {
        let mut inner = self.inner();
        let standby = inner.state.standby.as_ref();
        if standby.is_some_and(|standby| standby.slot == slot) {
            inner.state.standby = None;
            self.switch(&mut inner);
            drop(self.decide(&mut inner, []));
        }
    }

    /// Makes a release live. Unlike a rollback this is written to disk first: a promotion that a restart would forget does
    /// not take place.
    pub(crate) async fn go_live(self: &Arc<Self>, new: Placed) -> Result<(), Error> {
        // What to return to should the disk fail.
        let before = self.state();
        let written = {
            let mut inner = self.inner();
            let old = std::mem::replace(&mut inner.state.live, new.clone());
            let state = &mut inner.state;
            state.set_status(&new.release, &new.slot, Stage::Live, "promoted");
            let event = Event::Promoted {
                release: new.release.clone(),
                slot: new.slot,
                from: old.release.clone(),
            };
            state.standby = Some(old);
            state.watched_since = Some(jiff::Timestamp::now());
            self.decide(&mut inner, [event])
        };
        // The lock is free while the disk works; the `operating` lock keeps other operations out.
        let written = written.await.unwrap_or(Ok(()));
        let mut inner = self.inner();
        // A restart would find the old release on disk, so users stay on it.
        if written.is_err() {
            let state = &mut inner.state;
            state.live = before.live;
            state.standby = before.standby;
            state.watched_since = before.watched_since;
            state.releases = before.releases;
        } else {
            inner.promoted = Instant::now();
            self.switch(&mut inner);
            self.settle_later(inner.epoch);
        }
        written
    }

    /// Ends the watch of this epoch after its time.
    fn settle_later(self: &Arc<Self>, epoch: u64) {
        // A weak reference: the timer must not keep a control alive that nobody uses any more.
        let control = Arc::downgrade(self);
        let due = Instant::now() + self.rules.settle;
        tokio::spawn(async move {
            tokio::time::sleep_until(due).await;
            if let Some(control) = control.upgrade() {
                control.settle(epoch);
            }
        });
    }

    fn settle(&self, epoch: u64) {
        let mut inner = self.inner();
        // Another switch came in between: this timer belongs to a watch that has ended.
        if inner.epoch != epoch || inner.state.watched_since.take().is_none() {
            return;
        }
        let Placed { release, slot } = inner.state.live.clone();
        inner
            .state
            .set_status(&release, &slot, Stage::Settled, "watched long enough");
        drop(self.decide(&mut inner, [Event::Settled { release }]));
    }
}

/// Where the state at the start comes from.
struct Origin {
    /// Whether it was read from disk.
    resumed: bool,
    /// What is wrong with the state on disk.
    damage: Option<&'static str>,
}

/// The state to continue from.
fn resume(stored: StoredState, config: &config::Config) -> (State, Origin) {
    let fits = |state: &State| {
        let mut placed = std::iter::once(&state.live).chain(&state.standby);
        placed.all(|placed| config.slots.contains_key(&placed.slot))
    };
    let (state, damage) = match stored {
        StoredState::Current(state) | StoredState::Previous(state) if fits(&state) => (Some(state), None),
        StoredState::Older(state) if fits(&state) => (
            Some(state),
            Some("the stored state is damaged; continuing with the previous decision"),
        ),
        StoredState::Missing => (None, None),
        StoredState::Damaged => (
            None,
            Some("the stored state is damaged; starting with the configured release"),
        ),
        _ => (
            None,
            Some(
                "the stored state names slots that are not configured; starting with the configured release",
            ),
        ),
    };
    if let Some(damage) = damage {
        tracing::error!("{damage}");
    }
    let origin = Origin {
        resumed: state.is_some(),
        damage,
    };
    let state = state.map(|mut state| {
        state.interrupt_gates();
        *state
    });
    (state.unwrap_or_else(|| State::new(config.live.clone())), origin)
}
