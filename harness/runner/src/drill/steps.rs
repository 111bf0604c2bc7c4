//! The steps: injected on schedule, confirmed, reverted when their time is over, and at the end in any case.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use super::record::Recorder;
use super::undo::{Entry, Log};
use super::{Error, derive};
use crate::Plan;
use crate::backend::{self, Backend, State};
use crate::fault::{Context, Fault, HitCount, Overlaps, receiver};
use firedrill_model::format;
use firedrill_model::history::{Event, LOGS};
use firedrill_model::sample::{Clock, Micros};
use firedrill_model::scenario::Step;
use firedrill_probe::Obstacle;
use firedrill_proxy::{Proxies, USER};

/// The time limit of an injection: beyond it the fault is not confirmed, and the drill undecided.
const INJECT_WITHIN: Duration = Duration::from_secs(120);
/// A revert that takes longer than this and than its service may take to be ready is given up: the service is removed
/// instead, when everything is.
const REVERT_WITHIN: Duration = Duration::from_secs(20);

/// What every step needs.
pub(super) struct Steps {
    pub(super) plan: Arc<Plan>,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) recorder: Recorder,
    pub(super) clock: Clock,
    pub(super) seed: u64,
    /// The proxies on the links that steps act on.
    pub(super) proxies: Proxies,
    /// The alert receiver's switch, once there is one.
    pub(super) alerts: OnceLock<receiver::Switch>,
    undo: Mutex<Log>,
    active: Mutex<Vec<Active>>,
    overlaps: Overlaps,
    /// The folder for logs.
    logs: PathBuf,
}

/// A fault whose injection has begun and that was not reverted.
#[derive(Clone)]
struct Active {
    step: usize,
    fault: Arc<dyn Fault>,
}

impl Steps {
    pub(super) fn new(
        plan: Arc<Plan>,
        backend: Arc<dyn Backend>,
        recorder: Recorder,
        clock: Clock,
        seed: u64,
        folder: &Path,
    ) -> Result<Self, Error> {
        let undo = Mutex::new(Log::create(folder).map_err(Error::History)?);
        Ok(Self {
            plan,
            backend,
            recorder,
            clock,
            seed,
            proxies: Proxies::default(),
            alerts: OnceLock::new(),
            undo,
            active: Mutex::default(),
            overlaps: Overlaps::open(&folder.join(backend::OVERLAPS_FOLDER)),
            logs: folder.join(LOGS),
        })
    }

    /// Runs all steps, and returns when the last one has been injected and, where it has an end, reverted.
    pub(super) async fn run(self: &Arc<Self>, origin: Micros) -> Result<(), Error> {
        // A task for each step: a slow injection must not delay the steps after it.
        let mut running = JoinSet::new();
        for (number, (step, fault)) in self.plan.steps().enumerate() {
            let (this, step, fault) = (Arc::clone(self), step.clone(), Arc::clone(fault));
            running.spawn(async move { this.step(number, &step, fault, origin).await });
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// One step: wait, inject, wait, revert.
    async fn step(
        &self,
        number: usize,
        step: &Step,
        fault: Arc<dyn Fault>,
        origin: Micros,
    ) -> Result<(), Error> {
        let due = origin + step.at.0;
        firedrill_wait::until_due(self.clock.instant(due)).await;
        let Some(active) = self.inject(number, step, fault).await? else {
            return Ok(());
        };
        // Counted from when the fault took effect, so that a slow injection does not shorten it.
        if let Some(lasting) = step.lasting {
            firedrill_wait::until_due(self.clock.instant(self.clock.now() + lasting.0)).await;
            self.revert(&active).await?;
        }
        Ok(())
    }

    /// Writes the undo log, injects, and records the evidence. `None` when the fault is not in effect.
    async fn inject(
        &self,
        number: usize,
        step: &Step,
        fault: Arc<dyn Fault>,
    ) -> Result<Option<Active>, Error> {
        let (name, params) = (step.fault.name.clone(), step.fault.params.clone());
        // On disk before anything changes: after a SIGKILL nothing else says what may be in effect.
        self.log(&Entry::Pending {
            step: number,
            fault: name.clone(),
            params,
        })?;
        // Listed before the injection: one that is cut off may have taken effect in part, and is reverted too.
        let active = Active { step: number, fault };
        self.active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(active.clone());
        self.recorder.event(Event::Injecting {
            step: number,
            fault: name.into(),
            what: active.fault.describe(),
        })?;
        match tokio::time::timeout(INJECT_WITHIN, active.fault.inject(&self.context(&active))).await {
            Ok(Ok(injected)) => {
                self.recorder.event(Event::Injected {
                    step: number,
                    evidence: injected.evidence,
                })?;
                if let Some(deployed) = injected.deployed {
                    let (release, accepted, detail) = (deployed.release, deployed.accepted, deployed.detail);
                    self.recorder.event(Event::Deploy {
                        release,
                        accepted,
                        detail,
                    })?;
                }
                Ok(Some(active))
            }
            Ok(Err(error)) => self.not_injected(number, format::chain(&error)),
            Err(_) => self.not_injected(
                number,
                format!("not injected within {}", format::span(INJECT_WITHIN)),
            ),
        }
    }

    fn not_injected(&self, step: usize, why: String) -> Result<Option<Active>, Error> {
        self.recorder.event(Event::NotInjected { step, why })?;
        Ok(None)
    }

    /// Reverts one fault, once: two callers may try, and the one that takes it off the list does it.
    async fn revert(&self, active: &Active) -> Result<(), Error> {
        {
            // The caller that removes it from the list reverts it: a step's own time and the end of the drill may coincide.
            let mut list = self.active.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(at) = list.iter().position(|other| other.step == active.step) else {
                return Ok(());
            };
            list.remove(at);
        }
        let step = active.step;
        // Counted first: reverting may remove the traces.
        let hits = active.fault.hits(&self.context(active));
        let within = self.revert_within();
        let reverted = tokio::time::timeout(within, active.fault.revert(&self.context(active))).await;
        let event = match reverted {
            Ok(Ok(evidence)) => Event::Reverted { step, evidence },
            Ok(Err(error)) => Event::NotReverted {
                step,
                why: format::chain(&error),
            },
            Err(_) => Event::NotReverted {
                step,
                why: format!("not reverted within {}", format::span(within)),
            },
        };
        self.record_hits(step, hits)?;
        // What could not be reverted stays pending in the undo log.
        let done = matches!(event, Event::Reverted { .. });
        self.recorder.event(event)?;
        if done {
            self.log(&Entry::Done { step })?;
        }
        Ok(())
    }

    /// The time limit of a revert. It may start a service, which may take as long as its system file says.
    fn revert_within(&self) -> Duration {
        let ready = self
            .plan
            .system
            .services
            .values()
            .map(|service| service.ready.within.0);
        // Reverting may start a service, which may take as long as at its first start.
        REVERT_WITHIN + ready.max().unwrap_or_default()
    }

    /// Records what a fault has hit, if it counts that.
    fn record_hits(&self, step: usize, hits: Option<HitCount>) -> Result<(), Error> {
        let Some(HitCount {
            network,
            file_read,
            complete,
        }) = hits
        else {
            return Ok(());
        };
        self.recorder.event(Event::Hit {
            step,
            connections: network.connections,
            chunks: network.chunks,
            requests: network.requests,
            read: file_read,
            all_counted: complete,
        })
    }

    /// Reverts what is left, last in first out. What cannot be reverted goes with its service when the backend is
    /// cleaned.
    pub(super) async fn revert_all(&self) -> Result<(), Error> {
        loop {
            // Last in, first out: each fault found what the faults before it had made.
            let last = self
                .active
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .last()
                .cloned();
            let Some(last) = last else { return Ok(()) };
            if last.fault.lasts() {
                self.revert(&last).await?;
            } else {
                self.active.lock().unwrap_or_else(PoisonError::into_inner).pop();
                self.log(&Entry::Done { step: last.step })?;
            }
        }
    }

    /// What the faults that are still in effect put between users and the store.
    pub(super) async fn obstacle(&self) -> Result<Obstacle, Error> {
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut worst = Obstacle::None;
        for active in &active {
            match active.fault.link() {
                Some((route, _)) if route.from == USER => return Ok(Obstacle::BeforeEntry),
                Some(_) => worst = Obstacle::BehindEntry,
                None if active.fault.starves() || self.is_down(active).await? => {
                    worst = Obstacle::BehindEntry
                }
                None => {}
            }
        }
        Ok(worst)
    }

    /// Whether the service of a step's fault has ended or is frozen.
    async fn is_down(&self, active: &Active) -> Result<bool, Error> {
        let params = &self.plan.scenario.steps[active.step].fault.params;
        let Some(service) = params.get("service").and_then(|name| name.as_str()) else {
            return Ok(false);
        };
        let state = self.backend.state(service).await?;
        Ok(state.is_over() || state == State::Paused)
    }

    fn context<'a>(&'a self, active: &'a Active) -> Context<'a> {
        let seed = derive(self.seed, &format!("step {}", active.step));
        Context {
            backend: self.backend.as_ref(),
            plan: &self.plan,
            alerts: self.alerts.get(),
            proxies: &self.proxies,
            overlaps: &self.overlaps,
            logs: &self.logs,
            step: active.step,
            seed,
        }
    }

    fn log(&self, entry: &Entry) -> Result<(), Error> {
        self.undo
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(entry)
            .map_err(Error::History)
    }
}
