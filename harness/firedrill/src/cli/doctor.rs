//! `firedrill doctor`: what this machine can do, and how to get the rest.

use super::exit::Exit;
use super::output;
use firedrill_runner::backend::{Capability, Kind};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One JSON object a finding.
    #[arg(long)]
    json: bool,
}

/// One thing looked at.
struct Finding {
    what: String,
    good: bool,
    found: String,
}

pub(super) async fn run(args: &Args) -> Exit {
    let mut findings = vec![
        tool(
            "cargo",
            "builds packages named in system files; https://rustup.rs",
        ),
        descriptors(),
    ];
    findings.push(match firedrill_runner::backend::engine().await {
        Ok(engine) => Finding {
            what: "container engine".into(),
            good: true,
            found: engine.to_string(),
        },
        Err(error) => Finding {
            what: "container engine".into(),
            good: false,
            found: error.to_string(),
        },
    });
    for kind in [Kind::Docker, Kind::Process] {
        findings.extend(capabilities(kind).await);
    }
    for finding in &findings {
        if args.json {
            let row =
                serde_json::json!({ "what": finding.what, "good": finding.good, "found": finding.found });
            output::print(&row.to_string());
        } else {
            let mark = if finding.good { "yes" } else { "no " };
            output::print(&format!("{mark}  {:34} {}", finding.what, finding.found));
        }
    }
    Exit::AsStated
}

fn tool(name: &str, purpose: &str) -> Finding {
    let output = std::process::Command::new(name).arg("--version").output();
    match output {
        Ok(output) => Finding {
            what: name.into(),
            good: true,
            found: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        },
        Err(error) => Finding {
            what: name.into(),
            good: false,
            found: format!("{error}; {purpose}"),
        },
    }
}

/// Every probe in flight is a file descriptor.
fn descriptors() -> Finding {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap_or(u64::MAX);
    let found =
        format!("{limit}; 1000 probes/s with a timeout of 1 s need about 2100; raise with: ulimit -n 4096");
    Finding {
        what: "file descriptors".into(),
        good: limit >= 2100,
        found,
    }
}

async fn capabilities(kind: Kind) -> Vec<Finding> {
    let folder = std::env::temp_dir();
    let Ok(backend) = firedrill_runner::backend::open(kind, "doctor", &folder).await else {
        return Vec::new();
    };
    let all = [
        (Capability::Images, "images and Dockerfiles"),
        (Capability::Commands, "local programs"),
        (Capability::MemoryLimit, "memory limits"),
        (Capability::CpuLimit, "processor limits"),
        (Capability::PidsLimit, "process limits"),
        (Capability::SizedVolumes, "volumes of limited size"),
        (Capability::Permissions, "unreadable and read-only files"),
        (Capability::RestartPolicy, "restart policies"),
    ];
    let finding = |(capability, name): (Capability, &str)| {
        let can = backend.can(capability);
        let found = can.as_ref().err().cloned().unwrap_or_default();
        Finding {
            what: format!("{kind}: {name}"),
            good: can.is_ok(),
            found,
        }
    };
    all.into_iter().map(finding).collect()
}
