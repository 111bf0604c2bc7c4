//! `firedrill run`: runs scenarios and judges them.
//!
//! Takes scenario names; gives a run folder for each drill, reports, and the worst exit code of all drills.

mod args;
mod baseline;
mod conclusion;
mod drill;
mod progress;
mod schedule;
mod session;
mod signals;

use std::path::Path;
use std::sync::Arc;

use futures::stream::{self, StreamExt};

pub(super) use args::Args;
use args::BackendChoice;
use drill::Finished;
use schedule::Scheduled;
use session::Session;
use signals::Signals;

use super::exit::Exit;
use super::failure::Failure;
use super::{clean, output, scenarios};
use firedrill_model::format;
use firedrill_model::scenario::Build;
use firedrill_runner::Plan;
use firedrill_runner::backend::{self, Kind};

pub(super) async fn run(args: Args) -> Result<Exit, Failure> {
    let mut plans = scenarios::load(&args.scenarios)?;
    scenarios::fill_secrets(&mut plans).map_err(Failure::usage)?;
    scenarios::find_programs(&plans).map_err(Failure::usage)?;
    // Before anything is started: leftovers hold ports and memory, and can fail a drill.
    suggest_cleanup(&args.runs);
    let (kind, reason) = choose_backend(args.backend, &plans)
        .await
        .map_err(Failure::environment)?;
    output::note(&format!("backend: {kind} ({reason})"));
    let seed = args.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let drills = schedule(&args, plans, kind, seed)?;
    let session = Arc::new(Session::new(args, kind, seed, drills.len()));
    // Open before the first drill starts: from here on no signal ends the process without a cleanup.
    let signals = Signals::open().map_err(Failure::environment)?;
    let signals = tokio::spawn(signals.listen(
        session.stop.clone(),
        session.hurry.clone(),
        clean::command(&session.args.runs, &[]),
    ));
    drill::build(&session, &drills).await;
    let finished = run_all(&session, drills).await;
    signals.abort();
    Ok(conclusion::conclude(&session, finished))
}

fn schedule(args: &Args, plans: Vec<Plan>, kind: Kind, seed: u64) -> Result<Vec<Scheduled>, Failure> {
    let Some(other) = &args.baseline else {
        return schedule::suite(args, plans, kind, seed).map_err(Failure::environment);
    };
    baseline::interleaved(other, plans, &args.runs, args.repeat, kind, seed).map_err(|error| match error {
        baseline::Error::Files(problems) => problems.into(),
        error @ baseline::Error::CannotRecord(_) => Failure::environment(error),
        error => Failure::usage(error),
    })
}

/// A killed run cannot clean up after itself, so the next one says how to.
fn suggest_cleanup(runs: &Path) {
    let lost = backend::lost(runs);
    if !lost.is_empty() {
        output::warning(&format!(
            "{} left services or files behind in {}; remove them with: {}",
            format::count(lost.len(), "killed run"),
            runs.display(),
            clean::command(runs, &[])
        ));
    }
}

/// The backend, and why this one.
async fn choose_backend(choice: BackendChoice, plans: &[Plan]) -> Result<(Kind, String), backend::Error> {
    match choice {
        BackendChoice::Auto => backend_for(plans).await,
        BackendChoice::Process => Ok((Kind::Process, "requested".into())),
        BackendChoice::Docker => Ok((Kind::Docker, backend::engine().await?.to_string())),
    }
}

/// The backend that can run these systems, and why this one: containers if an engine answers, unless every system has a
/// service that is a local command.
pub(super) async fn backend_for(plans: &[Plan]) -> Result<(Kind, String), backend::Error> {
    let has = |is: fn(&Build) -> bool| {
        move |plan: &Plan| plan.system.services.values().any(|service| is(&service.build))
    };
    let local = has(|build| matches!(build, Build::Command(_)));
    if !plans.is_empty() && plans.iter().all(local) {
        return Ok((Kind::Process, "the services are local commands".into()));
    }
    match backend::engine().await {
        Ok(engine) => Ok((Kind::Docker, engine.to_string())),
        Err(error) => Ok((Kind::Process, format!("no container engine answers: {error}"))),
    }
}

/// Runs the drills, several at a time. After an interrupt no further drill starts.
async fn run_all(session: &Arc<Session>, drills: Vec<Scheduled>) -> Vec<Finished> {
    let drills = drills.into_iter().map(|scheduled| {
        let session = Arc::clone(session);
        async move {
            if session.stop.is_cancelled() {
                return None;
            }
            // A task of its own: a drill that panics does not end the others, and is not forgotten either.
            let panicked = scheduled.clone();
            let task = tokio::spawn(async move { drill::run(&session, scheduled).await });
            task.await
                .unwrap_or_else(|error| Some(Finished::panicked(&panicked, &error)))
        }
    });
    stream::iter(drills)
        .buffer_unordered(session.jobs())
        .filter_map(std::future::ready)
        .collect()
        .await
}
