//! One start of a program: its process, from its beginning to the end of all that it started, with its output.
//!
//! A program runs in a process group of its own, with the label of the run. When it has ended, or its time is over, its group
//! is killed and waited for: nothing of it is left, and no zombie. It is waited for without being removed first, so that its
//! pid, which is the group's number too, stays its own until then.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use memchr::memmem;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, waitid, waitpgid,
};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::error::Error;
use super::processor_time::ProcessorTime;
use super::program;
use super::reach::Reach;
use super::records::Book;
use super::visit::Visited;
use firedrill_model::sample::{Bad, Outcome, Void};
use firedrill_model::scenario::{CommandProbe, Template};
use firedrill_wait::Poll;

/// What a program inherits of the harness's environment, where its own does not say otherwise: interpreters need these to find
/// themselves.
pub const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// So much of an output is kept; the rest is read and thrown away.
const KEPT: usize = 1 << 20;
/// So much of the end of the standard error is kept.
const KEPT_ERRORS: usize = 500;
/// What an ended program wrote is read within this.
const DRAINED_WITHIN: Duration = Duration::from_millis(100);
/// Killed processes are gone within this.
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// How the commands of journeys run.
#[derive(Clone)]
pub struct Commands {
    /// The folder of the system file.
    pub folder: PathBuf,
    /// Labels what is started as the run's, so that a cleanup finds it.
    pub label: Arc<dyn Fn(&mut Command) + Send + Sync>,
    /// Where their processor time is counted.
    pub time: ProcessorTime,
}

/// In this folder, without a label.
impl Default for Commands {
    fn default() -> Self {
        Self {
            folder: ".".into(),
            label: Arc::new(|_| {}),
            time: ProcessorTime::default(),
        }
    }
}

impl std::fmt::Debug for Commands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Commands")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// Asks a service by a program.
pub(super) struct CommandClient {
    /// The program's name as the file says it.
    name: String,
    program: PathBuf,
    arguments: Vec<Template>,
    env: Vec<(String, Template)>,
    exit_code: i32,
    output: Option<Template>,
    commands: Commands,
}

/// What a process wrote, and when it began to.
#[derive(Default)]
struct Output {
    first: Option<Instant>,
    kept: Vec<u8>,
    is_cut: bool,
    errors: Vec<u8>,
}

impl CommandClient {
    /// Finds the program, and parses every template.
    pub(super) fn new(journey: &str, command: &CommandProbe, reach: &Reach) -> Result<Self, Error> {
        let arguments = command.argv.iter().skip(1);
        let env = command.env.iter();
        let output = command.output_contains.as_ref();
        let (name, program) = program::find(journey, command, &reach.commands.folder)?;
        Ok(Self {
            name,
            program,
            arguments: arguments
                .map(|text| reach.with_addresses(text))
                .collect::<Result<_, _>>()?,
            env: env
                .map(|(name, text)| Ok((name.clone(), reach.with_addresses(text)?)))
                .collect::<Result<_, Error>>()?,
            exit_code: command.exit_code.into(),
            output: output.map(|text| reach.with_addresses(text)).transpose()?,
            commands: reach.commands.clone(),
        })
    }

    /// Every template of it.
    pub(super) fn templates(&self) -> impl Iterator<Item = &Template> {
        let env = self.env.iter().map(|(_, text)| text);
        self.arguments.iter().chain(env).chain(&self.output)
    }

    /// Runs the program with record number `n`, for at most `timeout`.
    pub(super) async fn visit(&self, book: &Book<'_>, n: u64, timeout: Duration) -> Result<Visited, Error> {
        let wanted = self
            .output
            .as_ref()
            .map(|text| book.render(text, n))
            .transpose()?;
        let mut command = self.command(book, n)?;
        // Before the start, for which users of the program wait too.
        let sent = Instant::now();
        let mut process = match Process::start(&mut command, &self.commands.time) {
            Ok(process) => process,
            Err(error) => return Ok(not_started(sent, &error)),
        };
        let mut output = Output::default();
        let in_time = tokio::time::timeout(timeout, process.run(&mut output)).await;
        let ended = Instant::now();
        let status = process.finish().await;
        let (status, outcome) = match (in_time, status) {
            (Err(_), _) => (0, Outcome::Bad(Bad::Timeout)),
            (Ok(Ok(())), Ok(status)) => self.judge(status, &output, wanted.as_deref()),
            // Nobody knows how it ended.
            (Ok(Err(_)), _) | (_, Err(_)) => (0, Outcome::Void(Void::Unsendable)),
        };
        Ok(Visited {
            sent,
            first: output.first,
            ended,
            outcome,
            status,
            complaint: complaint(outcome, status, &output),
            ..Visited::not_sent()
        })
    }

    fn command(&self, book: &Book<'_>, n: u64) -> Result<Command, Error> {
        let mut command = Command::new(&self.program);
        // A program of several names does what it is called.
        command.arg0(&self.name);
        for text in &self.arguments {
            command.arg(book.render(text, n)?);
        }
        let inherited = |name: &&str| Some((OsString::from(name), std::env::var_os(name)?));
        command.env_clear().envs(INHERITED.iter().filter_map(inherited));
        for (name, text) in &self.env {
            command.env(name, book.render(text, n)?);
        }
        command
            .current_dir(&self.commands.folder)
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        (self.commands.label)(&mut command);
        Ok(command)
    }

    /// What the end of a program says, with the status that samples have.
    fn judge(&self, status: ExitStatus, output: &Output, wanted: Option<&str>) -> (u16, Outcome) {
        let is_there = |text: &str| memmem::find(&output.kept, text.as_bytes()).is_some();
        match (status.code(), status.signal()) {
            // By somebody else, such as the kernel for want of memory.
            (None, Some(signal)) if signal == Signal::KILL.as_raw() => (0, Outcome::Void(Void::Cancelled)),
            (None, signal) => {
                // As shells number it.
                let number = u16::try_from(128 + signal.unwrap_or_default()).unwrap_or(128);
                (number, Outcome::Bad(Bad::Status))
            }
            (Some(code), _) => {
                let number = u16::try_from(code).unwrap_or(u16::MAX);
                let outcome = match wanted {
                    _ if code != self.exit_code => Outcome::Bad(Bad::Status),
                    Some(text) if !is_there(text) && output.is_cut => Outcome::Void(Void::BodyLimit),
                    Some(text) if !is_there(text) => Outcome::Bad(Bad::Content),
                    _ => Outcome::Good,
                };
                (number, outcome)
            }
        }
    }
}

/// A process that runs, and its group.
struct Process {
    child: Child,
    pid: Pid,
    time: ProcessorTime,
    is_over: bool,
}

impl Process {
    fn start(command: &mut Command, time: &ProcessorTime) -> io::Result<Self> {
        let child = command.spawn()?;
        let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let pid = pid.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        time.begin(pid);
        Ok(Self {
            child,
            pid,
            time: time.clone(),
            is_over: false,
        })
    }

    /// Reads its output until it has ended and nobody else can write any.
    async fn run(&mut self, output: &mut Output) -> io::Result<()> {
        let whole = self.read_all(output).await?;
        // What nobody has read may have the text.
        output.is_cut |= !whole;
        Ok(())
    }

    /// The same; false where somebody who left its group holds the output open.
    async fn read_all(&mut self, output: &mut Output) -> io::Result<bool> {
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let Output {
            first,
            kept,
            is_cut,
            errors,
        } = output;
        let reading = async {
            tokio::join!(
                read(stdout, |bytes| {
                    first.get_or_insert_with(Instant::now);
                    let room = KEPT - kept.len();
                    *is_cut |= bytes.len() > room;
                    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
                }),
                read(stderr, |bytes| {
                    errors.extend_from_slice(bytes);
                    let over = errors.len().saturating_sub(KEPT_ERRORS);
                    if over > 0 {
                        // Whole lines: half a secret would not be known as one.
                        let rest = errors[over..].iter().position(|byte| *byte == b'\n');
                        errors.drain(..rest.map_or(errors.len(), |rest| over + rest + 1));
                    }
                })
            )
        };
        let mut reading = std::pin::pin!(reading);
        tokio::select! {
            _ = &mut reading => return ended(self.pid).await.map(|()| true),
            ended = ended(self.pid) => ended?,
        }
        // What it has started may hold the output open.
        let _ = kill_process_group(self.pid, Signal::KILL);
        // What it wrote is in the pipes: reading it takes no time.
        Ok(tokio::time::timeout(DRAINED_WITHIN, reading).await.is_ok())
    }

    /// Kills what is left of its group, and waits for all of it.
    async fn finish(mut self) -> io::Result<ExitStatus> {
        // Its own pid is not free before it was waited for: the group is still its own.
        let _ = kill_process_group(self.pid, Signal::KILL);
        let gone = tokio::time::timeout(GONE_WITHIN, ended(self.pid)).await;
        self.time.end(self.pid);
        self.is_over = true;
        // One that hangs in the kernel is waited for in the background, and found by its label.
        gone.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let status = self.child.wait().await;
        // What it had started became the harness's, where the harness adopts orphans.
        let group = self.pid;
        let left = || async move {
            loop {
                match waitpgid(group, WaitOptions::NOHANG) {
                    Ok(Some(_)) => {}
                    Ok(None) => return Poll::<_, io::Error>::NotYet("a process of its group".to_owned()),
                    // No child of that group.
                    Err(_) => return Poll::Done(()),
                }
            }
        };
        let _ = firedrill_wait::until("the end of its group", GONE_WITHIN, left).await;
        status
    }
}

/// The prober was given up: nothing of the group may outlive it.
impl Drop for Process {
    fn drop(&mut self) {
        if !self.is_over {
            let _ = kill_process_group(self.pid, Signal::KILL);
            self.time.end(self.pid);
        }
    }
}

/// Waits until a child has ended, and leaves it to be waited for.
async fn ended(pid: Pid) -> io::Result<()> {
    // Before the first look: an end in between is then seen.
    let mut ends = signal(SignalKind::child())?;
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    while waitid(WaitId::Pid(pid), look)?.is_none() {
        ends.recv().await;
    }
    Ok(())
}

/// Reads all of a stream, in pieces.
async fn read(from: Option<impl AsyncRead + Unpin>, mut take: impl FnMut(&[u8])) {
    let Some(mut from) = from else { return };
    let mut piece = vec![0; 8192];
    // A pipe that breaks has ended.
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        take(&piece[..length]);
    }
}

/// A program that is here and was not started: the prober's own failure.
fn not_started(sent: Instant, error: &io::Error) -> Visited {
    use rustix::io::Errno;
    let void = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::MFILE | Errno::NFILE) => Void::Descriptors,
        _ => Void::Unsendable,
    };
    Visited {
        sent,
        outcome: Outcome::Void(void),
        complaint: Some(format!("not started: {error}")),
        ..Visited::not_sent()
    }
}

/// What there is to say of a failure: how the program ended, and the end of its standard error.
fn complaint(outcome: Outcome, status: u16, output: &Output) -> Option<String> {
    let what = match outcome {
        Outcome::Bad(Bad::Status) => format!("exit code {status}"),
        Outcome::Bad(bad) => bad.to_string(),
        Outcome::Void(void) => void.to_string(),
        Outcome::Good | Outcome::Fallback => return None,
    };
    let errors = String::from_utf8_lossy(&output.errors);
    let lines: Vec<&str> = errors
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    Some(match lines.is_empty() {
        true => what,
        false => format!("{what}: {}", lines.join(" / ")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Users;

    fn users() -> Users {
        let system = json!({
            "summary": "a program",
            "service": { "db": { "build": { "image": "db" }, "port": 80 } },
            "records": { "item": { "fields": { "id": "item-{n}" } } },
        });
        Users {
            system: serde_json::from_value(system).unwrap(),
            seeded: true,
        }
    }

    /// One start of a shell with these words and further keys, on record 7.
    async fn visit(words: &str, more: Value, timeout: Duration) -> (Visited, ProcessorTime) {
        let mut probe = json!({ "argv": ["sh", "-c", words] });
        for (key, value) in more.as_object().unwrap() {
            probe[key] = value.clone();
        }
        let probe: CommandProbe = serde_json::from_value(probe).unwrap();
        let address: std::net::SocketAddr = "127.0.0.1:5432".parse().unwrap();
        let db = (("db".to_owned(), None), address.into());
        let reach = Reach {
            services: [db].into(),
            ..Reach::from("127.0.0.1:80".parse::<std::net::SocketAddr>().unwrap())
        };
        let client = CommandClient::new("ask", &probe, &reach).unwrap();
        let users = users();
        let book = Book {
            users: &users,
            seed: 1,
        };
        let visit = client.visit(&book, 7, timeout).await.unwrap();
        (visit, reach.commands.time)
    }

    const PATIENT: Duration = Duration::from_secs(60);

    async fn outcome(words: &str, more: Value) -> (Outcome, u16) {
        let (visit, _) = visit(words, more, PATIENT).await;
        (visit.outcome, visit.status)
    }

    #[tokio::test]
    async fn the_exit_code_is_the_status_and_the_output_the_content() {
        assert_eq!(outcome("exit 0", json!({})).await, (Outcome::Good, 0));
        assert_eq!(
            outcome("exit 3", json!({ "exit_code": 3 })).await,
            (Outcome::Good, 3)
        );
        let status = Outcome::Bad(Bad::Status);
        assert_eq!(
            outcome("echo yes; exit 1", json!({ "output_contains": "yes" })).await,
            (status, 1)
        );
        assert_eq!(outcome("kill -TERM $$", json!({})).await, (status, 143));
        let content = Outcome::Bad(Bad::Content);
        assert_eq!(
            outcome("echo no", json!({ "output_contains": "yes" })).await,
            (content, 0)
        );
        assert_eq!(
            outcome("echo no >&2", json!({ "output_contains": "no" })).await,
            (content, 0)
        );
    }

    #[tokio::test]
    async fn a_program_that_somebody_else_killed_says_nothing_of_the_service() {
        let void = Outcome::Void(Void::Cancelled);
        assert_eq!(outcome("kill -KILL $$", json!({})).await, (void, 0));
    }

    #[tokio::test]
    async fn a_text_behind_the_part_that_is_kept_is_neither_there_nor_missing() {
        let words = "head -c 3000000 /dev/zero; echo yes";
        let void = Outcome::Void(Void::BodyLimit);
        assert_eq!(
            outcome(words, json!({ "output_contains": "yes" })).await,
            (void, 0)
        );
        assert_eq!(outcome(words, json!({})).await, (Outcome::Good, 0));
    }

    #[tokio::test]
    async fn records_and_addresses_are_filled_and_of_the_environment_there_is_what_the_file_says() {
        let words = "echo {item.id} {service.db.host} {service.db.port} $ITEM; env | cut -d= -f1 | sort | tr '\\n' ' '";
        let names = "item-7 127.0.0.1 5432 x-item-7";
        let env = json!({ "ITEM": "x-{item.id}" });
        let right = json!({ "env": env, "output_contains": names });
        assert_eq!(outcome(words, right).await, (Outcome::Good, 0));
        // Cargo sets this one for tests.
        let strange = json!({ "output_contains": "CARGO" });
        assert_eq!(outcome(words, strange).await.0, Outcome::Bad(Bad::Content));
    }

    #[tokio::test]
    async fn a_failure_has_the_end_of_what_the_program_said_of_it() {
        let (failed, _) = visit("echo could not connect >&2; exit 1", json!({}), PATIENT).await;
        assert_eq!(
            failed.complaint.as_deref(),
            Some("exit code 1: could not connect")
        );
        let (good, _) = visit("echo a warning >&2", json!({}), PATIENT).await;
        assert_eq!(good.complaint, None);
    }

    /// Whether a process has this command line.
    #[cfg(target_os = "linux")]
    fn runs(words: &str) -> bool {
        let command = words.replace(' ', "\0") + "\0";
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let mut lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
        lines.any(|line| line == command.as_bytes())
    }

    /// A killed process needs a moment to be gone, where its parent is not this one.
    #[cfg(target_os = "linux")]
    async fn ends(words: &str) {
        let look = || {
            std::future::ready(match runs(words) {
                true => Poll::<_, io::Error>::NotYet("it runs".into()),
                false => Poll::Done(()),
            })
        };
        firedrill_wait::until("its end", PATIENT, look).await.unwrap();
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn after_the_timeout_nothing_of_the_program_is_left() {
        let sleep = format!("sleep 3{}", std::process::id());
        let words = format!("{sleep} & echo begun; {sleep}");
        let (late, _) = visit(&words, json!({}), Duration::from_millis(300)).await;
        assert_eq!(late.outcome, Outcome::Bad(Bad::Timeout));
        ends(&sleep).await;
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_a_program_leaves_running_holds_up_no_answer_and_is_ended() {
        let sleep = format!("sleep 4{}", std::process::id());
        let (good, _) = visit(
            &format!("{sleep} & echo done"),
            json!({ "output_contains": "done" }),
            PATIENT,
        )
        .await;
        assert_eq!(good.outcome, Outcome::Good);
        ends(&sleep).await;
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_processor_time_of_a_program_is_counted() {
        let words = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
        let (good, time) = visit(words, json!({}), PATIENT).await;
        assert_eq!(good.outcome, Outcome::Good);
        let spent = time.so_far().used;
        // A hundred thousand rounds of a shell take no less anywhere.
        assert!(spent > 5_000, "{spent} µs");
        assert_eq!(time.so_far().used, spent, "once");
    }

    #[tokio::test]
    async fn a_program_that_cannot_be_started_is_the_prober_s_failure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        std::fs::write(&path, "#!/no/such/interpreter\n").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let probe = serde_json::from_value(json!({ "argv": [path] })).unwrap();
        let reach = Reach::from("127.0.0.1:80".parse::<std::net::SocketAddr>().unwrap());
        let client = CommandClient::new("ask", &probe, &reach).unwrap();
        let users = users();
        let book = Book {
            users: &users,
            seed: 1,
        };
        let visit = client.visit(&book, 0, PATIENT).await.unwrap();
        assert_eq!(visit.outcome, Outcome::Void(Void::Unsendable));
    }
}
