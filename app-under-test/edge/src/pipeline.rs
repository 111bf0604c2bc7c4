//! The operations of the deployment pipeline: register a release, promote it, roll back.
//!
//! Takes requests of the admin listener, runs the gates, and gives the result with its evidence. One operation runs at a
//! time.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval};

use crate::config::{Placed, Staging, Unit};
use crate::control::Control;
use crate::duration::words;
use crate::event::{Event, Gate};
use crate::gate::ready::{self, NotReady};
use crate::gate::{Outcome, staging, unit};
use crate::state::{self, Stage};
use crate::upstream::Upstream;

/// Why an operation was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Another operation is running.
    #[error("another operation is running; try again when it has finished")]
    Busy,
    /// There is no such slot.
    #[error("unknown slot `{0}`")]
    NoSuchSlot(String),
    /// The release was not registered.
    #[error("{0} is not registered; register it with POST /releases")]
    NotRegistered(String),
    /// The slot runs the live release.
    #[error("slot {0} runs the live release; register in the other slot")]
    SlotIsLive(String),
    /// The slot is needed for a rollback.
    #[error("{0} is still being watched; the other slot is needed for a rollback")]
    Watched(String),
    /// The release has not passed the gates.
    #[error("{release} has not passed the gates: its stage is {stage}")]
    NotPassed {
        /// The release.
        release: String,
        /// Its stage.
        stage: Stage,
    },
    /// A gate rejected the release.
    #[error("{release} was rejected by the {gate}: {reason}")]
    Rejected {
        /// The release.
        release: String,
        /// The gate.
        gate: Gate,
        /// Whether the gate could not decide. Undecided is not passed.
        undecided: bool,
        /// The reason, in one line.
        reason: String,
        /// What was tried.
        evidence: Vec<String>,
    },
    /// There is no last working release.
    #[error("there is no release to roll back to")]
    NoWayBack,
    /// The decision cannot be written to disk.
    #[error(transparent)]
    State(#[from] state::Error),
}

/// The result of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Done {
    /// The release.
    pub release: String,
    /// Its stage now.
    pub stage: Stage,
    /// What was tried.
    pub evidence: Vec<String>,
}

/// The operations.
pub struct Pipeline<U> {
    control: Arc<Control<U>>,
    unit: Option<Unit>,
    staging: Option<Staging>,
    staging_folder: staging::StagingFolder,
}

impl<U: Upstream> Pipeline<U> {
    /// The operations on this control, with these gates. Removes what a killed edge left of the staging gate in the folder of
    /// the state.
    pub fn new(control: Arc<Control<U>>, unit: Option<Unit>, staging: Option<Staging>, state: &Path) -> Self {
        Self {
            control,
            unit,
            staging,
            staging_folder: staging::StagingFolder::open(state),
        }
    }

    /// Registers a release for a slot and runs the gates.
    ///
    /// # Errors
    /// When a gate rejects it, the slot is in use, or another operation is running.
    pub async fn register(&self, new: Placed) -> Result<Done, Refused> {
        let _operating = self.control.operating.try_lock().map_err(|_| Refused::Busy)?;
        let state = self.control.state();
        if !self.control.slots.contains_key(&new.slot) {
            return Err(Refused::NoSuchSlot(new.slot));
        }
        if state.live.slot == new.slot {
            return Err(Refused::SlotIsLive(new.slot));
        }
        if state.watched_since.is_some() {
            return Err(Refused::Watched(state.live.release));
        }
        let Placed { release, slot } = &new;
        let registered = Event::Registered {
            release: release.clone(),
            slot: slot.clone(),
        };
        self.control
            .record(
                |state| state.set_status(release, slot, Stage::Registered, "the gates are running"),
                [registered],
            )
            .await?;
        let mut evidence = self
            .finish_gate(&new, Gate::Unit, unit::unit(self.unit.as_ref(), release).await)
            .await?;
        let staged = staging::staging(
            self.staging.as_ref(),
            &self.staging_folder,
            release,
            &state.live.release,
            &self.control.ready.path,
        );
        evidence.extend(self.finish_gate(&new, Gate::Staging, staged.await).await?);
        // The gates have passed: from here on the slot belongs to the new release.
        self.control.drop_standby_in(slot);
        self.control
            .record(
                |state| state.set_status(release, slot, Stage::Passed, "passed the gates"),
                [],
            )
            .await?;
        Ok(Done {
            release: new.release,
            stage: Stage::Passed,
            evidence,
        })
    }

    /// Records the result of a gate; its evidence when the release passed or the gate is switched off.
    async fn finish_gate(&self, new: &Placed, gate: Gate, outcome: Outcome) -> Result<Vec<String>, Refused> {
        let release = new.release.clone();
        let (undecided, reason, evidence) = match outcome {
            Outcome::Skipped => {
                let event = Event::GateSkipped { release, gate };
                self.control.record(|_| {}, [event]).await?;
                return Ok(vec![format!("{gate}: switched off")]);
            }
            Outcome::Passed(evidence) => {
                let event = Event::GatePassed {
                    release,
                    gate,
                    evidence: evidence.clone(),
                };
                self.control.record(|_| {}, [event]).await?;
                return Ok(evidence);
            }
            Outcome::Rejected { reason, evidence } => (false, reason, evidence),
            // What could not be tried must not reach users either.
            Outcome::Undecided { reason, evidence } => (true, reason, evidence),
        };
        let event = Event::Rejected {
            release: release.clone(),
            slot: new.slot.clone(),
            gate,
            undecided,
            reason: reason.clone(),
            evidence: evidence.clone(),
        };
        self.control
            .record(
                |state| {
                    state.set_status(&release, &new.slot, Stage::Rejected, format!("{gate}: {reason}"));
                },
                [event],
            )
            .await?;
        Err(Refused::Rejected {
            release,
            gate,
            undecided,
            reason,
            evidence,
        })
    }

    /// Waits until a release that passed the gates is ready in its slot, then makes it live. The release that was live becomes
    /// the standby. Promoting the live release again changes nothing.
    ///
    /// # Errors
    /// When the release has not passed the gates or does not become ready. The live release then stays live.
    pub async fn promote(&self, release: &str) -> Result<Done, Refused> {
        let _operating = self.control.operating.try_lock().map_err(|_| Refused::Busy)?;
        let state = self.control.state();
        let status = state
            .releases
            .get(release)
            .ok_or_else(|| Refused::NotRegistered(release.to_owned()))?;
        match status.stage {
            Stage::Passed => {}
            // A pipeline may repeat a step whose answer it did not get.
            stage if state.live.release == release => {
                return Ok(Done {
                    release: release.to_owned(),
                    stage,
                    evidence: vec!["already live".into()],
                });
            }
            stage => {
                return Err(Refused::NotPassed {
                    release: release.to_owned(),
                    stage,
                });
            }
        }
        let new = Placed {
            release: release.to_owned(),
            slot: status.slot.clone(),
        };
        match self.wait_until_ready(&new).await {
            Ok(evidence) => {
                self.control.go_live(new).await?;
                Ok(Done {
                    release: release.to_owned(),
                    stage: Stage::Live,
                    evidence: vec![evidence],
                })
            }
            Err(last) => {
                let reason = format!("not ready after {}: {last}", words(self.control.ready.within));
                let evidence = vec![format!("last answer from slot {}: {last}", new.slot)];
                self.finish_gate(&new, Gate::Ready, Outcome::Rejected { reason, evidence })
                    .await
                    .map(|evidence| Done {
                        release: release.to_owned(),
                        stage: Stage::Rejected,
                        evidence,
                    })
            }
        }
    }

    /// Waits until the right release is ready; the evidence, or the last failure when time runs out.
    async fn wait_until_ready(&self, new: &Placed) -> Result<String, NotReady> {
        let (ready, service) = (&self.control.ready, &self.control.slots[&new.slot]);
        let (began, mut last) = (Instant::now(), NotReady::NoAnswer);
        let mut poll = interval(Duration::from_millis(20));
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while began.elapsed() < ready.within {
            poll.tick().await;
            match ready::ask(service, &new.slot, &ready.path).await {
                Err(failure) => last = failure,
                Ok(answer) => {
                    let name = self
                        .control
                        .identity
                        .as_ref()
                        .and_then(|header| answer.headers().get(header))
                        .and_then(|name| name.to_str().ok());
                    // A slot may still run an earlier release that is ready: its name tells them apart.
                    match name {
                        Some(name) if name != new.release => {
                            last = NotReady::OtherRelease(name.to_owned());
                        }
                        _ => return Ok(format!("ready after {} ms", began.elapsed().as_millis())),
                    }
                }
            }
        }
        Err(last)
    }

    /// Rolls back to the last working release.
    ///
    /// # Errors
    /// When there is none.
    pub async fn roll_back(&self) -> Result<Done, Refused> {
        let bad = self.control.state().live.release;
        if !self.control.go_back_on_request().await {
            return Err(Refused::NoWayBack);
        }
        Ok(Done {
            release: bad,
            stage: Stage::RolledBack,
            evidence: Vec::new(),
        })
    }
}
