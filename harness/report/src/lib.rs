//! What people and machines read. Pure: from a history, what was measured and how it was judged, to text.
//!
//! A [`Story`] is one drill as every report tells it, a [`Drill`] one that was run or not; a report is a function from
//! them to text. A new report is one new file here.

mod advice;
mod annotations;
mod budget;
mod compare;
mod entry;
mod excerpt;
mod html;
mod incident;
mod json;
mod junit;
mod line;
mod markdown;
mod marks;
mod projection;
mod snapshot;
mod story;
mod suite;
mod terminal;
mod text;
mod words;

pub use annotations::github;
pub use budget::{budget, budget_markdown};
pub use compare::{comparison, comparison_markdown};
pub use entry::Drill;
pub use excerpt::{Entry, Excerpt, Filter};
pub use html::html;
pub use incident::incident;
pub use json::{json, schema};
pub use junit::junit;
pub use line::{Line, costliest, summary};
pub use markdown::{LONGEST as MARKDOWN_LONGEST, markdown};
pub use projection::{projection, projection_markdown};
pub use snapshot::snapshot;
pub use story::Story;
pub use suite::{summary_json, summary_markdown};
pub use terminal::terminal;
