//! What people and machines read. Pure: from a history, what was measured and how it was judged, to text.
//!
//! A [`DrillReport`] is one drill as every report tells it, a [`DrillOutcome`] one that was run or not; a report is a function from
//! them to text. A new report is one new file here.

mod advice;
mod annotations;
mod budget;
mod compare;
mod drill;
mod html;
mod incident;
mod json;
mod junit;
mod markdown;
mod outcome;
mod projection;
mod snapshot;
mod suite;
mod summary;
mod terminal;
mod text;
mod timeline;
mod words;

pub use annotations::github;
pub use budget::{budget, budget_markdown};
pub use compare::{comparison, comparison_markdown};
pub use drill::DrillReport;
pub use html::html;
pub use incident::incident;
pub use json::{json, schema};
pub use junit::junit;
pub use markdown::{LONGEST as MARKDOWN_LONGEST, markdown};
pub use outcome::DrillOutcome;
pub use projection::{projection, projection_markdown};
pub use snapshot::snapshot;
pub use suite::{summary_json, summary_markdown};
pub use summary::{DrillSummary, costliest, summary};
pub use terminal::terminal;
