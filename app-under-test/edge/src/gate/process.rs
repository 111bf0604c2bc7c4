//! Child processes of the gates: their arguments, their environment, their last words.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::redact::{Secret, redacted};

/// Lines of a child's output that are kept as evidence.
const LAST_WORDS: usize = 12;

/// Names to values, for `{name}` in texts.
pub(super) type Values<'a> = [(&'a str, &'a str)];

/// A text with every `{name}` replaced.
pub(super) fn fill(text: &str, values: &Values<'_>) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

/// A command that ends with this one. Of the edge's own environment it gets where programs and temporary folders are.
pub(super) fn command(
    argv: &[String],
    env: &BTreeMap<String, String>,
    values: &Values<'_>,
) -> Option<Command> {
    let (program, arguments) = argv.split_first()?;
    let mut command = Command::new(fill(program, values));
    command
        .args(arguments.iter().map(|text| fill(text, values)))
        .env_clear();
    for name in ["PATH", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .envs(env.iter().map(|(name, text)| (name, fill(text, values))))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    die_with_the_edge(&mut command);
    Some(command)
}

/// On Linux the kernel kills the child when the thread that started it ends, which is a worker of the runtime: with the
/// edge, however that ends.
fn die_with_the_edge(command: &mut Command) {
    #[cfg(target_os = "linux")]
    #[expect(
        unsafe_code,
        reason = "between fork and exec; what is called there are plain system calls"
    )]
    unsafe {
        let edge = std::process::id();
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
            // An edge that was killed before that has another process for its heir.
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

/// The end of what a child has said, without secrets: it becomes evidence, which is stored, logged and told.
pub(super) fn last_words(output: &[u8], secrets: &[Secret]) -> Vec<String> {
    let text = redacted(&String::from_utf8_lossy(output), secrets);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_WORDS)..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect()
}

/// As [`last_words`], of a file.
pub(super) fn last_words_in(path: &Path, secrets: &[Secret]) -> Vec<String> {
    std::fs::read(path)
        .map(|output| last_words(&output, secrets))
        .unwrap_or_default()
}
