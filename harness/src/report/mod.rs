//! What people and machines read. Pure: from a history, what was measured and how it was judged, to text.
//!
//! A new report is one new file here.

mod budget;
mod compare;
mod json;
mod line;
mod projection;
mod suite;
mod terminal;
mod text;

pub use budget::{budget, budget_markdown};
pub use compare::{comparison, comparison_markdown};
pub use json::json;
pub use line::{Line, summary};
pub use projection::{projection, projection_markdown};
pub use suite::{summary_json, summary_markdown};
pub use terminal::terminal;
