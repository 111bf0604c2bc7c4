//! One drill from start to end: the sole writer of the history.
//!
//! Takes an [`Order`] (a checked plan, a backend, the services' programs, a new run folder) and gives a history in that
//! folder. The phases: prepare (create, start, seed) → steady state → steps while journeys run → quiet period → read
//! back every acknowledged write → collect logs → revert the faults that are left: nothing is put right before it was
//! seen. The caller judges the history, stores the verdict, and only then cleans the backend.

mod alerts;
mod folder;
mod journeys;
#[cfg(target_os = "linux")]
mod load;
mod prepare;
mod proxies;
mod record;
mod steady_state;
mod steps;
mod undo;
mod watch;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

pub use folder::{RunFolder, new_run_id};
pub use record::Watch;
pub use undo::{Entry as UndoEntry, UNDO, pending as pending_undo};

use crate::Plan;
use crate::backend::{self, Backend, Log, Source};
use firedrill_model::history::{Event, FORMAT, LOGS, Phase, Start, Writer};
use firedrill_model::sample::{Clock, Labels};
use firedrill_model::units::Size;
use firedrill_model::{files, format};
use firedrill_probe::{self as probe, Users};
use firedrill_wait::Poll;
use journeys::Journeys;
use record::Recorder;
use steps::Steps;

/// A drill that could not be carried through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The backend failed, before or between the faults.
    #[error(transparent)]
    Backend(#[from] backend::Error),
    /// The history cannot be written.
    #[error("cannot write the run folder: {0}")]
    History(#[source] std::io::Error),
    /// The store could not be seeded.
    #[error("seeding the store: {0}")]
    Seed(#[source] probe::Error),
    /// The journeys could not be watched.
    #[error(transparent)]
    Probe(probe::Error),
    /// The alert receiver cannot listen.
    #[error("the alert receiver cannot listen: {0}")]
    Alerts(#[source] std::io::Error),
    /// A proxy on a link of the system cannot be started.
    #[error(transparent)]
    Link(#[from] firedrill_proxy::Error),
    /// A part of the drill panicked: a bug in firedrill.
    #[error("a bug in firedrill, please report it: {0}")]
    Panicked(#[from] JoinError),
    /// A service is in the plan and not in [`Order::sources`]: a bug of the caller.
    #[error("a bug in firedrill, please report it: {service} was not built")]
    NotBuilt {
        /// The service.
        service: String,
    },
}

/// A drill to run.
pub struct Order {
    /// What to run.
    pub plan: Arc<Plan>,
    /// Where to run it.
    pub backend: Arc<dyn Backend>,
    /// The services' programs or images, by service.
    pub sources: BTreeMap<String, Source>,
    /// The run folder, new.
    pub folder: RunFolder,
    /// The random seed.
    pub seed: u64,
    /// How much of each service's log is kept.
    pub log_limit: Size,
    /// Which of how many repeats, from 1.
    pub repeat: (u32, u32),
    /// Called with every event.
    pub watch: Watch,
    /// How many drills may start their services at a time.
    pub setups: Arc<Semaphore>,
}

/// How a drill ended.
#[derive(Debug)]
pub struct Ended {
    /// Whether it was stopped early.
    pub interrupted: bool,
    /// The error that ended it early.
    pub error: Option<Error>,
}

/// A part's own seed: one seed a drill, derived per part by name, so that adding a part does not shift the others.
pub fn derive(seed: u64, part: &str) -> u64 {
    // A digest, so that neighbouring seeds and similar parts get unrelated numbers.
    let digest = Sha256::new()
        .chain_update(seed.to_le_bytes())
        .chain_update(part.as_bytes())
        .finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first)
}

/// Looks for the programs that a plan's journeys need. Before anything starts: without its program, every answer would be
/// missing.
///
/// # Errors
/// [`Error::Probe`] for the first that is not here.
pub fn find_programs(plan: &Plan) -> Result<(), Error> {
    probe::find_programs(&plan.system, &plan.folder).map_err(Error::Probe)
}

/// Runs one drill. Whatever happens, faults are reverted and the history is closed; services are left for the caller
/// to clean.
pub async fn run(order: Order, stop: CancellationToken) -> Ended {
    let clock = Clock::start();
    let labels = Labels::default();
    let writer = match Writer::create(&order.folder.path, clock, labels.clone()) {
        Ok(writer) => writer.hiding(order.plan.secrets.clone()),
        Err(error) => {
            return Ended {
                interrupted: false,
                error: Some(Error::History(error)),
            };
        }
    };
    let recorder = Recorder::new(writer, Arc::clone(&order.watch));
    let steps = Steps::new(
        Arc::clone(&order.plan),
        Arc::clone(&order.backend),
        recorder.clone(),
        clock,
        order.seed,
        &order.folder.path,
    );
    let steps = match steps {
        Ok(steps) => Arc::new(steps),
        Err(error) => {
            return Ended {
                interrupted: false,
                error: Some(error),
            };
        }
    };
    let users = Arc::new(Users::from(&*order.plan));
    let drill = Drill {
        users,
        order,
        clock,
        labels,
        recorder,
        steps,
    };
    drill.carry_through(stop).await
}

struct Drill {
    order: Order,
    clock: Clock,
    labels: Labels,
    recorder: Recorder,
    steps: Arc<Steps>,
    users: Arc<Users>,
}

/// How long the steady state may take to begin, beyond its own length.
const WARM_UP: Duration = Duration::from_secs(5);

impl Drill {
    /// Runs the phases until they end or are stopped, then does what must be done in any case.
    async fn carry_through(self, stop: CancellationToken) -> Ended {
        let this = Arc::new(self);
        // Before anything can stop the drill: a history without its first event cannot be read.
        if let Err(error) = this.recorder.event(Event::Start(Box::new(this.start()))) {
            return Ended {
                interrupted: false,
                error: Some(error),
            };
        }
        // A task of its own: a panic in a phase is then an error, and the faults are still reverted.
        let work = tokio::spawn({
            let this = Arc::clone(&this);
            async move { this.phases().await }
        });
        let abort = work.abort_handle();
        let (interrupted, result) = tokio::select! {
            result = work => (false, result.unwrap_or_else(|panic| Err(panic.into()))),
            () = stop.cancelled() => (true, Ok(())),
        };
        // After an interruption the phases still run; no step may inject while the faults are reverted.
        abort.abort();
        // Before the end is recorded: the history must say what became of every fault.
        let reverted = this.steps.revert_all().await;
        // Whatever the phases came to: the logs of deploys were written while the drill ran.
        let hidden = this.hide_secrets().map_err(Error::History);
        let error = result.and(reverted).and(hidden).err();
        let end = Event::End {
            interrupted,
            error: error.as_ref().map(|error| format::chain(error)),
        };
        let error = error.or(this.recorder.event(end).err());
        Ended { interrupted, error }
    }

    fn phase(&self, phase: Phase) -> Result<(), Error> {
        self.recorder.event(Event::Phase { phase })
    }

    async fn phases(&self) -> Result<(), Error> {
        self.phase(Phase::Prepare)?;
        // Held to the end: dropping the receiver closes it.
        let _alerts = {
            // Never closed, so the only error cannot occur; without the permit the drill would merely be noisier.
            let _permit = self.order.setups.acquire().await;
            self.prepare().await?
        };
        let _watching: Vec<_> = (self.order.plan.system.services.keys())
            .map(|name| {
                watch::watch(
                    Arc::clone(&self.order.backend),
                    name.clone(),
                    self.recorder.clone(),
                )
            })
            .collect();
        let time = probe::ProcessorTime::default();
        #[cfg(target_os = "linux")]
        let _load = load::record(
            Arc::clone(&self.order.backend),
            self.order.plan.system.services.keys().cloned().collect(),
            self.clock,
            (self.recorder.clone(), time.clone()),
        );
        let journeys = Journeys::start(
            &self.users,
            self.order.seed,
            self.reach(time)?,
            self.clock,
            &self.labels,
            &self.recorder,
        )?;
        self.phase(Phase::Steady)?;
        if self.steady(&journeys).await? {
            self.phase(Phase::Steps)?;
            self.steps.run(self.clock.now()).await?;
            self.phase(Phase::Quiet)?;
            self.quiet(&journeys).await;
        }
        let writes = journeys.end().await?;
        self.phase(Phase::ReadBack)?;
        // Before anything is reverted: a revert restores files, and would hide what the system has lost.
        self.read_back(&writes).await?;
        self.phase(Phase::Collect)?;
        self.collect().await?;
        self.phase(Phase::Done)
    }

    /// How users reach the services.
    fn reach(&self, time: probe::ProcessorTime) -> Result<probe::Reach, Error> {
        proxies::reach(&self.order.plan, &self.order.backend, &self.steps.proxies, time)
    }

    fn start(&self) -> Start {
        Start {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            run: self.order.folder.id.clone(),
            wall: jiff::Timestamp::now().to_string(),
            seed: self.order.seed,
            backend: self.order.backend.kind().into(),
            place: self.order.backend.place(),
            repeat: self.order.repeat,
            plan: self.order.plan.as_ref().into(),
        }
    }

    /// Waits until all journeys are good for long enough. If they never are, the drill ends here, undecided; unless it is
    /// a control that needs no steady state. Returns whether the drill goes on.
    async fn steady(&self, journeys: &Journeys) -> Result<bool, Error> {
        let scenario = &self.order.plan.scenario;
        let wanted = scenario.timing.steady.0;
        let required = scenario.control.as_ref().is_none_or(|control| control.steady);
        // A service that is broken from the start is not waited for.
        let limit = if required { wanted + WARM_UP } else { wanted };
        let look = || {
            std::future::ready(match journeys.good_for(&self.clock) {
                good if good >= wanted => Poll::<_, std::convert::Infallible>::Done(good),
                _ => Poll::NotYet(journeys.complaint(&self.clock)),
            })
        };
        let (good, evidence) = match firedrill_wait::until("all journeys good", limit, look).await {
            Ok(good) => {
                let good = format!("every journey good for {}", format::latency(good));
                match journeys.protocols() {
                    Some(protocols) => (true, format!("{good} ({protocols})")),
                    None => (true, good),
                }
            }
            Err(error) => (false, error.to_string()),
        };
        self.recorder.event(Event::Steady { good, evidence })?;
        Ok(good || !required)
    }

    /// Waits until all journeys have been good for the quiet period, and every expected alert has arrived: one that may
    /// still come is not missing. Ends after the settle time in any case: the service then counts as still down.
    async fn quiet(&self, journeys: &Journeys) {
        let scenario = &self.order.plan.scenario;
        let timing = &scenario.timing;
        let since = self.clock.now();
        // Only the time since the steps ended: a streak from before them shows no recovery.
        let is_quiet = || journeys.good_for(&self.clock).min(self.clock.now().since(since)) >= timing.quiet.0;
        let arrived = || (scenario.expect.alerts.iter()).all(|alert| self.recorder.has_alert(&alert.kind));
        let look = || {
            std::future::ready(if is_quiet() && arrived() {
                Poll::<_, std::convert::Infallible>::Done(())
            } else {
                Poll::NotYet(String::new())
            })
        };
        // A settle time below the quiet period could never be enough.
        let within = timing.settle.0.max(timing.quiet.0);
        // Without recovery the outage counts as still down, and the drill goes on to read back.
        let _ = firedrill_wait::until("recovery", within, look).await;
    }

    /// Asks for every write, where users ask: a fault without an end is still in effect.
    async fn read_back(&self, writes: &[probe::Write]) -> Result<(), Error> {
        let reach = self.reach(probe::ProcessorTime::default())?;
        let obstacle = self.steps.obstacle().await?;
        for (write, found) in probe::read_back(&self.users, self.order.seed, &reach, obstacle, writes).await {
            let (stream, n, ack) = (write.stream, write.n, write.ack);
            self.recorder.event(Event::ReadBack {
                stream,
                n,
                ack,
                found,
            })?;
        }
        Ok(())
    }

    /// Hides secrets in the logs of deploys.
    fn hide_secrets(&self) -> io::Result<()> {
        let folder = self.order.folder.path.join(LOGS);
        for step in 0..self.order.plan.scenario.steps.len() {
            let path = crate::fault::deploy_log(&folder, step);
            if !path.exists() {
                continue;
            }
            let mut log = Log::within(self.order.log_limit).hiding(&self.order.plan.secrets);
            log.read_from(File::open(&path)?)?;
            // In a new file: a program that a deploy left running may still write to the old one.
            std::fs::remove_file(&path)?;
            log.write_to(files::private().write(true).create_new(true).open(&path)?)?;
        }
        Ok(())
    }

    /// Stores the services' logs, and searches them for what the scenario expects there.
    async fn collect(&self) -> Result<(), Error> {
        let folder = self.order.folder.path.join(LOGS);
        std::fs::create_dir_all(&folder).map_err(Error::History)?;
        for service in self.order.plan.system.services.keys() {
            let expected = self.order.plan.scenario.expect.logs.get(service);
            let log = Log::within(self.order.log_limit).hiding(&self.order.plan.secrets);
            let mut log = match expected {
                Some(text) => log.searching(text),
                None => log,
            };
            self.order.backend.read_log(service, &mut log).await?;
            let path = folder.join(format!("{service}.log"));
            files::private()
                .write(true)
                .create_new(true)
                .open(path)
                .and_then(|file| log.write_to(file))
                .map_err(Error::History)?;
            if let Some(text) = expected {
                let found = log.found();
                let (service, text) = (service.clone(), text.clone());
                self.recorder.event(Event::Logged { service, text, found })?;
            }
        }
        Ok(())
    }
}
