//! Sends the harness a signal at random instants of its drills, cleans up as a user would after SIGKILL (after any other
//! signal the harness must have done it), and looks whether anything of ours is left, anything of others was touched, and
//! every history can still be read.
//!
//! ```text
//! cargo build --release -p firedrill && cargo run -p acceptance --bin kills -- --times 20
//! ```
//! Runs the real binaries only. Bystanders (a container, a network, a volume, a process) stand for everybody else.

mod bystanders;
mod choice;
mod tally;

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use acceptance::left::{Failure, nothing_left};
use bystanders::Bystanders;
use choice::{Choice, Choices, Moment};
use clap::{Parser, ValueEnum};
use firedrill::backend::Kind;
use firedrill::wait::{self, Poll};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tally::Tally;

/// Kill the harness so many times, and see what is left.
#[derive(Parser)]
struct Args {
    /// What it is sent.
    #[arg(long, value_enum, default_value_t = Sent::Kill)]
    signal: Sent,
    /// How many kills of a running drill: those that were over by then do not count.
    #[arg(long, default_value_t = 20)]
    times: u32,
    /// How many drills run side by side, each killed and cleaned up after while the others may still live.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    jobs: u32,
    /// The seed of what is run and of the instants.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where: docker, process, or both in turn.
    #[arg(long, default_value = "both", value_parser = ["docker", "process", "both"])]
    backend: String,
    /// The harness.
    #[arg(long, default_value = "target/release/firedrill")]
    firedrill: PathBuf,
    /// A folder of scenarios, or scenarios.
    #[arg(default_value = "scenarios")]
    scenarios: Vec<String>,
    /// The bystander's program: any static binary that serves for long without arguments of note.
    #[arg(long, default_value = "target/x86_64-unknown-linux-gnu/release/shortener")]
    bystander: PathBuf,
}

/// A signal that the harness is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sent {
    /// SIGKILL: the harness can do nothing more.
    Kill,
    /// SIGTERM, as a service manager sends it.
    Term,
    /// SIGHUP: its terminal is gone.
    Hup,
    /// SIGINT: Ctrl-C.
    Int,
}

impl Sent {
    fn signal(self) -> Signal {
        match self {
            Self::Kill => Signal::KILL,
            Self::Term => Signal::TERM,
            Self::Hup => Signal::HUP,
            Self::Int => Signal::INT,
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    match all(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&format!("FAILED: {failure}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn say(text: &str) {
    println!("{text}");
}

/// So many drills for each kill that is wanted, at most: some are over before their moment.
const TRIES: u32 = 5;

fn all(args: &Args) -> Result<(), Failure> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let kinds = match args.backend.as_str() {
        "both" => vec![Kind::Process, Kind::Docker],
        "docker" => vec![Kind::Docker],
        _ => vec![Kind::Process],
    };
    let mut choices = Choices::new(&args.scenarios, &kinds, StdRng::seed_from_u64(args.seed))?;
    let bystanders = Bystanders::start(args, folder.path())?;
    let life = bystanders.life()?;
    let mut tally = Tally::default();
    let (mut kills, mut tries) = (0, 0);
    while kills < args.times && tries < args.times.saturating_mul(TRIES) {
        let mut round = Vec::new();
        for job in 0..args.jobs.min(args.times - kills) {
            let runs = folder.path().join(format!("runs-{job}"));
            round.push((choices.next()?, runs));
        }
        for (seen, choice) in at_once(args, &bystanders, &life, round)? {
            let (ended, seen) = seen.map_err(|failure| format!("{choice}: {failure}"))?;
            tries += 1;
            // A kill before the drill began is no test of its cleanup.
            let counts = ended == Ended::Killed && seen.begun;
            if counts {
                kills += 1;
                tally.note(choice.pair.1, &seen.phase, &seen.faults);
            } else {
                if ended == Ended::ByItself && !seen.begun {
                    choices.refuse(&choice);
                }
                choices.again(choice.pair);
            }
            let number = if counts { kills.to_string() } else { "-".into() };
            let (how, removed) = (how(ended, &seen), seen.removed);
            say(&format!("{number:>4} {choice}; {how}; {removed} things removed"));
        }
    }
    for line in tally.lines(&kinds, &choices.pairs()) {
        say(&line);
    }
    if kills < args.times {
        return Err(format!(
            "only {kills} of {tries} drills were killed while they ran"
        ));
    }
    say(&format!(
        "{kills} kills of a running drill, {tries} drills: nothing left, nothing else touched, every history reads"
    ));
    Ok(())
}

/// What became of a drill, and which it was.
type Drilled = (Result<(Ended, Seen), Failure>, Choice);

/// Kills several drills at the same time. All of them come to their end, whatever becomes of one.
fn at_once(
    args: &Args,
    bystanders: &Bystanders,
    life: &str,
    round: Vec<(Choice, PathBuf)>,
) -> Result<Vec<Drilled>, Failure> {
    thread::scope(|scope| {
        let start = |(choice, runs): (Choice, PathBuf)| {
            scope.spawn(move || (one(args, &runs, bystanders, life, &choice), choice))
        };
        // All are started before the first is waited for.
        let drills: Vec<_> = round.into_iter().map(start).collect();
        let ended: Vec<_> = drills.into_iter().map(thread::ScopedJoinHandle::join).collect();
        let ended = ended.into_iter().collect::<Result<_, _>>();
        ended.map_err(|_| "a thread panicked".to_owned())
    })
}

/// Where the kill hit, or why it does not count.
fn how(ended: Ended, seen: &Seen) -> String {
    match (ended, seen.begun) {
        (Ended::Killed, true) => format!("in {}, in effect: {}", seen.phase, named(seen)),
        (Ended::Killed, false) => "before its drill began: not counted".into(),
        (Ended::ByItself, true) => "over by then: not counted".into(),
        (Ended::ByItself, false) => "passed over here: not counted".into(),
    }
}

/// Kills one drill, and cleans up after it.
fn one(
    args: &Args,
    runs: &Path,
    bystanders: &Bystanders,
    life: &str,
    choice: &Choice,
) -> Result<(Ended, Seen), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let ended = kill(args, runs, choice).await?;
        let seen = after(args, runs, bystanders, life).await?;
        Ok((ended, seen))
    })
}

fn named(seen: &Seen) -> String {
    let faults: Vec<&str> = seen.faults.iter().map(String::as_str).collect();
    if faults.is_empty() {
        "nothing".into()
    } else {
        faults.join(", ")
    }
}

/// What a kill has hit, and what the cleanup did.
struct Seen {
    /// There was a history: a drill had begun.
    begun: bool,
    phase: String,
    faults: std::collections::BTreeSet<String>,
    removed: usize,
}

/// Cleans up, and looks whether that was all and no more. The runs are gone afterwards.
async fn after(args: &Args, runs: &Path, bystanders: &Bystanders, life: &str) -> Result<Seen, Failure> {
    let ids = run_ids(runs);
    let run = folders(runs).into_iter().next();
    let events = run.as_deref().map(events).unwrap_or_default();
    let faults = run.as_deref().map(tally::in_effect).unwrap_or_default();
    // Whoever is not killed outright takes everything back before the end.
    if args.signal != Sent::Kill {
        nothing_left(args.backend != "process", runs, &ids).await?;
    }
    let removed = clean(args, runs)?;
    nothing_left(args.backend != "process", runs, &ids).await?;
    bystanders.untouched(life)?;
    histories(args, runs)?;
    // So that the next drill finds its own folder alone.
    drop(std::fs::remove_dir_all(runs));
    let mut phases = events.iter().filter_map(|event| event.get("phase")?.as_str());
    Ok(Seen {
        begun: !events.is_empty(),
        phase: phases.next_back().unwrap_or("nothing yet").to_owned(),
        faults,
        removed,
    })
}

fn firedrill(args: &Args, runs: &Path) -> Command {
    let mut command = Command::new(&args.firedrill);
    command.env("FIREDRILL_RUNS", runs).stdin(Stdio::null());
    command
}

fn transcript(output: &Output) -> String {
    format!(
        "{} {} {}",
        output.status,
        String::from_utf8_lossy(&output.stdout).trim(),
        String::from_utf8_lossy(&output.stderr).trim()
    )
}

/// How a harness that was to be killed came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Killed,
    ByItself,
}

/// Starts a drill, and kills its harness at its moment, unless it is over by then.
async fn kill(args: &Args, runs: &Path, choice: &Choice) -> Result<Ended, Failure> {
    let mut command = firedrill(args, runs);
    command
        .args(["run", &choice.scenario, "--backend", &choice.pair.1.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let after = match choice.moment {
        Moment::Started(after) => after,
        Moment::Begun(after) => {
            reached(&mut child, runs, |_| true).await?;
            after
        }
        Moment::Injecting(step, after) => {
            reached(&mut child, runs, |event| {
                event["event"] == "injecting" && event["step"] == step
            })
            .await?;
            after
        }
    };
    wait::until_due(Instant::now() + after).await;
    if child.try_wait().map_err(|error| error.to_string())?.is_some() {
        return Ok(Ended::ByItself);
    }
    // Not waited for yet: the number is still this child's.
    let pid = Pid::from_child(&child);
    kill_process(pid, args.signal.signal()).map_err(|error| error.to_string())?;
    let status = end_of(&mut child).await?;
    Ok(match (args.signal, status.signal()) {
        // Any other end came before the signal.
        (Sent::Kill, Some(9)) => Ended::Killed,
        (Sent::Kill, _) => Ended::ByItself,
        // By its exit code it says that it was interrupted, unless its drill was over.
        _ if status.code().is_some_and(|code| code > 128) => Ended::Killed,
        _ => Ended::ByItself,
    })
}

/// A harness that was told to end reverts its faults, removes its services and ends within this.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// How the harness ended; a failure if it does not.
async fn end_of(child: &mut Child) -> Result<ExitStatus, Failure> {
    let look = || {
        std::future::ready(match child.try_wait() {
            Ok(None) => Poll::<_, String>::NotYet("still running".to_owned()),
            Ok(Some(status)) => Poll::Done(Ok(status)),
            Err(error) => Poll::Done(Err(error.to_string())),
        })
    };
    let ended = wait::until("the end of the harness", ENDS_WITHIN, look).await;
    if ended.is_err() {
        drop(child.kill());
        drop(child.wait());
    }
    ended.map_err(|error| error.to_string())?
}

/// The first drill of a system builds it.
const BUILT_WITHIN: Duration = Duration::from_secs(1800);

/// Waits for an event, or for the end of the harness.
async fn reached(child: &mut Child, runs: &Path, wanted: impl Fn(&Value) -> bool) -> Result<(), Failure> {
    let look = || {
        let there = folders(runs)
            .iter()
            .flat_map(|run| events(run))
            .any(|event| wanted(&event));
        // A drill that is over cannot reach its moment any more.
        let over = !matches!(child.try_wait(), Ok(None));
        std::future::ready(if there || over {
            Poll::Done(())
        } else {
            Poll::<(), String>::NotYet("no such event".into())
        })
    };
    let reached = wait::until("its moment", BUILT_WITHIN, look).await;
    if reached.is_err() {
        drop(child.kill());
        drop(child.wait());
    }
    reached.map_err(|error| error.to_string())
}

/// The whole events of a run.
fn events(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("events.jsonl")).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// `firedrill clean`; how many things it removed.
fn clean(args: &Args, runs: &Path) -> Result<usize, Failure> {
    let output = firedrill(args, runs)
        .args(["clean", "--json"])
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("clean: {}", transcript(&output)));
    }
    let swept: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("clean: {error}"))?;
    Ok(swept
        .get("removed")
        .and_then(|removed| removed.as_array())
        .map_or(0, Vec::len))
}

fn folders(runs: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(runs)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

/// The ids of the runs there are: others may rehearse on this machine too, and are no affair of ours.
fn run_ids(runs: &Path) -> Vec<String> {
    let names = folders(runs)
        .into_iter()
        .filter_map(|path| path.file_name().map(|name| name.to_owned()));
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}

/// Every history reads.
fn histories(args: &Args, runs: &Path) -> Result<(), Failure> {
    for run in folders(runs) {
        let output = firedrill(args, runs)
            .arg("report")
            .arg(&run)
            .output()
            .map_err(|error| error.to_string())?;
        // Met, breached, undecided: each means that the history was read.
        if !matches!(output.status.code(), Some(0 | 1 | 3)) {
            return Err(format!("report {}: {}", run.display(), transcript(&output)));
        }
    }
    Ok(())
}
