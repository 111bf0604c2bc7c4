//! The staging gate: a second instance of the candidate on a copy of the production store.
//!
//! It uses production's data because a release may pass on an empty store and fail on a real one, as in the incident. It
//! uses a copy because a candidate may damage it. Afterwards the last working release is tried on the store that the
//! candidate wrote: if it cannot read that, a rollback would not help.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use firedrill_logs::count;
use tokio::process::Child;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval};

use super::Outcome;
use super::journey::{self, JourneyResult, KnownRecord, known_records};
use super::process::{command, last_lines_in};
use super::ready::{self, NotReady};
use crate::config::Staging;
use crate::upstream::Slot;

/// The largest answer that is received completely, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// How often a store is copied that changes during the copy.
const MAX_COPIES: usize = 20;

/// A running release in staging; its process is killed when this is dropped.
struct StagedRelease {
    child: Child,
    slot: Slot,
    output: PathBuf,
}

/// The folder for copies of the store. There is one copy at a time.
#[derive(Debug)]
pub struct StagingFolder(PathBuf);

impl StagingFolder {
    /// A folder inside the edge's state folder. Removes what a killed edge left there.
    pub fn open(state: &Path) -> Self {
        let folder = Self(state.join("staging"));
        folder.clear();
        folder
    }

    fn clear(&self) {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::error!("cannot remove {}: {error}", self.0.display());
            }
            _ => {}
        }
    }

    fn create(&self) -> io::Result<OpenFolder<'_>> {
        self.clear();
        fs::create_dir(&self.0)?;
        Ok(OpenFolder(self))
    }
}

/// The folder in use; removed when this is dropped.
struct OpenFolder<'s>(&'s StagingFolder);

impl OpenFolder<'_> {
    fn path(&self) -> &Path {
        &self.0.0
    }
}

impl Drop for OpenFolder<'_> {
    fn drop(&mut self) {
        self.0.clear();
    }
}

/// Tries a candidate on a copy of the store, then the last working release on what the candidate left.
pub async fn staging(
    gate: Option<&Staging>,
    folder: &StagingFolder,
    candidate: &str,
    last_working: &str,
    ready: &str,
) -> Outcome {
    let Some(gate) = gate.filter(|gate| gate.on) else {
        return Outcome::Skipped;
    };
    let folder = match folder.create() {
        Ok(folder) => folder,
        Err(error) => return Outcome::undecided(format!("cannot create a folder for the copy: {error}")),
    };
    let store = folder.path().join("store");
    if let Err(error) = copy_settled(&gate.store, &store) {
        return Outcome::undecided(format!("cannot copy the store: {error}"));
    }
    let records = known_records(&store, &gate.known);
    if records.is_empty() {
        return Outcome::undecided("the store copy has none of the configured records; check `known`");
    }
    let trial = Trial {
        gate,
        folder: folder.path(),
        store: &store,
        records: &records,
        ready,
    };
    let mut evidence = vec![format!(
        "copied the store with {}",
        count(records.len(), "known record")
    )];
    let way_back = format!("the last working release ({last_working}) on the store that {candidate} wrote");
    // In this order on one copy: the last working release must read what the candidate has written.
    for (release, who, is_candidate) in [(candidate, candidate, true), (last_working, &way_back, false)] {
        match trial.run(release, is_candidate).await {
            Ok(lines) => evidence.extend(lines.iter().map(|line| format!("{who}: {line}"))),
            Err(Stopped::Failed { reason, output }) => {
                let reason = format!("{who}: {reason}");
                evidence.push(reason.clone());
                evidence.extend(output);
                return Outcome::Rejected { reason, evidence };
            }
            Err(Stopped::Undecided(reason)) => return Outcome::undecided(format!("{who}: {reason}")),
        }
    }
    Outcome::Passed(evidence)
}

/// What both releases are tried with.
struct Trial<'t> {
    gate: &'t Staging,
    folder: &'t Path,
    store: &'t Path,
    records: &'t [KnownRecord],
    ready: &'t str,
}

/// Why a trial ended early.
enum Stopped {
    /// The release failed; the end of its output.
    Failed { reason: String, output: Vec<String> },
    /// The trial could not run.
    Undecided(String),
}

impl Trial<'_> {
    /// Starts a release and runs its journeys; a line of evidence for each. The last working release (`!is_candidate`) gets
    /// only the journeys marked `way_back`, and no time limit: it is known to be fast enough.
    async fn run(&self, release: &str, is_candidate: bool) -> Result<Vec<String>, Stopped> {
        let mut staged = start(self.gate, release, self.store, self.folder)
            .map_err(|error| Stopped::Undecided(format!("cannot be started: {error}")))?;
        let failed = |output: &Path, reason: String| Stopped::Failed {
            reason,
            output: last_lines_in(output, &self.gate.secrets()),
        };
        if let Err(last) = wait_until_ready(&mut staged, self.gate.within, self.ready).await {
            return Err(failed(&staged.output, format!("does not become ready: {last}")));
        }
        let late = is_candidate.then_some(self.gate.late);
        let mut evidence = Vec::new();
        for journey in &self.gate.journeys {
            if !is_candidate && !journey.way_back {
                continue;
            }
            match journey::run(journey, self.records, &staged.slot, late).await {
                JourneyResult::Passed(line) => evidence.push(line),
                JourneyResult::Failed(line) => return Err(failed(&staged.output, line)),
            }
        }
        // The process must be gone before the next release opens the same store.
        let killed = staged.child.kill().await;
        killed.map_err(|error| Stopped::Undecided(format!("cannot be stopped: {error}")))?;
        Ok(evidence)
    }
}

fn start(gate: &Staging, release: &str, store: &Path, folder: &Path) -> io::Result<StagedRelease> {
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
    Ok(StagedRelease {
        child: command.spawn()?,
        slot: Slot::new(&listen, MAX_ANSWER),
        output,
    })
}

/// Polls until the release is ready; otherwise the last failure.
async fn wait_until_ready(staged: &mut StagedRelease, within: Duration, path: &str) -> Result<(), NotReady> {
    let mut last = NotReady::NoAnswer;
    let until = Instant::now() + within;
    let mut poll = interval(Duration::from_millis(20));
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < until {
        poll.tick().await;
        // Before the request: another process could answer at a port that this one has given up.
        if let Ok(Some(status)) = staged.child.try_wait() {
            return Err(NotReady::Ended(status));
        }
        match ready::ask(&staged.slot, "staging", path).await {
            Ok(_) => return Ok(()),
            // No later attempt can differ.
            Err(invalid @ NotReady::InvalidPath(_)) => return Err(invalid),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

/// Copies a folder that is in use, and repeats the copy when a file changed meanwhile.
fn copy_settled(from: &Path, to: &Path) -> io::Result<()> {
    let mut before = fingerprint(from)?;
    for _ in 0..MAX_COPIES {
        if to.exists() {
            fs::remove_dir_all(to)?;
        }
        match copy(from, to) {
            // A file was renamed meanwhile: copy again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            copied => copied?,
        }
        let after = fingerprint(from)?;
        if before == after {
            return Ok(());
        }
        before = after;
    }
    Err(io::Error::other("it changes faster than it can be copied"))
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

/// Changes whenever a file of the folder changes.
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
        let outcome = staging(
            Some(gate),
            &StagingFolder::open(state.path()),
            "v2",
            "v1",
            "/readyz",
        )
        .await;
        assert_eq!(
            fs::read_dir(state.path()).unwrap().count(),
            0,
            "the staging folder was not removed"
        );
        outcome
    }

    fn store(content: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("urls.json"), content).unwrap();
        folder
    }

    #[tokio::test]
    async fn an_empty_store_is_undecided() {
        for content in ["{}", "", "[]"] {
            let store = store(content);
            let outcome = tried(&gate(store.path(), "exit 0")).await;
            assert!(matches!(outcome, Outcome::Undecided { .. }), "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn a_candidate_that_exits_at_once_is_rejected_with_its_output() {
        let store = store(r#"{"go": {"url": "http://go.example"}}"#);
        let gate = gate(store.path(), "echo 'symbol not found in {release}' >&2; exit 3");
        let Outcome::Rejected { reason, evidence } = tried(&gate).await else {
            panic!("passed");
        };
        assert!(reason.contains("exit status: 3"), "{reason}");
        assert_eq!(evidence.last().unwrap(), "symbol not found in v2");
    }

    #[tokio::test]
    async fn the_evidence_contains_no_secret() {
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
    async fn a_candidate_cannot_change_the_production_store() {
        let store = store(r#"{"go": {"url": "http://go.example"}}"#);
        let gate = gate(store.path(), "echo gone > {store}/urls.json");
        tried(&gate).await;
        let left = fs::read_to_string(store.path().join("urls.json")).unwrap();
        assert!(left.contains("go.example"));
    }

    #[test]
    fn a_folder_is_copied_with_its_subfolders() {
        let store = store("{}");
        fs::create_dir(store.path().join("files")).unwrap();
        fs::write(store.path().join("files/a"), "a").unwrap();
        let to = tempfile::tempdir().unwrap();
        copy_settled(store.path(), &to.path().join("copy")).unwrap();
        assert_eq!(fs::read(to.path().join("copy/files/a")).unwrap(), b"a");
    }
}
