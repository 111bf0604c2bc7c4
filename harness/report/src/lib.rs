//! What people and machines read of a drill: terminal, page, Markdown, JUnit, annotations, JSON, snapshots, post-mortems,
//! and the texts about budgets, projections and comparisons.
//!
//! Takes histories with their measurement and judgement, gives text. Pure: no clock, no files, no runtime. The caller
//! reads and prints. A [`DrillReport`] is everything that a report shows of one drill, a [`DrillOutcome`] a drill that
//! was judged, skipped or not run, a [`DrillSummary`] its line in a suite; a report is a function from these to text, and
//! a new report is one new file here.
//!
//! ```
//! use std::path::Path;
//! use firedrill_judge::{judge, measure};
//! use firedrill_model::history;
//! use firedrill_report::{DrillReport, terminal};
//!
//! # let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firedrill/tests/fixtures/histories/format-1/wrong-json-loader");
//! let history = history::read(&run)?;
//! let measured = measure::measure(&history);
//! let judgement = judge(&history, &measured);
//! let report = DrillReport::new(&history, measured, judgement, Vec::new());
//!
//! let text = terminal(&report, 100, false);
//! assert!(text.contains("BREACHED (as expected: negative control)"));
//! assert!(text.contains("153 % of the yearly budget (15 min), priced at 23 min for manual recovery"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod advice;
mod annotations;
mod budget;
mod compare;
mod drill;
mod format;
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
mod surplus;
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
pub use text::in_words;
