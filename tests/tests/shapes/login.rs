//! Users who log in with the token of a form, write a note as JSON, and read it by the id that the answer gave: the example
//! of the documentation, drilled.

use std::path::Path;

use acceptance::{Ended, Kind};
use firedrill::history::{self, Event, History};
use firedrill::judge::{self, Verdict};
use firedrill::measure;
use firedrill::sample::{Bad, Outcome};

const DOCUMENTATION: &str = include_str!("../../../docs/your-own-service.md");
const PASSWORD: &str = "correct horse";

/// The example of a journey with steps, as the documentation has it.
fn example() -> &'static str {
    let mut blocks = DOCUMENTATION.split("```toml\n").skip(1);
    let block = blocks.find(|block| block.contains("[[journey.step]]")).unwrap();
    block.split("```").next().unwrap()
}

fn system(shape: &str) -> String {
    format!(
        r#"
summary = "Users log in and write notes."

[service.app]
build = {{ package = {{ name = "shapes" }} }}
args = ["{shape}", "--listen", "{{listen}}", "--store", "{{volume.store}}/notes"]
release = "v1"
port = 8000
ready = {{ path = "/health", within = "20s" }}
volumes = {{ store = "/data" }}

{}"#,
        example()
    )
}

const KILLED: &str = "[[step]]\nat = \"500ms\"\nfor = \"700ms\"\nkill = { service = \"app\" }\n";

/// One drill of a shape: how it ended, and its history.
fn drill(kind: Kind, shape: &str, steps: &str) -> (Ended, History) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("system.toml", &system(shape));
    let expect = "[expect]\njourneys = { \"write a note\" = \"may be down\" }\n";
    write(
        "notes.toml",
        &format!("summary = \"notes\"\nsystem = \"system.toml\"\n{steps}{expect}"),
    );
    let (runs, file) = (folder.path().join("runs"), folder.path().join("notes.toml"));
    let (kind, file) = (kind.to_string(), file.display().to_string());
    let mut command = acceptance::command(&runs, &["run", "--backend", &kind, &file]);
    let ended: Ended = command.env("NOTES_PASSWORD", PASSWORD).output().unwrap().into();
    let [run] = &acceptance::run_folders(&runs)[..] else {
        panic!("{ended}");
    };
    assert_hidden(run);
    let history = history::read(run).unwrap();
    (ended, history)
}

/// The password is a secret, and so is a session: none of them is stored.
fn assert_hidden(run: &Path) {
    let events = std::fs::read_to_string(run.join("events.jsonl")).unwrap();
    assert!(
        !events.contains(PASSWORD) && !events.contains("sid="),
        "{events:.2000}"
    );
}

fn verdict(history: &History) -> Verdict {
    judge::judge(history, &measure::measure(history)).verdict()
}

/// Sessions end with the process, notes do not: whoever reads back logs in again.
pub(crate) async fn users_log_in_write_and_read_what_they_wrote(kind: Kind) {
    let (ended, history) = drill(kind, "login", KILLED);
    assert_eq!(
        (ended.code, verdict(&history)),
        (Some(0), Verdict::Met),
        "{ended}"
    );
    let data = measure::measure(&history).data;
    assert!(data.acknowledged > 0, "{data:?}\n{ended}");
    assert_eq!(data.intact, data.acknowledged, "{ended}");
    let ids = history.events.iter().filter_map(|stamped| match &stamped.event {
        Event::Write { captures, .. } => captures.get("id"),
        _ => None,
    });
    assert!(
        ids.count() >= data.acknowledged,
        "the history says where each write is"
    );
    let good = history
        .samples
        .iter()
        .any(|sample| sample.outcome == Outcome::Good);
    let down = history.samples.iter().any(|sample| sample.outcome.is_bad());
    assert!(good && down, "{ended}");
}

/// The same drill on a service that acknowledges what it does not keep.
pub(crate) async fn a_note_that_a_restart_loses_is_a_lost_write(kind: Kind) {
    let (ended, history) = drill(kind, "login-forgetful", KILLED);
    let data = measure::measure(&history).data;
    assert!(data.lost > 0, "{data:?}\n{ended}");
    assert_eq!(
        (ended.code, verdict(&history)),
        (Some(1), Verdict::Breached),
        "{ended}"
    );
}

/// Each request succeeds, and the note that the user gets is another one.
pub(crate) async fn an_answer_with_a_wrong_id_is_bad(kind: Kind) {
    let (ended, history) = drill(kind, "login-wrong-id", "");
    let outcomes: Vec<Outcome> = history.samples.iter().map(|sample| sample.outcome).collect();
    let wrong = Outcome::Bad(Bad::Content);
    // The first note of all has the right id, as there is no other one yet.
    let right = outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::Good)
        .count();
    assert!(outcomes.contains(&wrong) && right <= 2, "{outcomes:?}\n{ended}");
    assert_ne!(verdict(&history), Verdict::Met, "{ended}");
    assert_ne!(ended.code, Some(0), "{ended}");
}
