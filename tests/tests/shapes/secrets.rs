//! A secret from the environment, in a service that logs it and repeats it in its answers.

use std::collections::HashMap;
use std::convert::Infallible;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use acceptance::{Ended, Kind};
use firedrill::wait::{self, Poll};
use rustix::process::{Pid, Signal, kill_process};
use testcontainers::bollard::query_parameters::ListContainersOptions;

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
        for format in ["terminal", "json", "markdown", "junit", "github", "html"] {
            let run = run.display().to_string();
            let report: Ended = acceptance::run(&runs, &["report", &run, "--format", format]);
            let shown = report.to_string();
            // Annotations are of failures alone.
            let is_empty = report.out.is_empty() && format != "github";
            assert!(!is_empty, "{format}: {report}");
            for part in [SECRET, "hunter2", "a key of the shop"] {
                assert!(!shown.contains(part), "{format}: {report}");
            }
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

/// While the drill runs: no argument of any process has it. Of what the engine says of a container, only its environment has
/// it, as the documentation says.
pub(crate) async fn a_secret_is_not_in_the_process_list_nor_beyond_its_environment(kind: Kind) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("system.toml", &SYSTEM.replace("STATUS", "404"));
    write("shown.toml", SCENARIO);
    let runs = folder.path().join("runs");
    let file = folder.path().join("shown.toml").display().to_string();
    let mut drill = acceptance::command(&runs, &["run", "--backend", &kind.to_string(), &file])
        .env("SHOP_SECRET", SECRET)
        .env("SHOP_KEY", "a key of the shop")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut seen = 0;
    let ended = wait::until("the end of the drill", Duration::from_secs(120), || {
        seen += services_in_the_process_list();
        std::future::ready(match drill.try_wait().unwrap() {
            Some(status) => Poll::<_, Infallible>::Done(status),
            None => Poll::NotYet("it runs".into()),
        })
    });
    let (ended, inspected) = match kind {
        Kind::Docker => {
            let (ended, inspected) = tokio::join!(ended, inspect(&runs));
            (ended, Some(inspected))
        }
        _ => (ended.await, None),
    };
    let ended = ended.unwrap();
    // On a busy machine late answers leave it undecided.
    assert!(matches!(ended.code(), Some(0 | 3)), "{ended}");
    // Where the engine's processes cannot be seen from here, nobody reads their arguments here either.
    assert!(seen > 0 || kind == Kind::Docker, "the service was never seen");
    if let Some(mut container) = inspected {
        let env = container["Config"]["Env"].take().to_string();
        assert!(env.contains("hunter2"), "{env}");
        let rest = container.to_string();
        for part in ["hunter2", "a key of the shop"] {
            assert!(!rest.contains(part), "{rest}");
        }
    }
}

/// Looks at the arguments of every process; returns how many of them are the service of these tests.
fn services_in_the_process_list() -> usize {
    let processes = Path::new("/proc").read_dir().unwrap().flatten();
    let arguments = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let mut services = 0;
    for arguments in arguments {
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        for part in [SECRET, "hunter2", "a key of the shop"] {
            assert!(!arguments.contains(part), "{arguments}");
        }
        services += usize::from(arguments.contains("shapes echo "));
    }
    services
}

/// What the engine says of the container of the run, once there is one.
async fn inspect(runs: &Path) -> serde_json::Value {
    let engine = testcontainers::core::client::docker_client_instance()
        .await
        .unwrap();
    let look = || async {
        let run = acceptance::run_folders(runs).pop();
        let run = run.and_then(|run| Some(run.file_name()?.to_str()?.to_owned()));
        let Some(run) = run else {
            return Poll::NotYet("no run".to_owned());
        };
        let label = format!("firedrill.run={run}");
        let options = ListContainersOptions {
            all: true,
            filters: Some(HashMap::from([("label".to_owned(), vec![label])])),
            ..Default::default()
        };
        let found = engine.list_containers(Some(options)).await.unwrap();
        let Some(id) = found.into_iter().find_map(|container| container.id) else {
            return Poll::NotYet("no container".to_owned());
        };
        let inspected = engine.inspect_container(&id, None).await;
        Poll::<_, Infallible>::Done(serde_json::to_value(inspected.unwrap()).unwrap())
    };
    wait::until("a container", Duration::from_secs(120), look)
        .await
        .unwrap()
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
