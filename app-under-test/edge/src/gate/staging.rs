//! The staging gate: a second instance of the candidate on a copy of the production store.
//!
//! Production's own data, because the incident's mistake passes on an empty store; a copy, because a candidate may leave
//! it in any shape. Whether the last working release can still read what the candidate has left is tried too: without
//! that, a rollback would not save anybody.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::process::Child;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, timeout};
use tower::ServiceExt;

use super::Outcome;
use super::journey::{Walked, known, walk};
use super::process::{command, last_words_in};
use crate::config::Staging;
use crate::upstream::{Fresh, Slot};

/// An answer in staging is received as a whole up to so many bytes.
const LONGEST: usize = 1 << 20;
/// A store that is being written to is copied again, so often at most.
const COPIES: usize = 20;

/// A staged release: the child ends with this.
struct Staged {
    child: Child,
    slot: Slot,
    output: PathBuf,
}

/// The folder that copies are made in: one at a time, and removed with it.
#[derive(Debug)]
pub struct Stage(PathBuf);

impl Stage {
    /// In the folder of the edge's state. Removes what an edge that was killed left there.
    pub fn open(state: &Path) -> Self {
        let stage = Self(state.join("staging"));
        stage.clear();
        stage
    }

    fn clear(&self) {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::error!("removing {}: {error}", self.0.display());
            }
            _ => {}
        }
    }

    fn set(&self) -> io::Result<Set<'_>> {
        self.clear();
        fs::create_dir(&self.0)?;
        Ok(Set(self))
    }
}

/// A stage in use: cleared when this is dropped.
struct Set<'s>(&'s Stage);

impl Set<'_> {
    fn path(&self) -> &Path {
        &self.0.0
    }
}

impl Drop for Set<'_> {
    fn drop(&mut self) {
        self.0.clear();
    }
}

/// Tries a candidate, and then the last working release on what it has left.
pub async fn staging(
    gate: Option<&Staging>,
    stage: &Stage,
    candidate: &str,
    last_working: &str,
    ready: &str,
) -> Outcome {
    let Some(gate) = gate.filter(|gate| gate.on) else {
        return Outcome::Skipped;
    };
    let folder = match stage.set() {
        Ok(folder) => folder,
        Err(error) => return Outcome::undecided(format!("no folder for the copy: {error}")),
    };
    let store = folder.path().join("store");
    if let Err(error) = copy_settled(&gate.store, &store) {
        return Outcome::undecided(format!("the store cannot be copied: {error}"));
    }
    let records = known(&store, &gate.known);
    if records.is_empty() {
        return Outcome::undecided(
            "the copy of the store holds no known record: what passes on an empty store proves nothing",
        );
    }
    let mut evidence = vec![format!(
        "a copy of the store, {} of its records known",
        records.len()
    )];
    let secrets = gate.secrets();
    let rejected = |reason: String, mut evidence: Vec<String>, words: Vec<String>| {
        evidence.push(reason.clone());
        evidence.extend(words);
        Outcome::Rejected { reason, evidence }
    };
    for (release, way_back) in [(candidate, false), (last_working, true)] {
        let who = if way_back {
            format!("the last working release ({release}) on what {candidate} has left")
        } else {
            release.to_owned()
        };
        let mut staged = match start(gate, release, &store, folder.path()) {
            Ok(staged) => staged,
            Err(error) => return Outcome::undecided(format!("{who} cannot be started: {error}")),
        };
        if let Err(last) = wait_until_ready(&mut staged, gate.within, ready).await {
            let reason = format!("{who} does not become ready: {last}");
            return rejected(reason, evidence, last_words_in(&staged.output, &secrets));
        }
        for journey in &gate.journeys {
            if way_back && !journey.way_back {
                continue;
            }
            let late = (!way_back).then_some(gate.late);
            match walk(journey, &records, &staged.slot, late).await {
                Walked::Well(line) => evidence.push(format!("{who}: {line}")),
                Walked::Badly(line) => {
                    return rejected(
                        format!("{who}: {line}"),
                        evidence,
                        last_words_in(&staged.output, &secrets),
                    );
                }
            }
        }
        // Gone for certain before the next one opens the same store.
        if let Err(error) = staged.child.kill().await {
            return Outcome::undecided(format!("{who} cannot be ended: {error}"));
        }
    }
    Outcome::Passed(evidence)
}

fn start(gate: &Staging, release: &str, store: &Path, folder: &Path) -> io::Result<Staged> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string();
    let store = store.display().to_string();
    let values = [("release", release), ("listen", &*listen), ("store", &*store)];
    let mut command = command(&gate.command, &gate.env, &values)
        .ok_or_else(|| io::Error::other("the staging gate's command is empty"))?;
    let output = folder.join(format!("{release}.log"));
    let file = fs::File::create(&output)?;
    command
        .stdout(Stdio::from(file.try_clone()?))
        .stderr(Stdio::from(file));
    Ok(Staged {
        child: command.spawn()?,
        slot: Slot::new(&listen, LONGEST),
        output,
    })
}

/// Asks until it says that it is ready; the last that was seen when it does not.
async fn wait_until_ready(staged: &mut Staged, within: Duration, path: &str) -> Result<(), String> {
    let mut last = String::from("nothing was seen of it");
    let until = Instant::now() + within;
    let mut look = interval(Duration::from_millis(20));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < until {
        look.tick().await;
        if let Ok(Some(status)) = staged.child.try_wait() {
            return Err(format!("it ended with {status}"));
        }
        let request = Request::get(path).header("host", "staging").extension(Fresh);
        let Ok(request) = request.body(Full::<Bytes>::default()) else {
            return Err(format!("`{path}` is no path"));
        };
        match timeout(Duration::from_secs(1), staged.slot.clone().oneshot(request)).await {
            Ok(Ok(answer)) if answer.status().as_u16() < 400 => return Ok(()),
            Ok(Ok(answer)) => last = answer.status().to_string(),
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => "no answer within 1s".clone_into(&mut last),
        }
    }
    Err(last)
}

/// Copies a folder that is in use: again, while something in it changes meanwhile.
fn copy_settled(from: &Path, to: &Path) -> io::Result<()> {
    let mut before = fingerprint(from)?;
    for _ in 0..COPIES {
        if to.exists() {
            fs::remove_dir_all(to)?;
        }
        match copy(from, to) {
            // A file that was renamed away meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            copied => copied?,
        }
        let after = fingerprint(from)?;
        if before == after {
            return Ok(());
        }
        before = after;
    }
    Err(io::Error::other(
        "it changes faster than it can be copied in one piece",
    ))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &to)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// What changes whenever a file of the folder does.
fn fingerprint(folder: &Path) -> io::Result<Vec<(std::ffi::OsString, u64, std::time::SystemTime)>> {
    let mut seen = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(metadata) => seen.push((entry.file_name(), metadata.len(), metadata.modified()?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    seen.sort();
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Journey, Known, Over};

    fn gate(store: &Path, script: &str) -> Staging {
        Staging {
            on: true,
            command: ["/bin/sh", "-c", script].map(str::to_owned).into(),
            env: Default::default(),
            store: store.to_owned(),
            known: Known {
                file: "urls.json".into(),
                target: "/url".into(),
                sample: 20,
            },
            within: Duration::from_millis(500),
            late: Duration::from_millis(500),
            journeys: vec![Journey {
                name: "resolve".into(),
                over: Over::Known,
                times: 1,
                way_back: true,
                method: "GET".into(),
                path: "/{key}".into(),
                form: Default::default(),
                status: 302,
                header: Default::default(),
            }],
        }
    }

    /// Tries v2 after v1, somewhere else than where the store is.
    async fn tried(gate: &Staging) -> Outcome {
        let state = tempfile::tempdir().unwrap();
        let outcome = staging(Some(gate), &Stage::open(state.path()), "v2", "v1", "/readyz").await;
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0, "nothing is left");
        outcome
    }

    fn store(content: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("urls.json"), content).unwrap();
        folder
    }

    #[tokio::test]
    async fn an_empty_store_proves_nothing() {
        for content in ["{}", "", "[]"] {
            let store = store(content);
            let outcome = tried(&gate(store.path(), "exit 0")).await;
            assert!(matches!(outcome, Outcome::Undecided { .. }), "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn a_candidate_that_ends_at_its_start_is_rejected_with_its_last_words() {
        let store = store(r#"{"go": {"url": "http://go.example"}}"#);
        let gate = gate(store.path(), "echo 'symbol not found in {release}' >&2; exit 3");
        let Outcome::Rejected { reason, evidence } = tried(&gate).await else {
            panic!("passed");
        };
        assert!(reason.contains("exit status: 3"), "{reason}");
        assert_eq!(evidence.last().unwrap(), "symbol not found in v2");
    }

    #[tokio::test]
    async fn what_a_candidate_says_of_its_secrets_is_no_evidence() {
        let store = store(r#"{"go": {"url": "http://go.example"}}"#);
        let mut gate = gate(
            store.path(),
            "echo \"signing with $APP_SECRET, pool $POOL\"; exit 3",
        );
        gate.env = [("APP_SECRET", "hunter2"), ("POOL", "four")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let Outcome::Rejected { evidence, .. } = tried(&gate).await else {
            panic!("passed");
        };
        assert_eq!(evidence.last().unwrap(), "signing with [redacted], pool four");
    }

    #[tokio::test]
    async fn a_candidate_works_on_a_copy() {
        let store = store(r#"{"go": {"url": "http://go.example"}}"#);
        let gate = gate(store.path(), "echo gone > {store}/urls.json");
        tried(&gate).await;
        let left = fs::read_to_string(store.path().join("urls.json")).unwrap();
        assert!(left.contains("go.example"));
    }

    #[test]
    fn a_folder_is_copied_with_what_is_in_it() {
        let store = store("{}");
        fs::create_dir(store.path().join("files")).unwrap();
        fs::write(store.path().join("files/a"), "a").unwrap();
        let to = tempfile::tempdir().unwrap();
        copy_settled(store.path(), &to.path().join("copy")).unwrap();
        assert_eq!(fs::read(to.path().join("copy/files/a")).unwrap(), b"a");
    }
}
