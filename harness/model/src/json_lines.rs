//! JSON Lines: one JSON object per line, appended.

use std::io::{self, Write};

use serde::Serialize;

/// Appends a value as one line, in one write: a killed process then leaves whole lines, except perhaps the last.
///
/// ```
/// let mut log = Vec::new();
/// firedrill_model::json_lines::append(&mut log, &serde_json::json!({ "step": 1 }))?;
/// assert_eq!(log, b"{\"step\":1}\n");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// When the value does not serialize, or the writer fails.
pub fn append(writer: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    // One write for the line and its end, so that no line of another writer comes between.
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    writer.write_all(&line)
}
