//! `firedrill init`: writes a system and three scenarios for the service in this folder.
//!
//! Takes what the arguments name, or what lies in the folder; gives files that pass `check`. Starts the service once to learn
//! which routes answer, and how long it takes to be ready.

mod ask;
mod draft;
mod survey;
mod write;

use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::failure::Failure;
use super::{output, run, scenarios};
use ask::Learned;
use draft::Draft;
use firedrill_model::format;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  firedrill init                                  What is here: a Dockerfile, a cargo package, app.py, …
  firedrill init --image shop:1.8 --port 8080     An image that the engine has or can pull
  firedrill init -- python3 app.py {listen}       A program that listens at {listen}
  firedrill init --workflow                       Also a GitHub workflow that runs the scenarios each night

A program that has no {listen} among its arguments gets its address in the variables HOST and PORT.

Exit codes:
  0  the files are written, and a route answers
  2  nothing to start was found, or a file is already there
  4  the files are written, but the service does not start or no route answers")]
pub(super) struct Args {
    /// An image, with its tag.
    #[arg(long, conflicts_with_all = ["dockerfile", "package", "command"])]
    image: Option<String>,
    /// A Dockerfile.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["package", "command"])]
    dockerfile: Option<PathBuf>,
    /// A package of the cargo workspace here.
    #[arg(long, conflicts_with = "command")]
    package: Option<String>,
    /// A program and its arguments.
    #[arg(last = true, value_name = "PROGRAM")]
    command: Vec<String>,
    /// The service's name in the files [default: the folder's name].
    #[arg(long)]
    name: Option<String>,
    /// The port it listens on in a container [default: what the Dockerfile exposes, else 8080].
    #[arg(long)]
    port: Option<u16>,
    /// A route to ask, such as /health. May be repeated [default: routes that many services have].
    #[arg(long, value_name = "PATH")]
    route: Vec<String>,
    /// Also write .github/workflows/firedrill.yml.
    #[arg(long)]
    workflow: bool,
    /// Do not start the service: the files then ask for `/` and expect 200.
    #[arg(long)]
    no_start: bool,
    /// Folder for the run folder of the start.
    #[arg(long, value_name = "FOLDER", env = "FIREDRILL_RUNS", default_value = "runs")]
    runs: PathBuf,
}

pub(super) async fn run(args: Args) -> Result<Exit, Failure> {
    let here = Path::new(".");
    if let Some(route) = args.route.iter().find(|route| !route.starts_with('/')) {
        return Err(Failure::usage(format!("--route {route}: a route begins with /")));
    }
    let found = survey::survey(&args, here).map_err(Failure::usage)?;
    output::note(&format!("service: {}", found.why));
    let mut draft = Draft::new(found);
    let paths = write::new_files(here, &draft, args.workflow).map_err(write::Error::into_failure)?;
    let written = || {
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        format!("wrote {}", format::list(paths))
    };
    // Read back as `run` would: a file that does not pass `check` is a mistake of this command.
    let scenarios = draft.scenario_paths();
    let mut plans = scenarios::load(&scenarios)?;
    if args.no_start {
        output::print(&written());
        output::print(
            "The service was not started. Look at the route and the expected answer, then: firedrill run",
        );
        return Ok(Exit::AsExpected);
    }
    scenarios::fill_secrets(&mut plans).map_err(Failure::usage)?;
    let plan = plans
        .first()
        .ok_or_else(|| Failure::environment("no scenario was written"))?;
    let (kind, reason) = run::backend_for(&plans).await.map_err(Failure::environment)?;
    output::note(&format!("backend: {kind} ({reason})"));
    let learned = match ask::ask(plan, kind, &args).await {
        Ok(learned) => learned,
        Err(error) => {
            output::print(&written());
            output::error(&error);
            output::note(&format!(
                "Correct {}, then: firedrill run",
                draft.system_path().display()
            ));
            return Ok(Exit::Environment);
        }
    };
    say(&learned);
    let Some(route) = learned.best() else {
        output::print(&written());
        output::note(&format!(
            "No route answers with a status below 400. Name one with --route, or write it in {}",
            draft.system_path().display()
        ));
        return Ok(Exit::Environment);
    };
    draft.learn(route, learned.ready_after);
    write::again(here, &draft).map_err(write::Error::into_failure)?;
    scenarios::load(&scenarios)?;
    output::print(&written());
    output::print("Next: firedrill run");
    Ok(Exit::AsExpected)
}

/// Says what was learned from the start.
fn say(learned: &Learned) {
    output::note(&format!("ready after {}", format::latency(learned.ready_after)));
    for route in &learned.routes {
        output::note(&format!("  GET {:12} {}", route.path, route.status));
    }
}
