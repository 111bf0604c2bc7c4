//! A newcomer's first minutes: `firedrill init`, and the example in the incident's own language.

use std::path::Path;

use acceptance::Ended;
use acceptance::shapes::Drilled;
use firedrill::judge::Verdict;

/// A service as a newcomer has it: it listens where it is told, and answers two routes.
const APP: &str = r#"
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.send_header("content-length", "0")
        self.end_headers()

ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Answers).serve_forever()
"#;

fn init(folder: &Path) -> Ended {
    let mut command = acceptance::command(&folder.join("runs"), &["init"]);
    command.current_dir(folder).output().unwrap().into()
}

/// The files it writes are run as they are: no line of them is the newcomer's.
pub(crate) async fn init_writes_scenarios_that_run() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("app.py"), APP).unwrap();
    let ended = init(folder.path());
    assert_eq!(ended.code, Some(0), "{ended}");
    let name = folder
        .path()
        .file_name()
        .unwrap()
        .to_string_lossy()
        .to_lowercase();
    let system = std::fs::read_dir(folder.path().join("scenarios/systems")).unwrap();
    let system = std::fs::read_to_string(system.flatten().next().unwrap().path()).unwrap();
    // The only route that answers, found without being named.
    assert!(system.contains("\"/health\""), "{name}: {system}");
    let again = init(folder.path());
    assert_eq!(again.code, Some(2), "it must overwrite nothing: {again}");
    let runs = folder.path().join("runs");
    let mut run = acceptance::command(&runs, &["run", "--backend", "process"]);
    let ended: Ended = run.current_dir(folder.path()).output().unwrap().into();
    // A busy machine may leave a drill undecided.
    assert!(matches!(ended.code, Some(0 | 3)), "{ended}");
    let drilled: Vec<Drilled> = acceptance::run_folders(&runs)
        .into_iter()
        .map(Drilled::read)
        .collect();
    assert_eq!(drilled.len(), 3, "{ended}");
    assert!(
        drilled.iter().all(|drilled| drilled.verdict != Verdict::Breached),
        "{ended}"
    );
}

pub(crate) async fn init_says_what_a_service_that_does_not_start_printed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("app.py"),
        "raise SystemExit('no database here')",
    )
    .unwrap();
    let ended = init(folder.path());
    assert_eq!(ended.code, Some(4), "{ended}");
    assert!(ended.err.contains("no database here"), "{ended}");
    assert!(
        acceptance::run_folders(&folder.path().join("runs")).is_empty(),
        "{ended}"
    );
}

/// The known truth of the original: on v2 the front page and known links work, and no new link can be stored; on an empty
/// store the first one can.
pub(crate) async fn the_flask_example_shows_the_incident() {
    let runs = tempfile::tempdir().unwrap();
    let folder = acceptance::workspace().join("examples/flask-shortener");
    let mut run = acceptance::command(runs.path(), &["run"]);
    let ended: Ended = run.current_dir(folder).output().unwrap().into();
    let drilled: Vec<Drilled> = acceptance::run_folders(runs.path())
        .into_iter()
        .map(Drilled::read)
        .collect();
    let verdict = |name: &str| {
        let drilled = drilled.iter().find(|drilled| drilled.name() == name);
        drilled.unwrap_or_else(|| panic!("{name}: {ended}")).verdict
    };
    // A busy machine may leave any of them undecided.
    for control in ["v2-is-deployed", "store-is-torn"] {
        assert_ne!(verdict(control), Verdict::Met, "{control}: {ended}");
    }
    for calm in ["v2-on-an-empty-store", "is-killed"] {
        assert_ne!(verdict(calm), Verdict::Breached, "{calm}: {ended}");
    }
}
