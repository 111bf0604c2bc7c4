//! Volumes that services fill in ways of their own: with pipes, and as other users.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use acceptance::Kind;
use acceptance::trials::skip;
use firedrill::backend::{self, Source};
use firedrill::history::Event;
use firedrill::judge::Verdict;
use firedrill::scenario::System;
use serde_json::json;

use acceptance::shapes::{Calm, Drilled, folder, system};

/// A service with a named pipe in its volume: a fault of that "file" is not in effect, and nobody waits for it.
pub(crate) async fn a_pipe_in_a_volume_holds_up_no_drill(kind: Kind) {
    let folder = folder(Path::new(env!("CARGO_TARGET_TMPDIR")), &[("fifo", Calm::Good)]);
    let file = folder.path().join("piped.toml");
    let text = "summary = \"a file that is a pipe\"\nsystem = \"systems/fifo.toml\"\n[[step]]\nat = \"300ms\"\n\
        flip-bit = { service = \"app\", volume = \"store\", file = \"fifo\" }\n\
        [expect]\njourneys = { front = \"may be down\", store = \"may be down\" }\n";
    std::fs::write(&file, text).unwrap();
    let runs = folder.path().join("runs");
    let (kind, file) = (kind.to_string(), file.display().to_string());
    let ended = acceptance::run_alone(&runs, &["run", "--backend", &kind, &file]);
    let [run] = &acceptance::run_folders(&runs)[..] else {
        panic!("{ended}");
    };
    let drilled = Drilled::read(run.clone());
    let why = drilled
        .history
        .events
        .iter()
        .find_map(|event| match &event.event {
            Event::NotInjected { why, .. } => Some(why.clone()),
            _ => None,
        });
    assert_eq!(
        why.as_deref(),
        Some("not in effect: fifo is a named pipe, not a regular file")
    );
    assert_eq!(drilled.verdict, Verdict::Undecided, "{ended}");
}

/// The programs of the shapes, built.
pub(crate) async fn binaries() -> Vec<(String, PathBuf)> {
    let system: System = serde_json::from_value(json!({
        "summary": "the program",
        "service": { "app": { "build": { "package": { "name": "shapes" } }, "port": 8000 } },
    }))
    .unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = backend::sources(&system, here, &|_| {}).await.unwrap();
    match sources.remove("app") {
        Some(Source::Binaries(binaries)) => binaries,
        other => panic!("{other:?}"),
    }
}

/// An image that runs as root leaves folders of root, and one that runs as another user must be able to write: a harness
/// that is neither removes everything, and reads back every write.
pub(crate) async fn volumes_of_other_users_are_written_and_removed(image_user: &'static str) {
    const NOBODY: u32 = 65534;
    if !rustix::process::geteuid().is_root() {
        return skip("only root can start the harness as another user");
    }
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::copy(&binaries().await[0].1, folder.path().join("shapes")).unwrap();
    // By another process: a file that this one has open for writing, for a test beside it that forks, cannot be run.
    let copied = Command::new("cp")
        .args([acceptance::firedrill(), &folder.path().join("firedrill")])
        .status();
    assert!(copied.unwrap().success());
    write(
        "Dockerfile",
        &format!("FROM scratch\nCOPY --chmod=755 shapes /shapes\n{image_user}ENTRYPOINT [\"/shapes\"]\n"),
    );
    // The engine makes the folder `a` in the first volume, as root, to put the second one into it.
    let build = "build = { dockerfile = \"Dockerfile\" }";
    let system = system("plain")
        .replace("build = { package = { name = \"shapes\" } }", build)
        .replace("store = \"/data\"", "store = \"/data\", deep = \"/data/a/b\"");
    assert!(system.contains(build) && system.contains("/data/a/b"), "{system}");
    write("system.toml", &system);
    write(
        "calm.toml",
        "summary = \"calm\"\nsystem = \"system.toml\"\n[expect]\njourneys = { front = \"may be down\", store = \"never down\" }\n",
    );
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        std::os::unix::fs::chown(entry.unwrap().path(), Some(NOBODY), None).unwrap();
    }
    std::os::unix::fs::chown(folder.path(), Some(NOBODY), None).unwrap();
    let engine = std::fs::metadata("/var/run/docker.sock").unwrap().gid();
    let ran = Command::new(folder.path().join("firedrill"))
        .args(["run", "--backend", "docker", "calm.toml"])
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .uid(NOBODY)
        .gid(engine)
        .output()
        .unwrap();
    let text = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
    assert_eq!(ran.status.code(), Some(0), "{text}");
    let [run] = &acceptance::run_folders(&folder.path().join("runs"))[..] else {
        panic!("{text}");
    };
    assert!(!run.join("volumes").exists(), "{text}");
    assert_eq!(Drilled::read(run.clone()).verdict, Verdict::Met, "{text}");
}
