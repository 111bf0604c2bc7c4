//! One drill: prepared, run, judged, stored, shown, cleaned up.
//!
//! Takes a scheduled drill; gives its result, which is also recorded in the suite log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::exit::Exit;
use super::super::suite_log::{DrillRecord, DrillResult};
use super::super::{clean, logs, output};
use super::schedule::Scheduled;
use super::session::Session;
use firedrill_judge::{Judgement, measure};
use firedrill_model::files::{self, FileError};
use firedrill_model::format;
use firedrill_model::history::{self, History, ReadError};
use firedrill_report::{DrillOutcome, DrillReport, DrillSummary};
use firedrill_runner::Plan;
use firedrill_runner::backend::{self, Backend};
use firedrill_runner::drill::{self, Order, RunFolder};

/// A drill that ended.
pub(super) struct Finished {
    pub(super) name: String,
    pub(super) repeat: u32,
    pub(super) exit: Exit,
    pub(super) summary: DrillSummary,
    result: DrillResult,
    runs: PathBuf,
}

impl Finished {
    fn new(scheduled: &Scheduled, result: DrillResult, exit: Exit, summary: DrillSummary) -> Self {
        Self {
            name: scheduled.plan.name.clone(),
            repeat: scheduled.repeat,
            exit,
            summary,
            result,
            runs: scheduled.runs.clone(),
        }
    }

    fn skipped(scheduled: &Scheduled, why: String) -> Self {
        let summary = DrillSummary::skipped(&scheduled.plan.name, scheduled.is_control(), &why);
        Self::new(scheduled, DrillResult::Skipped(why), Exit::AsExpected, summary)
    }

    fn failed(scheduled: &Scheduled, why: String) -> Self {
        let summary = DrillSummary::failed(&scheduled.plan.name, scheduled.is_control(), &why);
        Self::new(scheduled, DrillResult::Failed(why), Exit::Environment, summary)
    }

    /// It ended by a mistake of Firedrill's own, without removing its services.
    pub(super) fn panicked(scheduled: &Scheduled, error: &tokio::task::JoinError) -> Self {
        let clean = clean::command(&scheduled.runs, &[]);
        let why = format!("a bug in Firedrill ended it: {error}; remove what it left with: {clean}");
        Self {
            exit: Exit::Unclean,
            ..Self::failed(scheduled, why)
        }
    }

    /// Its run folder, or why there is none.
    pub(super) fn folder(&self) -> Result<PathBuf, DrillOutcome> {
        let name = self.name.clone();
        match &self.result {
            DrillResult::Run(id) => Ok(self.runs.join(id)),
            DrillResult::Skipped(why) => Err(DrillOutcome::Skipped {
                name,
                why: why.clone(),
            }),
            DrillResult::Failed(why) => Err(DrillOutcome::Failed {
                name,
                why: why.clone(),
            }),
        }
    }
}

/// Builds what all drills need before the first of them starts: a compiler would take the processors from services whose
/// answers are timed. What cannot be built is left to its drill, which says why.
pub(super) async fn build(session: &Session, drills: &[Scheduled]) {
    let building = async {
        let show = |building: backend::Building<'_>| {
            if !matches!(building, backend::Building::Failed { .. }) {
                session.progress.building(building);
            }
        };
        for scheduled in drills {
            let plan = &scheduled.plan;
            // Of no run: only asked what it can do.
            let Ok(backend) = backend::open(session.kind, "none", &scheduled.runs).await else {
                return;
            };
            if check_supported(plan, backend.as_ref()).is_ok()
                && backend::sources(&plan.system, &plan.folder, &show).await.is_err()
            {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        // Dropping the other branch ends a build under way.
        () = session.stop.cancelled() => {}
        () = building => {}
    }
}

/// Runs one drill to its end, and records its result. `None` when it was interrupted before it started: like a drill
/// whose turn never came, it has no result.
pub(super) async fn run(session: &Arc<Session>, scheduled: Scheduled) -> Option<Finished> {
    let id = drill::new_run_id(&scheduled.plan.name, scheduled.repeat);
    let mut finished = match RunFolder::create(&scheduled.runs, id) {
        Ok(folder) => in_folder(session, &scheduled, folder).await?,
        Err(error) => {
            let runs = scheduled.runs.display();
            Finished::failed(
                &scheduled,
                format!("cannot create a run folder in {runs}: {error}"),
            )
        }
    };
    let record = DrillRecord {
        scenario: scheduled.plan.name.clone(),
        repeat: scheduled.repeat,
        control: scheduled.is_control(),
        result: finished.result.clone(),
    };
    if let Err(error) = scheduled.log.record(&record) {
        finished
            .summary
            .note(&format!("its result could not be recorded: {error}"));
    }
    if let Some(side) = scheduled.side {
        finished.summary.note(side.name());
    }
    Some(finished)
}

async fn in_folder(session: &Arc<Session>, scheduled: &Scheduled, folder: RunFolder) -> Option<Finished> {
    let prepared = tokio::select! {
        // The interrupt first: what is prepared after it would not be run.
        biased;
        () = session.stop.cancelled() => {
            // Nothing was started, so the run folder says nothing. Dropping the preparation ends a build under way.
            drop(std::fs::remove_dir_all(&folder.path));
            return None;
        }
        prepared = prepare(session, scheduled, &folder) => prepared,
    };
    let (backend, order) = match prepared {
        Ok(prepared) => prepared,
        Err(not_ready) => {
            let finished = match not_ready {
                NotReady::Unsupported(why) => {
                    // Nothing was started, so the run folder says nothing.
                    drop(std::fs::remove_dir_all(&folder.path));
                    Finished::skipped(scheduled, why)
                }
                NotReady::Failed(why) => Finished::failed(scheduled, why),
            };
            session.progress.done(&finished.summary.text(output::color()));
            return Some(finished);
        }
    };
    // On the second signal the drill is dropped where it stands. `clean_up` below still removes its services.
    let ended = tokio::select! {
        ended = drill::run(order, session.stop.clone()) => Some(ended),
        () = session.hurry.cancelled() => None,
    };
    let interrupted = ended.as_ref().is_none_or(|ended| ended.interrupted);
    let error = ended.and_then(|ended| ended.error);
    // Judged before anything is removed: a full disk or a killed harness must not cost the verdict.
    let (mut exit, mut summary) = judge(session, &scheduled.plan, &folder);
    // The interrupt explains any error, so it counts before it.
    if interrupted {
        exit = Exit::Interrupted;
    } else if let Some(error) = error {
        exit = Exit::Environment;
        let why = format::chain(&error);
        summary = DrillSummary::failed(&scheduled.plan.name, scheduled.is_control(), &why);
    }
    session.progress.done(&summary.text(output::color()));
    if !clean_up(session, scheduled, &folder, backend.as_ref()).await {
        exit = Exit::Unclean;
    }
    Some(Finished::new(
        scheduled,
        DrillResult::Run(folder.id),
        exit,
        summary,
    ))
}

/// Why a drill cannot start.
enum NotReady {
    /// The backend lacks something that the scenario needs.
    Unsupported(String),
    /// The environment failed.
    Failed(String),
}

impl From<backend::Error> for NotReady {
    fn from(error: backend::Error) -> Self {
        match error {
            backend::Error::Unsupported(why) => Self::Unsupported(why.to_string()),
            error => Self::Failed(format::chain(&error)),
        }
    }
}

/// Opens the backend, and builds the system's services.
async fn prepare(
    session: &Arc<Session>,
    scheduled: &Scheduled,
    folder: &RunFolder,
) -> Result<(Arc<dyn Backend>, Order), NotReady> {
    let plan = &scheduled.plan;
    let backend = backend::open(session.kind, &folder.id, &folder.path).await?;
    // Checked before the build: minutes of compiling for a drill that is then skipped would be wasted.
    check_supported(plan, backend.as_ref())?;
    let show = |building: backend::Building<'_>| session.progress.building(building);
    let sources = backend::sources(&plan.system, &plan.folder, &show).await?;
    let watcher = Arc::clone(session);
    let (name, run) = (plan.name.clone(), folder.id.clone());
    let order = Order {
        plan: Arc::clone(plan),
        backend: Arc::clone(&backend),
        sources,
        folder: folder.clone(),
        seed: session.seed,
        log_limit: session.args.log_limit,
        repeat: (scheduled.repeat, session.args.repeat),
        watch: Arc::new(move |event| watcher.progress.event(&name, &run, event)),
        setups: Arc::clone(&session.setups),
    };
    Ok((backend, order))
}

/// Checks that the backend has every capability that the plan needs, and names the fault that needs a missing one.
fn check_supported(plan: &Plan, backend: &dyn Backend) -> Result<(), NotReady> {
    for need in backend::needs(&plan.system) {
        let can = backend.can(need);
        can.map_err(|why| NotReady::Unsupported(why.to_string()))?;
    }
    for (step, fault) in plan.steps() {
        for need in fault.needs() {
            let can = backend.can(need);
            can.map_err(|why| NotReady::Unsupported(format!("{}: {why}", step.fault.name)))?;
        }
    }
    Ok(())
}

/// Judges the history, stores the verdict beside it, and prints the report if it is wanted.
fn judge(session: &Session, plan: &Plan, folder: &RunFolder) -> (Exit, DrillSummary) {
    let history = match history::read(&folder.path) {
        Ok(history) => history,
        Err(error) => return unreadable(plan, &error),
    };
    let measured = measure::measure(&history);
    let judgement = firedrill_judge::judge(&history, &measured);
    let json = firedrill_report::json(&history, &measured, &judgement);
    let exit = Exit::from(&judgement);
    let mut summary = DrillSummary::new(&history, &measured, &judgement);
    // `report` judges again anyway, so a verdict that cannot be stored costs nothing but time.
    if let Err(error) = store_verdict(&folder.path, &json.to_string()) {
        summary.note(&format!("the verdict could not be stored: {error}"));
    }
    if session.args.json {
        let line = serde_json::json!({ "run": folder.id, "report": json });
        session.progress.print(&line.to_string());
    // A suite prints only the reports that need attention.
    } else if session.single || session.args.verbose || exit != Exit::AsExpected {
        print_report(session, &history, measured, judgement, &folder.path);
    }
    (exit, summary)
}

fn unreadable(plan: &Plan, error: &ReadError) -> (Exit, DrillSummary) {
    let control = plan.scenario.control.is_some();
    let summary = DrillSummary::failed(&plan.name, control, &format::chain(error));
    (Exit::Environment, summary)
}

fn print_report(
    session: &Session,
    history: &History,
    measured: measure::Measured,
    judgement: Judgement,
    folder: &Path,
) {
    let report = DrillReport::new(history, measured, judgement, logs::excerpts(folder));
    let report = report.in_folder(&output::short_path(folder));
    let text = firedrill_report::terminal(&report, output::width(), output::color());
    session.progress.print(&text);
}

fn store_verdict(folder: &Path, json: &str) -> Result<(), FileError> {
    files::replace_private(&folder.join(history::VERDICT), json.as_bytes())
}

/// Removes the drill's services. Says what outlived them, and what could not be removed; false if anything is left.
async fn clean_up(
    session: &Session,
    scheduled: &Scheduled,
    folder: &RunFolder,
    backend: &dyn Backend,
) -> bool {
    let name = &scheduled.plan.name;
    let cleaned = {
        // Removing containers takes as much of the machine as starting them.
        let _permit = session.setups.acquire().await;
        backend.clean().await
    };
    match cleaned {
        Ok(outlived) if outlived.is_empty() => true,
        Ok(outlived) => {
            let outlived = outlived.join(", ");
            session
                .progress
                .note(&format!("{name}: ended what outlived its service: {outlived}"));
            true
        }
        Err(left) => {
            let left: Vec<String> = left.iter().map(|error| format::chain(error)).collect();
            session.progress.note(&format!(
                "error: {name}: cleanup is incomplete:\n  {}\n  finish with: {}",
                left.join("\n  "),
                clean::command(&scheduled.runs, &["--run", &folder.id])
            ));
            false
        }
    }
}
