//! Child processes of the gates: their arguments, their environment, and the end of their output.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use firedrill_logs::redact::{Secret, redacted};

/// Lines of a child's output that become evidence.
const MAX_LINES: usize = 12;

/// Placeholders and their values, for `{name}` in texts.
pub(super) type Values<'a> = [(&'a str, &'a str)];

/// Replaces every `{name}` in a text.
pub(super) fn replace_placeholders(text: &str, values: &Values<'_>) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

/// A command whose process is killed when it is dropped or when the edge ends. Of the edge's environment it inherits only
/// `PATH` and `TMPDIR`: a candidate must not see the edge's secrets. `None` when `argv` is empty.
pub(super) fn command(
    argv: &[String],
    env: &BTreeMap<String, String>,
    values: &Values<'_>,
) -> Option<Command> {
    let (program, arguments) = argv.split_first()?;
    let mut command = Command::new(replace_placeholders(program, values));
    command
        .args(arguments.iter().map(|text| replace_placeholders(text, values)))
        .env_clear();
    // Nothing else of the edge's environment: it holds tokens that a candidate must not see.
    for name in ["PATH", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .envs(
            env.iter()
                .map(|(name, text)| (name, replace_placeholders(text, values))),
        )
        .stdin(Stdio::null())
        .kill_on_drop(true);
    kill_with_the_edge(&mut command);
    Some(command)
}

/// On Linux the kernel kills the child when the thread that started it ends. That thread is a worker of the runtime, which
/// lives as long as the edge: so the child never outlives the edge, not even after SIGKILL.
fn kill_with_the_edge(command: &mut Command) {
    #[cfg(target_os = "linux")]
    #[expect(
        unsafe_code,
        reason = "runs between fork and exec, and makes only plain system calls"
    )]
    unsafe {
        let edge = std::process::id();
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
            // If the edge was killed before the line above, the child has another parent and no signal will come.
            let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
            if parent == Some(edge) {
                Ok(())
            } else {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
        });
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}

/// The last lines of a child's output, without secrets, because evidence is stored, logged and sent to people.
pub(super) fn last_lines(output: &[u8], secrets: &[Secret]) -> Vec<String> {
    // Before the lines are chosen: a secret may span several of them.
    let text = redacted(&String::from_utf8_lossy(output), secrets);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(MAX_LINES)..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect()
}

/// The same as [`last_lines`], of a file.
pub(super) fn last_lines_in(path: &Path, secrets: &[Secret]) -> Vec<String> {
    std::fs::read(path)
        .map(|output| last_lines(&output, secrets))
        .unwrap_or_default()
}
