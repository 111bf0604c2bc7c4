//! `firedrill doctor`: shows what this machine can do, and how to get what is missing.

use super::exit::Exit;
use super::output;
use firedrill_model::format;
use firedrill_runner::backend::{self, Capability, Kind};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  always: what is missing is listed, with how to get it")]
pub(super) struct Args {
    /// Print one JSON object per finding.
    #[arg(long)]
    json: bool,
}

/// The result of one check.
struct Finding {
    what: String,
    good: bool,
    found: String,
}

pub(super) async fn run(args: &Args) -> Exit {
    let engine = engine().await;
    // Not a capability: no scenario needs it, and who uses secrets must know.
    let inspection = engine.good.then(inspection);
    let mut findings = vec![cargo(), descriptors(), engine];
    findings.extend(inspection);
    // Both backends, whichever `run` would choose: the reader may be about to choose.
    for kind in [Kind::Docker, Kind::Process] {
        findings.extend(capabilities(kind).await);
    }
    for Finding { what, good, found } in &findings {
        output::print(&if args.json {
            serde_json::json!({ "what": what, "good": good, "found": found }).to_string()
        } else {
            let answer = if *good { "yes" } else { "no" };
            format!("{answer:3}  {what:34} {found}").trim_end().to_owned()
        });
    }
    Exit::AsExpected
}

async fn engine() -> Finding {
    let engine = backend::engine().await;
    Finding {
        what: "container engine".into(),
        good: engine.is_ok(),
        found: match engine {
            Ok(engine) => engine.to_string(),
            Err(error) => format::chain(&error),
        },
    }
}

/// What the engine shows of secrets.
fn inspection() -> Finding {
    Finding {
        what: "docker: hidden environment".into(),
        good: false,
        found: "`docker inspect` shows a container's environment, {env.NAME} included, while a drill runs"
            .into(),
    }
}

/// Cargo, which builds the packages that system files name.
fn cargo() -> Finding {
    let output = std::process::Command::new("cargo").arg("--version").output();
    Finding {
        what: "cargo".into(),
        good: output.is_ok(),
        found: match output {
            Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            Err(error) => format!("{error}; needed to build packages in system files: https://rustup.rs"),
        },
    }
}

/// File descriptors: each probe in flight needs one.
fn descriptors() -> Finding {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap_or(u64::MAX);
    let found =
        format!("{limit}; 1000 probes/s with a timeout of 1 s need about 2100; to raise it: ulimit -n 4096");
    Finding {
        what: "file descriptors".into(),
        good: limit >= 2100,
        found,
    }
}

/// What a backend can do; nothing if it does not open, which another finding explains.
async fn capabilities(kind: Kind) -> Vec<Finding> {
    let folder = std::env::temp_dir();
    let Ok(backend) = backend::open(kind, "doctor", &folder).await else {
        return Vec::new();
    };
    let all = [
        (Capability::Images, "images and Dockerfiles"),
        (Capability::Commands, "local programs"),
        (Capability::User, "services as another user"),
        (Capability::MemoryLimit, "memory limits"),
        (Capability::CpuLimit, "CPU limits"),
        (Capability::PidsLimit, "process limits"),
        (Capability::SizedVolumes, "volumes with a size limit"),
        (Capability::Permissions, "unreadable and read-only files"),
        (Capability::RestartPolicy, "restart policies"),
    ];
    let finding = |(capability, name): (Capability, &str)| {
        let can = backend.can(capability);
        let found = can.as_ref().err().map(ToString::to_string).unwrap_or_default();
        Finding {
            what: format!("{kind}: {name}"),
            good: can.is_ok(),
            found,
        }
    };
    all.into_iter().map(finding).collect()
}
