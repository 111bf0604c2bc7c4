//! What people and machines read. Pure: from a history, what was measured and how it was judged, to text.
//!
//! A new report is one new file here.

mod json;
mod line;
mod suite;
mod terminal;
mod text;

pub use json::json;
pub use line::{Line, summary};
pub use suite::{summary_json, summary_markdown};
pub use terminal::terminal;
