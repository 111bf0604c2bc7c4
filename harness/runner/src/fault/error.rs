//! How a fault fails.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::receiver::Reaction;
use crate::backend::State;
use firedrill_model::files::Special;
use firedrill_model::format::{self, span};
use firedrill_model::scenario::{LARGEST_FILLED, template};
use firedrill_model::units::Size;
use firedrill_probe::NoAnswer;

/// A fault's failure: what was tried, on what, and the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The backend failed.
    #[error(transparent)]
    Backend(#[from] crate::backend::Error),
    /// The proxy on a link failed.
    #[error(transparent)]
    Proxy(#[from] firedrill_proxy::Error),
    /// A file operation failed.
    #[error("{operation} {}: {source}", path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The fault was asked for, and its effect is not there.
    #[error("not in effect: {0}")]
    NotInEffect(#[from] NotInEffect),
    /// An action of a deploy could not be carried out.
    #[error("not in effect: {0}")]
    Action(#[from] ActionError),
    /// The fault has no revert.
    #[error("{0} cannot be reverted")]
    NoRevert(&'static str),
}

/// Why an action of a deploy could not be carried out. A refusal is an answer, and none of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActionError {
    /// A text has a placeholder that nothing fills.
    #[error("`{text}`: {source}")]
    Template {
        /// The text.
        text: String,
        /// What is wrong with it.
        source: template::TemplateError,
    },
    /// A request's method is none.
    #[error("`{method}` is not an HTTP method")]
    Method {
        /// The method, as the system file has it.
        method: String,
        /// What is wrong with it.
        source: http::method::InvalidMethod,
    },
    /// A request was not answered.
    #[error("{method} {path}: {source}")]
    Request {
        /// Its method.
        method: String,
        /// Its path, as the system file has it.
        path: String,
        /// The cause.
        source: NoAnswer,
    },
    /// A command is an empty list.
    #[error("the deploy command is empty")]
    EmptyCommand,
    /// A command could not be run.
    #[error("cannot run {program}: {source}")]
    Command {
        /// The program.
        program: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A command did not end in time.
    #[error("{program} did not end within {}; end of its output: {output}", format::span(*within))]
    TimedOut {
        /// The program.
        program: String,
        /// How long it had.
        within: Duration,
        /// The end of its output.
        output: String,
    },
    /// A command ended in a way that is neither success nor a declared refusal.
    #[error("{program}: {status}, and `refused` does not list it; end of its output: {output}")]
    Ended {
        /// The program.
        program: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The end of its output.
        output: String,
    },
    /// A request was answered with a status that is neither success nor a declared refusal.
    #[error("{method} {path} answered {status}, and `refused` does not list it: {body}")]
    Answered {
        /// Its method.
        method: String,
        /// Its path, as the system file has it.
        path: String,
        /// The status.
        status: u16,
        /// The beginning of the answer.
        body: String,
    },
    /// The log of the deploy cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// An action failed after others had been carried out.
    #[error("{source}; before that: {done}")]
    After {
        /// What was carried out, in words.
        done: String,
        /// The failure.
        source: Box<ActionError>,
    },
}

/// Why a fault is not in effect: what was expected and what was seen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotInEffect {
    /// A service had ended before the fault.
    #[error("{service} had already ended: {state}")]
    AlreadyEnded {
        /// The service.
        service: String,
        /// Its state.
        state: State,
    },
    /// A service did not reach a state in time.
    #[error("{service}: expected {expected} within {}, last seen {seen}", span(*within))]
    StateNotReached {
        /// The service.
        service: String,
        /// The state that was waited for, in words.
        expected: &'static str,
        /// For how long.
        within: Duration,
        /// The state that was seen last, in words.
        seen: String,
    },
    /// The port of a service is held by processes that are none of its own.
    #[error("the port of {service} still accepts connections{}", by(holders))]
    PortHeld {
        /// The service.
        service: String,
        /// Who holds it, as far as that can be seen.
        holders: Vec<String>,
    },
    /// A service has no restart policy.
    #[error("{service} is not restarted when it ends; set restart = \"always\" in the system file")]
    NoRestartPolicy {
        /// The service.
        service: String,
    },
    /// A service did not get another process.
    #[error("{service}: still {seen} after the restart; expected another process")]
    SameProcess {
        /// The service.
        service: String,
        /// The state, with the process's identity.
        seen: State,
    },
    /// A service was replaced and answers as another release.
    #[error("{service} answers as {seen}, not as {release}")]
    OtherRelease {
        /// The service.
        service: String,
        /// The release that was deployed.
        release: String,
        /// The release that its answer names.
        seen: String,
    },
    /// No service uses `{alerts}`, so no alert can be hit.
    #[error("no service uses {{alerts}}, so there is no alert receiver")]
    NoAlertReceiver,
    /// The alert receiver could not be asked.
    #[error("cannot ask the alert receiver: {0}")]
    ReceiverUnreachable(#[source] NoAnswer),
    /// The alert receiver behaves as it did before.
    #[error("the alert receiver {seen}, as before the fault")]
    ReceiverUnchanged {
        /// What it did.
        seen: Reaction,
    },
    /// A path leads out of the volume.
    #[error("{} is outside the volume", file.display())]
    OutsideVolume {
        /// The file, as the scenario names it.
        file: PathBuf,
    },
    /// A path leads through a symbolic link, which may mean another place here than in a container.
    #[error("{} leads through a symbolic link, which is not followed", file.display())]
    ThroughLink {
        /// The file, as the scenario names it.
        file: PathBuf,
    },
    /// Something else than a file is in its place.
    #[error("{} is {special}, not a regular file", file.display())]
    NotRegular {
        /// The file, as the scenario names it.
        file: PathBuf,
        /// What it is.
        special: Special,
    },
    /// A file already has the content that the fault would give it.
    #[error("{file} already has that content ({})", Size(*bytes))]
    AlreadyDamaged {
        /// The file, in words.
        file: String,
        /// Its length.
        bytes: u64,
    },
    /// A service has repaired a file each time it was damaged.
    #[error("{file} was written again after each of {attempts} attempts to damage it")]
    WrittenAgain {
        /// The file, in words.
        file: String,
        /// How often it was damaged.
        attempts: usize,
    },
    /// A file is not there.
    #[error("{file} does not exist")]
    NoSuchFile {
        /// The file, in words.
        file: String,
    },
    /// Permissions were taken and are still there.
    #[error("{} is still writable", folder.display())]
    StillWritable {
        /// The folder.
        folder: PathBuf,
    },
    /// A volume has no size of its own, so filling it would fill the host's disk.
    #[error(
        "{service}'s volume {volume} has no limited size of at most {LARGEST_FILLED}; \
         set limits = {{ volume = {{ {volume} = \"4MiB\" }} }} in the system file"
    )]
    UnlimitedVolume {
        /// The service.
        service: String,
        /// Its volume.
        volume: String,
    },
    /// A volume had less free space than the fault would leave.
    #[error("only {} was free, and `leave` is {leave}", Size(*free))]
    AlreadyFull {
        /// Free bytes before the fault.
        free: u64,
        /// What the fault leaves free.
        leave: Size,
    },
    /// A volume still has free space.
    #[error("{} is still free, and `leave` is {leave}", Size(*free))]
    StillFree {
        /// Free bytes after the fault.
        free: u64,
        /// What the fault leaves free.
        leave: Size,
    },
    /// A limit was asked for and another one is in force.
    #[error("{service}: the engine or kernel does not enforce the limit")]
    LimitIgnored {
        /// The service.
        service: String,
    },
}

/// Who holds a port, for the end of a sentence.
fn by(holders: &[String]) -> String {
    if holders.is_empty() {
        return String::new();
    }
    format!("; it is held by {}", format::list(holders.iter().cloned()))
}

/// Names a failed file operation.
pub(super) fn failed(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File {
        operation,
        path,
        source,
    }
}
