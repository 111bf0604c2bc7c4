//! What the pipeline asks for: register a release, promote it, go back.
//!
//! One operation at a time. Everything that stops a release says why, with the evidence.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde::Serialize;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, timeout};
use tower::ServiceExt;

use crate::config::{Placed, Staging, Unit};
use crate::control::Control;
use crate::event::{Event, Gate};
use crate::gate::{Outcome, staging, unit};
use crate::state::{self, Stage};
use crate::upstream::{Fresh, Upstream};

/// Why an operation did not do what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Another one is still at it.
    #[error("another operation is still at it; ask again when it is done")]
    Busy,
    /// There is no such slot.
    #[error("there is no slot `{0}`")]
    NoSuchSlot(String),
    /// Nobody has registered that release.
    #[error("{0} is not registered: POST /releases first")]
    NotRegistered(String),
    /// Users are served from that slot.
    #[error("{0} is what users are served from: register in the other slot")]
    SlotIsLive(String),
    /// The slot of the way back must be left alone.
    #[error("{0} is still being watched: the way back to the last working release must stay open")]
    Watched(String),
    /// It has not passed the gates.
    #[error("{release} is {stage:?}, not passed")]
    NotPassed {
        /// The release.
        release: String,
        /// Where it stands instead.
        stage: Stage,
    },
    /// A gate said no.
    #[error("{release} is rejected by the {gate}: {reason}")]
    Rejected {
        /// The release.
        release: String,
        /// The gate.
        gate: Gate,
        /// Nothing is known: that is no pass.
        undecided: bool,
        /// Why, in a line.
        reason: String,
        /// What was tried.
        evidence: Vec<String>,
    },
    /// There is no last working release to go back to.
    #[error("there is no release to go back to")]
    NoWayBack,
    /// The decision cannot be written down.
    #[error("{0}")]
    State(#[from] state::Error),
}

/// What has been achieved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Done {
    /// The release.
    pub release: String,
    /// Where it stands now.
    pub stage: Stage,
    /// What was tried.
    pub evidence: Vec<String>,
}

/// The operations.
pub struct Pipeline<U> {
    control: Arc<Control<U>>,
    unit: Option<Unit>,
    staging: Option<Staging>,
    stage: staging::Stage,
}

impl<U: Upstream> Pipeline<U> {
    /// The operations on this control, with these gates. In the folder of the state, what an edge that was killed has
    /// left of a gate is removed.
    pub fn new(control: Arc<Control<U>>, unit: Option<Unit>, staging: Option<Staging>, state: &Path) -> Self {
        Self {
            control,
            unit,
            staging,
            stage: staging::Stage::open(state),
        }
    }

    /// Registers a release for a slot, and leads it through the gates.
    ///
    /// # Errors
    /// When a gate stops it, the slot is not free, or something else is going on.
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
            .note(
                |state| state.stand(release, slot, Stage::Registered, "at the gates"),
                [registered],
            )
            .await?;
        let mut evidence = self
            .judged(&new, Gate::Unit, unit::unit(self.unit.as_ref(), release).await)
            .await?;
        let staged = staging::staging(
            self.staging.as_ref(),
            &self.stage,
            release,
            &state.live.release,
            &self.control.ready.path,
        );
        evidence.extend(self.judged(&new, Gate::Staging, staged.await).await?);
        self.control.forget_standby_in(slot);
        self.control
            .note(
                |state| state.stand(release, slot, Stage::Passed, "passed the gates"),
                [],
            )
            .await?;
        Ok(Done {
            release: new.release,
            stage: Stage::Passed,
            evidence,
        })
    }

    /// Notes how a gate ended; its evidence when the release may go on.
    async fn judged(&self, new: &Placed, gate: Gate, outcome: Outcome) -> Result<Vec<String>, Refused> {
        let release = new.release.clone();
        let (undecided, reason, evidence) = match outcome {
            Outcome::Skipped => {
                let event = Event::GateSkipped { release, gate };
                self.control.note(|_| {}, [event]).await?;
                return Ok(vec![format!("{gate}: switched off")]);
            }
            Outcome::Passed(evidence) => {
                let event = Event::GatePassed {
                    release,
                    gate,
                    evidence: evidence.clone(),
                };
                self.control.note(|_| {}, [event]).await?;
                return Ok(evidence);
            }
            Outcome::Rejected { reason, evidence } => (false, reason, evidence),
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
            .note(
                |state| {
                    state.stand(&release, &new.slot, Stage::Rejected, format!("{gate}: {reason}"));
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

    /// Waits until a release that has passed the gates is ready in its slot, and gives it to the users. The one they
    /// had until then is kept warm. Asked again of what is live already, it changes nothing.
    ///
    /// # Errors
    /// When the release has not passed or does not become ready: users keep what they have.
    pub async fn promote(&self, release: &str) -> Result<Done, Refused> {
        let _operating = self.control.operating.try_lock().map_err(|_| Refused::Busy)?;
        let state = self.control.state();
        let standing = state
            .releases
            .get(release)
            .ok_or_else(|| Refused::NotRegistered(release.to_owned()))?;
        match standing.stage {
            Stage::Passed => {}
            stage if state.live.release == release => {
                return Ok(Done {
                    release: release.to_owned(),
                    stage,
                    evidence: vec!["it is live already".into()],
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
            slot: standing.slot.clone(),
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
                let reason = format!("not ready after {:?}: {last}", self.control.ready.within);
                let evidence = vec![format!("the last look at {}: {last}", new.slot)];
                self.judged(&new, Gate::Ready, Outcome::Rejected { reason, evidence })
                    .await
                    .map(|evidence| Done {
                        release: release.to_owned(),
                        stage: Stage::Rejected,
                        evidence,
                    })
            }
        }
    }

    /// Ready, and the release that it claims to be. What proves it, or what was seen last.
    async fn wait_until_ready(&self, new: &Placed) -> Result<String, String> {
        let (ready, service) = (&self.control.ready, &self.control.slots[&new.slot]);
        let (began, mut last) = (Instant::now(), String::from("nothing was seen of it"));
        let mut look = interval(Duration::from_millis(20));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while began.elapsed() < ready.within {
            look.tick().await;
            let request = Request::get(&*ready.path)
                .header("host", &*new.slot)
                .extension(Fresh)
                .body(Full::<Bytes>::default())
                .map_err(|error| error.to_string())?;
            match timeout(Duration::from_secs(1), service.clone().oneshot(request)).await {
                Err(_) => "no answer within 1s".clone_into(&mut last),
                Ok(Err(error)) => last = error.to_string(),
                Ok(Ok(answer)) if answer.status().as_u16() >= 400 => last = answer.status().to_string(),
                Ok(Ok(answer)) => {
                    let name = self
                        .control
                        .identity
                        .as_ref()
                        .and_then(|header| answer.headers().get(header))
                        .and_then(|name| name.to_str().ok());
                    match name {
                        Some(name) if name != new.release => last = format!("{name} runs there"),
                        _ => return Ok(format!("ready after {} ms", began.elapsed().as_millis())),
                    }
                }
            }
        }
        Err(last)
    }

    /// Goes back to the last working release.
    ///
    /// # Errors
    /// When there is none.
    pub async fn go_back(&self) -> Result<Done, Refused> {
        let bad = self.control.state().live.release;
        if !self.control.go_back_asked().await {
            return Err(Refused::NoWayBack);
        }
        Ok(Done {
            release: bad,
            stage: Stage::RolledBack,
            evidence: Vec::new(),
        })
    }
}
