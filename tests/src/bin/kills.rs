//! Kills the harness with SIGKILL at random instants of its drills, cleans up as a user would, and looks whether anything of
//! ours is left, anything of others was touched, and every history can still be read.
//!
//! ```text
//! cargo build --release -p firedrill && cargo run -p acceptance --bin kills -- --times 20
//! ```
//! Faces the real binaries only. Bystanders (a container, a network, a volume, a process) stand for everybody else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use firedrill::target::Process;
use firedrill::wait::{self, Poll};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Kill the harness so many times, and see what is left.
#[derive(Parser)]
struct Args {
    /// How many times.
    #[arg(long, default_value_t = 20)]
    times: u32,
    /// The seed of what is run and of the instants.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where: docker, process, or both in turn.
    #[arg(long, default_value = "both", value_parser = ["docker", "process", "both"])]
    target: String,
    /// The harness.
    #[arg(long, default_value = "target/release/firedrill")]
    firedrill: PathBuf,
    /// A folder of scenarios, or scenarios.
    #[arg(default_value = "scenarios")]
    scenarios: Vec<String>,
    /// The latest instant of a kill, in milliseconds after the start.
    #[arg(long, default_value_t = 9000)]
    latest_ms: u64,
    /// The bystander's program: any static binary that serves for long without arguments of note.
    #[arg(long, default_value = "target/x86_64-unknown-linux-gnu/release/shortener")]
    bystander: PathBuf,
}

/// The label of the bystanders.
const BYSTANDER: &str = "acceptance.bystander=kills";

/// What went wrong, in words.
type Failure = String;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match runtime.block_on(all(&args)) {
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

/// Everybody else: what must be there and unchanged after every clean-up.
struct Bystanders {
    docker: bool,
    process: Child,
    owner: Process,
    container: String,
}

impl Bystanders {
    fn start(args: &Args, folder: &Path) -> Result<Self, Failure> {
        let docker = args.target != "process";
        let process = Command::new(&args.bystander);
        let process = server(process, folder)
            .spawn()
            .map_err(|error| format!("{}: {error}", args.bystander.display()))?;
        let owner = Process::of(process.id()).ok_or("the bystander ended")?;
        let mut bystanders = Self {
            docker,
            process,
            owner,
            container: String::new(),
        };
        if docker {
            let context = folder.join("image");
            std::fs::create_dir_all(&context).map_err(|error| error.to_string())?;
            std::fs::copy(&args.bystander, context.join("bystander")).map_err(|error| error.to_string())?;
            let text = "FROM scratch\nCOPY bystander /bystander\nENTRYPOINT [\"/bystander\"]\n";
            std::fs::write(context.join("Dockerfile"), text).map_err(|error| error.to_string())?;
            docker_command(&[
                "build",
                "-q",
                "-t",
                "acceptance-bystander",
                &context.display().to_string(),
            ])?;
            docker_command(&["network", "create", "--label", BYSTANDER, "acceptance-bystander"])?;
            docker_command(&["volume", "create", "--label", BYSTANDER, "acceptance-bystander"])?;
            let run = [
                "run",
                "-d",
                "--label",
                BYSTANDER,
                "--network",
                "acceptance-bystander",
                "-v",
                "acceptance-bystander:/data",
                "acceptance-bystander",
                "serve",
                "--store",
                "/data",
            ];
            bystanders.container = docker_command(&run)?.trim().to_owned();
        }
        Ok(bystanders)
    }

    /// Started when, under which pid: changes with every restart.
    fn life(&self) -> Result<String, Failure> {
        let format = "{{.State.Status}} {{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}}";
        if self.docker {
            docker_command(&["inspect", "-f", format, &self.container])
        } else {
            Ok(String::new())
        }
    }

    fn untouched(&self, life: &str) -> Result<(), Failure> {
        if !self.owner.is_alive() {
            return Err("the bystander process is gone".into());
        }
        let now = self.life()?;
        if now != life {
            return Err(format!("the bystander container was {life} and is {now}"));
        }
        if self.docker {
            docker_command(&["network", "inspect", "acceptance-bystander"])?;
            docker_command(&["volume", "inspect", "acceptance-bystander"])?;
        }
        Ok(())
    }
}

impl Drop for Bystanders {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if self.docker {
            for remove in [
                &["rm", "-f", "-v", &self.container][..],
                &["network", "rm", "acceptance-bystander"],
                &["volume", "rm", "acceptance-bystander"],
                &["rmi", "-f", "acceptance-bystander"],
            ] {
                let _ = docker_command(remove);
            }
        }
    }
}

fn server(mut command: Command, folder: &Path) -> Command {
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--store"])
        .arg(folder.join("bystander-store"));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn docker_command(args: &[&str]) -> Result<String, Failure> {
    let output = Command::new("docker")
        .args(args)
        .output()
        .map_err(|error| format!("docker: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!(
            "docker {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    }
}

async fn all(args: &Args) -> Result<(), Failure> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let runs = folder.path().join("runs");
    let scenarios = scenarios(args)?;
    let bystanders = Bystanders::start(args, folder.path())?;
    let life = bystanders.life()?;
    let mut random = StdRng::seed_from_u64(args.seed);
    let mut tally: BTreeMap<String, u32> = BTreeMap::new();
    for time in 1..=args.times {
        let target = match args.target.as_str() {
            "both" if time % 2 == 0 => "docker",
            "both" => "process",
            one => one,
        };
        let scenario = &scenarios[random.random_range(0..scenarios.len())];
        let after = Duration::from_millis(random.random_range(0..args.latest_ms));
        let begun = random.random_bool(0.9);
        let what = format!(
            "{time}: {scenario} on {target}, killed {} ms after its {}",
            after.as_millis(),
            if begun { "first event" } else { "start" }
        );
        let killed = kill_after(args, &runs, scenario, target, begun, after)
            .await
            .map_err(|failure| format!("{what}: {failure}"))?;
        let ids = run_ids(&runs);
        let removed = clean(args, &runs).map_err(|failure| format!("{what}: {failure}"))?;
        nothing_left(args, &runs, &ids)
            .await
            .map_err(|failure| format!("{what}: {failure}"))?;
        bystanders
            .untouched(&life)
            .map_err(|failure| format!("{what}: {failure}"))?;
        let read = histories(args, &runs).map_err(|failure| format!("{what}: {failure}"))?;
        *tally.entry(format!("{target}: {}", phase(&runs))).or_default() += 1;
        say(&format!(
            "{what}{}; {removed} things removed, {read} histories read",
            if killed { "" } else { " (had ended)" }
        ));
        let _ = std::fs::remove_dir_all(&runs);
    }
    for (phase, times) in &tally {
        say(&format!("{times:5} x killed in {phase}"));
    }
    say(&format!(
        "{} kills: nothing left, nothing else touched, every history reads",
        args.times
    ));
    Ok(())
}

/// The scenarios that the harness would run.
fn scenarios(args: &Args) -> Result<Vec<String>, Failure> {
    let output = firedrill(args, Path::new("runs"))
        .arg("list")
        .arg("--json")
        .args(&args.scenarios)
        .output();
    let output = output.map_err(|error| format!("{}: {error}", args.firedrill.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text.lines().filter_map(|line| {
        let row: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(row.get("path").or_else(|| row.get("name"))?.as_str()?.to_owned())
    });
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        Err(format!("no scenarios: {}", told(&output)))
    } else {
        Ok(names)
    }
}

fn firedrill(args: &Args, runs: &Path) -> Command {
    let mut command = Command::new(&args.firedrill);
    command.env("FIREDRILL_RUNS", runs).stdin(Stdio::null());
    command
}

fn told(output: &Output) -> String {
    format!(
        "{} {} {}",
        output.status,
        String::from_utf8_lossy(&output.stdout).trim(),
        String::from_utf8_lossy(&output.stderr).trim()
    )
}

/// Starts a drill and kills its harness; false when the drill was over by then.
async fn kill_after(
    args: &Args,
    runs: &Path,
    scenario: &str,
    target: &str,
    begun: bool,
    after: Duration,
) -> Result<bool, Failure> {
    let mut command = firedrill(args, runs);
    command
        .args(["run", scenario, "--target", target])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    if begun {
        // From the first event on: building and starting up is not what most kills should hit.
        let begins = || {
            let begun = folders(runs).iter().any(|run| run.join("events.jsonl").exists());
            let over = begun || !matches!(child.try_wait(), Ok(None));
            std::future::ready(if over {
                Poll::Done(())
            } else {
                Poll::<(), String>::NotYet("no history".into())
            })
        };
        let _ = wait::until("a history", Duration::from_secs(300), begins).await;
    }
    wait::until_due(Instant::now() + after).await;
    let ended = child.try_wait().map_err(|error| error.to_string())?;
    child.kill().map_err(|error| error.to_string())?;
    child.wait().map_err(|error| error.to_string())?;
    Ok(ended.is_none())
}

/// `firedrill clean`; how many things it removed.
fn clean(args: &Args, runs: &Path) -> Result<usize, Failure> {
    let output = firedrill(args, runs)
        .args(["clean", "--json"])
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("clean: {}", told(&output)));
    }
    let swept: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("clean: {error}"))?;
    Ok(swept
        .get("removed")
        .and_then(|removed| removed.as_array())
        .map_or(0, Vec::len))
}

/// Containers, networks, volumes, unfinished images, processes, mounts, services' folders.
async fn nothing_left(args: &Args, runs: &Path, ids: &[String]) -> Result<(), Failure> {
    if args.target != "process" {
        for id in ids {
            let label = ["--filter", &format!("label=firedrill.run={id}"), "-q"];
            for list in [&["ps", "-a"][..], &["network", "ls"], &["volume", "ls"]] {
                empty(&list.join(" "), &docker_command(&[list, &label].concat())?)?;
            }
            let named = format!("name=firedrill-{id}");
            empty(
                "containers without a label",
                &docker_command(&["ps", "-aq", "--filter", &named])?,
            )?;
        }
        let images = [
            "images",
            "-q",
            "--filter",
            "label=firedrill.image",
            "--filter",
            "dangling=true",
        ];
        empty("unfinished images", &docker_command(&images)?)?;
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let ours: Vec<&str> = mounts
        .lines()
        .filter(|line| line.contains(&runs.display().to_string()))
        .collect();
    empty("mounts", &ours.join("\n"))?;
    for run in folders(runs) {
        for folder in ["volumes", "processes", "aside"] {
            if run.join(folder).exists() {
                return Err(format!("left: {folder} of {}", run.display()));
            }
        }
    }
    wait::until("no process of ours", Duration::from_secs(2), || {
        let ours = processes(runs, ids);
        std::future::ready(if ours.is_empty() {
            Poll::Done(())
        } else {
            Poll::<(), String>::NotYet(ours.join(", "))
        })
    })
    .await
    .map_err(|error| error.to_string())
}

fn empty(what: &str, found: &str) -> Result<(), Failure> {
    if found.trim().is_empty() {
        Ok(())
    } else {
        Err(format!("left: {what}: {}", found.trim()))
    }
}

/// Processes that bear a run's mark, or run in its folders.
fn processes(runs: &Path, ids: &[String]) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ours = entries.filter_map(|entry| {
        let environment = std::fs::read(entry.path().join("environ")).ok()?;
        let environment = String::from_utf8_lossy(&environment);
        let marked = ids
            .iter()
            .any(|id| environment.contains(&format!("FIREDRILL_RUN={id}")));
        let here = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(runs));
        (marked || here).then(|| entry.file_name().to_string_lossy().into_owned())
    });
    ours.collect()
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

/// Every history reads; how many there are.
fn histories(args: &Args, runs: &Path) -> Result<usize, Failure> {
    let folders = folders(runs);
    for run in &folders {
        let output = firedrill(args, runs)
            .arg("report")
            .arg(run)
            .output()
            .map_err(|error| error.to_string())?;
        if !matches!(output.status.code(), Some(0 | 1 | 3)) {
            return Err(format!("report {}: {}", run.display(), told(&output)));
        }
    }
    Ok(folders.len())
}

/// The last phase of the last history.
fn phase(runs: &Path) -> String {
    let Some(run) = folders(runs).into_iter().next() else {
        return "nothing begun".into();
    };
    let events = std::fs::read_to_string(run.join("events.jsonl")).unwrap_or_default();
    let mut phases = events.lines().filter_map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(event.get("phase")?.as_str()?.to_owned())
    });
    phases.next_back().unwrap_or_else(|| "nothing begun".into())
}
