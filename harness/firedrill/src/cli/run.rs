//! `firedrill run`: scenarios, run and judged.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, StreamExt};
use tokio_util::sync::CancellationToken;

use super::against::{self, Drill};
use super::call::{Became, Done, Ordered, Record, Shard};
use super::exit::Exit;
use super::outcome::{Outcome, conclude, shown};
use super::progress::Progress;
use super::render::Wanted;
use super::{clean, list, logs, output, signals};
use firedrill_judge::measure;
use firedrill_judge::{Judgement, Verdict};
use firedrill_model::history;
use firedrill_model::scenario::Plan;
use firedrill_runner::backend::{Backend, Kind};
use firedrill_runner::drill::{self, Order, RunFolder};
use firedrill_runner::fault;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  firedrill run wrong-json-loader --backend process    one of them, without containers
  firedrill run -n 20 --report html=report.html       each twenty times, and a page of all
  firedrill run -n 10 --against app=v1                in turns with another release: `compare`

Exit codes:
  0 as stated   1 breached   2 bad usage or file   3 undecided, or all skipped   4 environment
  5 cleanup incomplete   130 interrupted, after reverting")]
pub(super) struct Args {
    /// Scenario names, files or folders (all of ./scenarios).
    scenarios: Vec<String>,
    /// Where the services run. `auto`: containers if an engine answers, else local processes.
    #[arg(long, alias = "target", value_enum, default_value_t = Choice::Auto)]
    backend: Choice,
    /// Drills side by side (containers: as many as cores; processes: four times that, a drill mostly waits).
    #[arg(short, long)]
    jobs: Option<usize>,
    /// Run each scenario so many times, one repeat of all after the other.
    #[arg(short = 'n', long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repeat: u32,
    /// What every random choice derives from; printed with every result (a random one).
    #[arg(long)]
    seed: Option<u64>,
    /// Every event as one JSON object a line, and at the end of a drill its report.
    #[arg(long)]
    pub(super) json: bool,
    /// Where run folders go.
    #[arg(long, env = "FIREDRILL_RUNS", default_value = "runs")]
    pub(super) runs: PathBuf,
    /// Only this part of the suite: 2/4 is the second of four. `firedrill merge` puts the parts together again.
    #[arg(long, value_name = "PART/PARTS", conflicts_with = "against")]
    pub(super) shard: Option<Shard>,
    /// Run a base too, interleaved, to compare with: another release (SERVICE=RELEASE), or a folder of scenarios, of
    /// another checkout, say. One drill at a time, unless `--jobs` says otherwise.
    #[arg(long, value_name = "BASE")]
    against: Option<String>,
    /// Reports to write at the end, FORMAT=PATH: html=report.html,junit=report.xml,markdown=report.md,github=…,json=…
    #[arg(long, value_name = "FORMAT=PATH", value_delimiter = ',')]
    pub(super) report: Vec<Wanted>,
    /// The whole report of every drill, not only of those that are not as stated.
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Choice {
    /// Containers if an engine answers, else local processes.
    Auto,
    /// Containers.
    Docker,
    /// Local processes.
    Process,
}

/// What all drills of one call share.
pub(super) struct Call {
    pub(super) args: Args,
    pub(super) kind: Kind,
    pub(super) seed: u64,
    pub(super) stop: CancellationToken,
    /// Asked a second time: reverts are left to the removal of the services.
    hurry: CancellationToken,
    pub(super) progress: Progress,
    pub(super) alone: bool,
    failed: AtomicBool,
}

pub(super) async fn run(args: Args) -> Exit {
    let plans = match list::load(&args.scenarios) {
        Ok(plans) => plans,
        Err(exit) => return exit,
    };
    offer_to_clean(&args.runs);
    let (kind, why) = match choose(args.backend).await {
        Ok(chosen) => chosen,
        Err(error) => {
            output::error(&error.to_string());
            return Exit::Environment;
        }
    };
    output::note(&format!("backend: {kind} ({why})"));
    let seed = args.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let drills = match ordered(&args, plans, kind, seed) {
        Ok(drills) => drills,
        Err(exit) => return exit,
    };
    let total = drills.len();
    let call = Arc::new(Call {
        kind,
        seed,
        stop: CancellationToken::new(),
        hurry: CancellationToken::new(),
        progress: Progress::new(total, args.json),
        alone: total == 1,
        failed: AtomicBool::new(false),
        args,
    });
    let signals = tokio::spawn(signals::listen(
        call.stop.clone(),
        call.hurry.clone(),
        clean::command(&call.args.runs, ""),
    ));
    let outcomes = all(&call, drills).await;
    signals.abort();
    conclude(&call, outcomes)
}

/// Every drill of the call, in order: a repeat of all scenarios before the next of any. What was ordered is on disk
/// before the first begins.
fn ordered(args: &Args, plans: Vec<Plan>, kind: Kind, seed: u64) -> Result<Vec<Drill>, Exit> {
    if let Some(base) = &args.against {
        return against::ordered(base, plans, &args.runs, args.repeat, kind, seed);
    }
    let names = plans.iter().map(|plan| plan.name.clone()).collect();
    let ordered = Ordered::new(seed, kind.to_string(), names, args.repeat, args.shard);
    let record = Record::begin(&args.runs, &drill::new_run_id("suite", 1), &ordered);
    let record = Arc::new(record.map_err(|error| {
        output::error(&format!("cannot write to {}: {error}", args.runs.display()));
        Exit::Environment
    })?);
    let here = plans
        .into_iter()
        .enumerate()
        .filter(|(place, _)| args.shard.is_none_or(|shard| shard.holds(*place)));
    let plans: Vec<Arc<Plan>> = here.map(|(_, plan)| Arc::new(plan)).collect();
    let drill = |repeat: u32, plan: &Arc<Plan>| Drill {
        plan: Arc::clone(plan),
        repeat,
        runs: args.runs.clone(),
        record: Arc::clone(&record),
        side: None,
    };
    let drills = (1..=args.repeat).flat_map(|repeat| plans.iter().map(move |plan| drill(repeat, plan)));
    Ok(drills.collect())
}

/// A killed run cannot clean up after itself: whoever comes next is told how.
fn offer_to_clean(runs: &Path) {
    let lost = firedrill_runner::backend::lost(runs);
    if !lost.is_empty() {
        output::note(&format!(
            "{} killed run(s) left things behind in {}; remove them with: {}",
            lost.len(),
            runs.display(),
            clean::command(runs, "")
        ));
    }
}

/// Which backend, and why that one.
async fn choose(choice: Choice) -> Result<(Kind, String), firedrill_runner::backend::Error> {
    match choice {
        Choice::Process => Ok((Kind::Process, "asked for".into())),
        Choice::Docker => firedrill_runner::backend::engine()
            .await
            .map(|engine| (Kind::Docker, engine.to_string())),
        Choice::Auto => Ok(match firedrill_runner::backend::engine().await {
            Ok(engine) => (Kind::Docker, engine.to_string()),
            Err(error) => (Kind::Process, format!("no container engine answers: {error}")),
        }),
    }
}

/// Every drill, so many at once.
async fn all(call: &Arc<Call>, drills: Vec<Drill>) -> Vec<Outcome> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let usual = match call.kind {
        _ if call.args.against.is_some() => 1,
        // Each is several containers, and a start of one is work for more than a core.
        Kind::Docker => cores,
        Kind::Process => cores * 4,
    };
    let jobs = call.args.jobs.unwrap_or(usual).max(1);
    let drills = drills.into_iter().map(|drill| {
        let call = Arc::clone(call);
        async move {
            if call.stop.is_cancelled() {
                return None;
            }
            let outcome = tokio::spawn(async move { recorded(&call, drill).await });
            outcome.await.ok()
        }
    });
    stream::iter(drills)
        .buffer_unordered(jobs)
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// One drill, and what became of it written down.
async fn recorded(call: &Arc<Call>, drill: Drill) -> Outcome {
    let (became, mut outcome) = one(call, &drill).await;
    let done = Done {
        scenario: drill.plan.name.clone(),
        repeat: drill.repeat,
        control: drill.plan.scenario.control.is_some(),
        became,
    };
    if let Err(error) = drill.record.done(&done) {
        outcome
            .line
            .note(&format!("its end could not be recorded: {error}"));
    }
    if let Some(side) = drill.side {
        outcome.line.note(side);
    }
    outcome
}

/// One drill: supported here, built, run, judged, stored, shown, cleaned up.
async fn one(call: &Arc<Call>, drill: &Drill) -> (Became, Outcome) {
    let (plan, repeat) = (Arc::clone(&drill.plan), drill.repeat);
    let name = plan.name.clone();
    let control = plan.scenario.control.is_some();
    let ended = |became: Became, exit: Exit, line: firedrill_report::DrillSummary| {
        let name = name.clone();
        let outcome = Outcome {
            stored: stored(&drill.runs, &name, &became),
            name,
            repeat,
            exit,
            line,
        };
        (became, outcome)
    };
    let id = drill::new_run_id(&name, repeat);
    let folder = match RunFolder::create(&drill.runs, id.clone()) {
        Ok(folder) => folder,
        Err(error) => {
            let why = format!("cannot make a run folder in {}: {error}", drill.runs.display());
            let line = firedrill_report::DrillSummary::failed(&name, control, &why);
            return ended(Became::Failed(why), Exit::Environment, line);
        }
    };
    let prepared = prepare(call, &plan, &folder).await;
    let (backend, order) = match prepared {
        Ok(prepared) => prepared,
        Err(Unready::Unsupported(why)) => {
            // Nothing was started; an empty run folder would only confuse.
            drop(std::fs::remove_dir_all(&folder.path));
            let line = firedrill_report::DrillSummary::skipped(&name, control, &why);
            call.progress.done(&line.text(output::colours()));
            return ended(Became::Skipped(why), Exit::AsStated, line);
        }
        Err(Unready::Failed(why)) => {
            let line = firedrill_report::DrillSummary::failed(&name, control, &why);
            call.progress.done(&line.text(output::colours()));
            return ended(Became::Failed(why), Exit::Environment, line);
        }
    };
    let order = Order {
        repeat: (repeat, call.args.repeat),
        ..order
    };
    let finished = tokio::select! {
        finished = drill::run(order, call.stop.clone()) => Some(finished),
        () = call.hurry.cancelled() => None,
    };
    let interrupted = finished.as_ref().is_none_or(|finished| finished.interrupted);
    let error = finished.and_then(|finished| finished.error);
    let (mut exit, mut line) = judge(call, &plan, &folder);
    if interrupted {
        exit = Exit::Interrupted;
    } else if let Some(error) = error {
        exit = Exit::Environment;
        line = firedrill_report::DrillSummary::failed(&name, control, &error.to_string());
    }
    call.progress.done(&line.text(output::colours()));
    match backend.clean().await {
        Ok(outlived) if outlived.is_empty() => {}
        Ok(outlived) => output::note(&format!(
            "{name}: outlived the service it came from, and was ended: {}",
            outlived.join(", ")
        )),
        Err(left) => {
            let left: Vec<String> = left.iter().map(ToString::to_string).collect();
            output::error(&format!(
                "{name}: something was left behind:\n  {}\n  finish with: {}",
                left.join("\n  "),
                clean::command(&drill.runs, &format!(" --run {id}"))
            ));
            exit = Exit::Unclean;
        }
    }
    ended(Became::Run(id), exit, line)
}

/// Where a drill's history is, or why there is none.
fn stored(runs: &Path, name: &str, became: &Became) -> Result<PathBuf, firedrill_report::DrillOutcome> {
    let name = name.to_owned();
    match became {
        Became::Run(id) => Ok(runs.join(id)),
        Became::Skipped(why) => Err(firedrill_report::DrillOutcome::Skipped {
            name,
            why: why.clone(),
        }),
        Became::Failed(why) => Err(firedrill_report::DrillOutcome::Failed {
            name,
            why: why.clone(),
        }),
    }
}

/// Why a drill cannot begin.
enum Unready {
    Unsupported(String),
    Failed(String),
}

/// Opens the backend, and builds what the system is made of.
async fn prepare(
    call: &Arc<Call>,
    plan: &Arc<Plan>,
    folder: &RunFolder,
) -> Result<(Arc<dyn Backend>, Order), Unready> {
    let failed = |error: firedrill_runner::backend::Error| match error {
        firedrill_runner::backend::Error::Unsupported { why, .. } => Unready::Unsupported(why),
        error => Unready::Failed(error.to_string()),
    };
    let backend = firedrill_runner::backend::open(call.kind, &folder.id, &folder.path)
        .await
        .map_err(failed)?;
    supported(plan, backend.as_ref()).map_err(Unready::Unsupported)?;
    let progress = |what: &str| call.progress.say(what);
    let sources = firedrill_runner::backend::sources(&plan.system, &plan.folder, &progress)
        .await
        .map_err(failed)?;
    let watching = Arc::clone(call);
    let (name, run) = (plan.name.clone(), folder.id.clone());
    let order = Order {
        plan: Arc::clone(plan),
        backend: Arc::clone(&backend),
        sources,
        folder: folder.clone(),
        seed: call.seed,
        repeat: (1, 1),
        watch: Arc::new(move |event| watching.progress.event(&name, &run, event)),
    };
    Ok((backend, order))
}

/// Whether a backend can do all that a plan needs; if not, why.
fn supported(plan: &Plan, backend: &dyn Backend) -> Result<(), String> {
    for need in firedrill_runner::backend::needs(&plan.system) {
        backend.can(need)?;
    }
    for step in &plan.scenario.steps {
        for need in fault::parse(&step.fault)?.needs() {
            backend
                .can(need)
                .map_err(|why| format!("{}: {why}", step.fault.name))?;
        }
    }
    Ok(())
}

/// Judges what was written, stores the verdict beside it, and shows the report where it is wanted.
fn judge(call: &Call, plan: &Plan, folder: &RunFolder) -> (Exit, firedrill_report::DrillSummary) {
    let control = plan.scenario.control.is_some();
    let history = match history::read(&folder.path) {
        Ok(history) => history,
        Err(error) => {
            return (
                Exit::Environment,
                firedrill_report::DrillSummary::failed(&plan.name, control, &error.to_string()),
            );
        }
    };
    let measured = measure::measure(&history);
    let judgement = firedrill_judge::judge(&history, &measured);
    let json = firedrill_report::json(&history, &measured, &judgement);
    let exit = exit(&judgement);
    let mut line = firedrill_report::DrillSummary::new(&history, &measured, &judgement);
    if let Err(error) = store(&folder.path, &json.to_string()) {
        line.note(&format!("the verdict could not be stored: {error}"));
    }
    if call.args.json {
        call.progress
            .print(&serde_json::json!({ "run": folder.id, "report": json }).to_string());
    } else if call.alone || call.args.verbose || exit != Exit::AsStated {
        let story =
            firedrill_report::DrillReport::new(&history, measured, judgement, logs::excerpts(&folder.path));
        let story = story.in_folder(&shown(&folder.path));
        call.progress.print(&firedrill_report::terminal(
            &story,
            output::width(),
            output::colours(),
        ));
    }
    if exit != Exit::AsStated {
        call.failed.store(true, Ordering::Relaxed);
    }
    (exit, line)
}

fn store(folder: &Path, json: &str) -> std::io::Result<()> {
    std::fs::write(folder.join(history::VERDICT), json)
}

/// What a judgement means for CI.
pub(super) fn exit(judgement: &Judgement) -> Exit {
    match (judgement.as_expected(), judgement.verdict()) {
        (true, _) => Exit::AsStated,
        (false, Verdict::Undecided) => Exit::Undecided,
        (false, Verdict::Met | Verdict::Breached) => Exit::Breached,
    }
}
