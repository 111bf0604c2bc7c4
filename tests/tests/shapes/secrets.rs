//! A secret from the environment, in a service that logs it and repeats it in its answers.

use std::convert::Infallible;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use acceptance::{Ended, Kind};
use firedrill::wait::{self, Poll};
use rustix::process::{Pid, Signal, kill_process};

const SECRET: &str = "hunter2-{}-ümlaut";

const SYSTEM: &str = r#"
summary = "a service that shows everything"

[service.app]
build = { package = { name = "shapes" } }
args = ["echo", "--listen", "{listen}", "--store", "{volume.data}/items"]
release = "v1"
port = 8000
ready = { path = "/", within = "30s" }
volumes = { data = "/data" }
env = { DATABASE = "postgres://app:{env.SHOP_SECRET}@db/shop" }

[[deploy]]
command = { argv = ["sh", "-c", "echo the secret is $SHOP_SECRET; exit 10"], refused = [10] }

[[journey]]
name = "search"
rate = "20/s"
request = { path = "/?key={env.SHOP_SECRET}", header = { x-key = "{env.SHOP_KEY}" } }
answer = { status = STATUS }
"#;

const SCENARIO: &str = r#"
summary = "a deploy that prints the secret and refuses"
system = "system.toml"

[[step]]
at = "200ms"
deploy = { service = "app", release = "v1" }

[expect]
journeys = { search = "may be down" }
"#;

/// Neither where all goes well, nor where the answers with the secret are the evidence of a failure.
pub(crate) async fn a_secret_is_stored_and_shown_nowhere(kind: Kind) {
    for status in ["404", "200"] {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("system.toml", &SYSTEM.replace("STATUS", status));
        write("shown.toml", SCENARIO);
        let runs = folder.path().join("runs");
        let (backend, file) = (kind.to_string(), folder.path().join("shown.toml"));
        let file = file.display().to_string();
        let args = ["run", "--backend", &backend, &file];
        let mut command = acceptance::command(&runs, &args);
        let missing: Ended = command.output().unwrap().into();
        assert_eq!(missing.code, Some(2), "{missing}");
        assert!(
            missing.err.contains("SHOP_SECRET is not set") || missing.err.contains("SHOP_KEY is not set"),
            "{missing}"
        );
        command
            .env("SHOP_SECRET", SECRET)
            .env("SHOP_KEY", "a key of the shop");
        let ended: Ended = command.output().unwrap().into();
        let [run] = &acceptance::run_folders(&runs)[..] else {
            panic!("{ended}");
        };
        assert!(!ended.to_string().contains(SECRET), "{ended}");
        if status == "404" {
            let log = std::fs::read_to_string(run.join("logs/app.log")).unwrap();
            assert!(log.contains("[redacted]"), "{log:.500}");
            let deploy = std::fs::read_to_string(run.join("logs/deploy.step-1.log")).unwrap();
            assert!(deploy.contains("the secret is [redacted]"), "{deploy}");
            let events = std::fs::read_to_string(run.join("events.jsonl")).unwrap();
            assert!(events.contains("the secret is [redacted]"), "{events}");
        }
        assert_hidden(&runs);
        for format in ["terminal", "json", "markdown", "junit", "html"] {
            let run = run.display().to_string();
            let report: Ended = acceptance::run(&runs, &["report", &run, "--format", format]);
            assert!(
                !report.out.is_empty() && !report.to_string().contains(SECRET),
                "{format}: {report}"
            );
        }
    }
}

/// The deploy has printed the secret and goes on when the drill is interrupted: nothing is collected then, and yet hidden.
pub(crate) async fn an_interrupted_drill_stores_no_secret() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let endless = SYSTEM
        .replace("STATUS", "404")
        .replace("exit 10", "exec sleep 60");
    write("system.toml", &endless);
    write("shown.toml", SCENARIO);
    let runs = folder.path().join("runs");
    let file = folder.path().join("shown.toml").display().to_string();
    let drill = acceptance::command(&runs, &["run", "--backend", "process", &file])
        .env("SHOP_SECRET", SECRET)
        .env("SHOP_KEY", "a key of the shop")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = || {
        let [run] = &acceptance::run_folders(&runs)[..] else {
            return String::new();
        };
        std::fs::read_to_string(run.join("logs/deploy.step-1.log")).unwrap_or_default()
    };
    let printed = || {
        std::future::ready(match log() {
            log if log.contains(SECRET) => Poll::<_, Infallible>::Done(()),
            log => Poll::NotYet(log),
        })
    };
    wait::until("the secret in the log", Duration::from_secs(60), printed)
        .await
        .unwrap();
    kill_process(Pid::from_child(&drill), Signal::INT).unwrap();
    let ended: Ended = drill.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(130), "{ended}");
    assert!(log().contains("the secret is [redacted]"), "{}", log());
    assert!(!ended.to_string().contains(SECRET), "{ended}");
    assert_hidden(&runs);
}

/// No file of a folder has the secret, and nobody else may read what was observed.
fn assert_hidden(folder: &Path) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_hidden(&path);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for part in [SECRET, "hunter2", "a key of the shop"] {
            assert!(!text.contains(part), "{}: {text:.2000}", path.display());
        }
        if path
            .extension()
            .is_some_and(|ending| ending == "jsonl" || ending == "bin" || ending == "log")
        {
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
        }
    }
}
