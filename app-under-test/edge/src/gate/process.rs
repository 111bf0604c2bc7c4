//! Child processes of the gates: their arguments, their environment, their last words.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

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
    Some(command)
}

/// The end of what a child has said.
pub(super) fn last_words(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_WORDS)..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect()
}

/// As [`last_words`], of a file.
pub(super) fn last_words_in(path: &Path) -> Vec<String> {
    std::fs::read(path)
        .map(|output| last_words(&output))
        .unwrap_or_default()
}
