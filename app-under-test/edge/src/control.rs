//! Which release users get, and every decision to change that.
//!
//! Faces the proxy on one side, which reports what it sees of each request, and the pipeline's operations on the other.
//! What is live is one value that is swapped: a request keeps the one it began with to its end, so that a switch drops
//! nothing in flight. Going back comes first, writing it down second, telling people last: neither a full disk nor a
//! deaf receiver may keep users on a bad release.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::config::{self, Placed};
use crate::event::{Event, Listener, Pair, Record};
use crate::state::{Error, Found, Shelf, Stage, State};
use crate::upstream::Upstream;
use crate::watch::{Episode, Failure, Pairs};

/// A release, its slot and the service there.
#[derive(Debug, Clone)]
pub struct Side<U> {
    /// The release.
    pub release: String,
    /// Its slot.
    pub slot: String,
    /// Whom to ask.
    pub service: U,
}

/// What a request is answered from.
#[derive(Debug, Clone)]
pub struct Routes<U> {
    /// Which switch made it: what is seen of an earlier one no longer counts.
    pub epoch: u64,
    /// What users get.
    pub live: Side<U>,
    /// What helps out, and is gone back to.
    pub standby: Option<Side<U>>,
}

struct Inner {
    state: State,
    epoch: u64,
    promoted: Instant,
    pairs: Pairs,
    shared: Episode,
    failing: Episode,
    helped: Episode,
}

/// A state to be written, and who is to hear of it then.
struct Change {
    state: State,
    records: Vec<Record>,
    written: oneshot::Sender<Result<(), Error>>,
}

/// See the module.
pub struct Control<U> {
    pub(crate) slots: BTreeMap<String, U>,
    pub(crate) ready: config::Ready,
    pub(crate) identity: Option<String>,
    /// One operation of the pipeline at a time.
    pub(crate) operating: tokio::sync::Mutex<()>,
    rules: config::Watch,
    routes: RwLock<Arc<Routes<U>>>,
    inner: Mutex<Inner>,
    changes: mpsc::UnboundedSender<Change>,
}

impl<U: Upstream> Control<U> {
    /// Goes on from what is on disk, or starts as configured. Inside a tokio runtime.
    ///
    /// # Errors
    /// When the state's folder cannot be used.
    pub fn open(
        config: &config::Config,
        slots: BTreeMap<String, U>,
        listeners: Vec<Arc<dyn Listener>>,
    ) -> Result<Arc<Self>, Error> {
        let shelf = Shelf::open(&config.state)?;
        let (state, resumed) = resume(shelf.read(), config);
        listeners
            .iter()
            .for_each(|listener| listener.resume(&state.events));
        let changes = start_writer(shelf, listeners)?;
        let inner = Inner {
            epoch: 0,
            promoted: Instant::now(),
            pairs: Pairs::new(config.watch.pairs, config.watch.window),
            shared: Episode::default(),
            failing: Episode::default(),
            helped: Episode::default(),
            state,
        };
        let routes = RwLock::new(Arc::new(routes(&inner, &slots, &config.watch)));
        let control = Arc::new(Self {
            slots,
            ready: config.ready.clone(),
            identity: config.identity.clone(),
            operating: tokio::sync::Mutex::default(),
            rules: config.watch.clone(),
            routes,
            inner: Mutex::new(inner),
            changes,
        });
        let mut inner = control.inner();
        let Placed { release, slot } = inner.state.live.clone();
        drop(control.decide(
            &mut inner,
            [Event::Started {
                release,
                slot,
                resumed,
            }],
        ));
        if inner.state.watched_since.is_some() {
            control.settle_later(inner.epoch);
        }
        drop(inner);
        Ok(control)
    }

    pub(crate) fn inner_state(&self) -> State {
        self.inner().state.clone()
    }

    /// What is known now.
    pub fn state(&self) -> State {
        self.inner_state()
    }

    /// What a request that begins now is answered from.
    pub fn routes(&self) -> Arc<Routes<U>> {
        Arc::clone(&self.routes.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts events in order and hands the state to the writer.
    fn decide(
        &self,
        inner: &mut Inner,
        events: impl IntoIterator<Item = Event>,
    ) -> oneshot::Receiver<Result<(), Error>> {
        let records = events.into_iter().map(|event| inner.state.note(event)).collect();
        let (written, done) = oneshot::channel();
        let change = Change {
            state: inner.state.clone(),
            records,
            written,
        };
        // The writer ends with the control.
        drop(self.changes.send(change));
        done
    }

    /// Makes what the state says what users get.
    fn switch(&self, inner: &mut Inner) {
        inner.epoch += 1;
        inner.pairs = Pairs::new(self.rules.pairs, self.rules.window);
        (inner.shared, inner.failing, inner.helped) = Default::default();
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(routes(inner, &self.slots, &self.rules));
    }

    /// The live release failed a request that began at `began`, and the standby answered it.
    pub fn pair(&self, seen: &Routes<U>, pair: Pair, failure: &Failure, began: Instant) {
        let mut inner = self.inner();
        if seen.epoch != inner.epoch {
            return;
        }
        let (now, reason) = (Instant::now(), format!("{}: {}", pair.request, pair.new));
        if inner.state.watched_since.is_none() {
            if inner.helped.again(now, 1, self.rules.repeat).is_some() {
                let standby = seen
                    .standby
                    .as_ref()
                    .map(|side| side.release.clone())
                    .unwrap_or_default();
                let release = inner.state.live.release.clone();
                drop(self.decide(
                    &mut inner,
                    [Event::StandbyAnswers {
                        release,
                        standby,
                        reason,
                    }],
                ));
            }
        } else if inner.pairs.add(pair, failure, began, now) {
            let pairs = inner.pairs.evidence();
            let reason = format!(
                "{} requests failed on it and were answered by the last working release; the last one: {reason}",
                pairs.len()
            );
            self.go_back(&mut inner, reason, pairs);
        }
    }

    /// Both releases failed the same request.
    pub fn both_failed(&self, seen: &Routes<U>, request: &str, live: &Failure, standby: &Failure) {
        let mut inner = self.inner();
        if seen.epoch != inner.epoch {
            return;
        }
        if inner.shared.again(Instant::now(), 1, self.rules.repeat).is_some()
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

    /// The live release failed a request, and nothing stands by.
    pub fn failed_alone(&self, seen: &Routes<U>, request: &str, failure: &Failure) {
        let mut inner = self.inner();
        if seen.epoch != inner.epoch {
            return;
        }
        let from = self.rules.pairs as u64;
        if let Some(failures) = inner.failing.again(Instant::now(), from, self.rules.repeat) {
            let event = Event::Failing {
                release: seen.live.release.clone(),
                reason: format!("{request}: {failure}"),
                failures,
            };
            drop(self.decide(&mut inner, [event]));
        }
    }

    /// The standby becomes live again. `None` when there is none.
    fn go_back(
        &self,
        inner: &mut Inner,
        reason: String,
        pairs: Vec<Pair>,
    ) -> Option<oneshot::Receiver<Result<(), Error>>> {
        let to = inner.state.standby.take()?;
        let bad = std::mem::replace(&mut inner.state.live, to.clone());
        inner.state.watched_since = None;
        self.switch(inner);
        let state = &mut inner.state;
        state.stand(&bad.release, &bad.slot, Stage::RolledBack, reason.clone());
        state.stand(&to.release, &to.slot, Stage::Settled, "rolled back to");
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

    /// Goes back because somebody asked. True when there was something to go back to.
    pub(crate) async fn go_back_asked(&self) -> bool {
        let written = self.go_back(&mut self.inner(), "asked for".into(), Vec::new());
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

    /// Notes events and a release's standing, and waits until they are on disk.
    pub(crate) async fn note(
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

    /// The standby's slot is going to be used for something else.
    pub(crate) fn forget_standby_in(&self, slot: &str) {
        let mut inner = self.inner();
        if inner
            .state
            .standby
            .as_ref()
            .is_some_and(|standby| standby.slot == slot)
        {
            inner.state.standby = None;
            self.switch(&mut inner);
            drop(self.decide(&mut inner, []));
        }
    }

    /// Users get this release from now on. On disk first: a release whose promotion cannot be remembered is not
    /// promoted.
    pub(crate) async fn go_live(self: &Arc<Self>, new: Placed) -> Result<(), Error> {
        let before = self.inner_state();
        let written = {
            let mut inner = self.inner();
            let old = std::mem::replace(&mut inner.state.live, new.clone());
            let state = &mut inner.state;
            state.stand(&new.release, &new.slot, Stage::Live, "promoted");
            let event = Event::Promoted {
                release: new.release.clone(),
                slot: new.slot,
                from: old.release.clone(),
            };
            state.standby = Some(old);
            state.watched_since = Some(jiff::Timestamp::now());
            self.decide(&mut inner, [event])
        };
        let written = written.await.unwrap_or(Ok(()));
        let mut inner = self.inner();
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

    /// Ends the watch of this epoch when its time has come.
    fn settle_later(self: &Arc<Self>, epoch: u64) {
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
        if inner.epoch != epoch || inner.state.watched_since.take().is_none() {
            return;
        }
        let Placed { release, slot } = inner.state.live.clone();
        inner
            .state
            .stand(&release, &slot, Stage::Settled, "watched for long enough");
        drop(self.decide(&mut inner, [Event::Settled { release }]));
    }
}

/// What to go on from, and whether that was found on disk.
fn resume(found: Found, config: &config::Config) -> (State, bool) {
    let fits = |state: &State| {
        let mut placed = std::iter::once(&state.live).chain(&state.standby);
        placed.all(|placed| config.slots.contains_key(&placed.slot))
    };
    match found {
        Found::Current(mut state) | Found::Previous(mut state) if fits(&state) => {
            state.interrupt_gates();
            (*state, true)
        }
        Found::Nothing => (State::new(config.live.clone()), false),
        found => {
            let why = match found {
                Found::Damaged => "cannot be read",
                _ => "speaks of slots that are not configured",
            };
            tracing::error!("the state on disk {why}: starting as configured");
            (State::new(config.live.clone()), false)
        }
    }
}

fn routes<U: Upstream>(inner: &Inner, slots: &BTreeMap<String, U>, rules: &config::Watch) -> Routes<U> {
    let side = |placed: &Placed| Side {
        release: placed.release.clone(),
        slot: placed.slot.clone(),
        // Checked when the state was read and when a release registered.
        service: slots[&placed.slot].clone(),
    };
    Routes {
        epoch: inner.epoch,
        live: side(&inner.state.live),
        standby: inner.state.standby.as_ref().filter(|_| rules.rollback).map(side),
    }
}

/// One thread writes, in the order of the decisions, and then tells the listeners.
fn start_writer(
    shelf: Shelf,
    listeners: Vec<Arc<dyn Listener>>,
) -> Result<mpsc::UnboundedSender<Change>, Error> {
    let (changes, mut coming) = mpsc::unbounded_channel::<Change>();
    let write = move || {
        while let Some(change) = coming.blocking_recv() {
            let written = shelf.write(&change.state);
            if let Err(error) = &written {
                tracing::error!("{error}: the decision holds, a restart would not know of it");
            }
            for record in &change.records {
                tracing::info!("event {}", serde_json::json!(record));
                for listener in &listeners {
                    listener.hear(record);
                }
            }
            drop(change.written.send(written));
        }
    };
    std::thread::Builder::new()
        .name("state-writer".into())
        .spawn(write)
        .map_err(|source| Error::File {
            operation: "start the writer of",
            path: "state".into(),
            source,
        })?;
    Ok(changes)
}
