//! What Firedrill rehearses, and what a drill records. Plain data: no clock, no network, no runtime.
//!
//! * [`scenario`] turns scenario, system and project files into a checked plan, or into every problem of them, each with
//!   its place and advice.
//! * [`history`] is what a drill writes. Judging, the budget and the reports read nothing else; its types are apart from
//!   those of the files, so that a stored history can be read for good.
//! * [`check`] names what a drill is judged by; [`units`] and [`sample`] are the quantities that both sides share.
//!
//! The crate knows no fault: the crate that injects them passes a [`Catalogue`](scenario::Catalogue).
//!
//! ```
//! use firedrill_model::scenario::{Catalogue, load};
//!
//! # let folder = std::env::temp_dir().join(format!("firedrill-model-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! std::fs::write(folder.join("shop.toml"), r#"
//!     summary = "a shop"
//!     [service.shop]
//!     build = { command = ["shop"] }
//!     port = 8000
//!     [[journey]]
//!     name = "order"
//!     rate = "20/s"
//!     request = { method = "POST", path = "/orders" }
//!     answer = { status = 201 }
//! "#)?;
//! std::fs::write(folder.join("calm.toml"), r#"
//!     summary = "nothing happens"
//!     system = "shop.toml"
//!     [expect.journeys]
//!     ordr = "never down"
//! "#)?;
//!
//! let no_faults = Catalogue::<()>::empty();
//! let problems = load(&folder.join("calm.toml"), &no_faults).unwrap_err();
//! let row = &problems.rows()[0];
//! assert_eq!((row.line, row.message.as_str()), (Some(5), "unknown journey `ordr`"));
//! assert_eq!(row.help.as_deref(), Some("did you mean `order`?"));
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), std::io::Error>(())
//! ```

pub mod check;
pub mod files;
pub mod format;
pub mod history;
pub mod json_lines;
pub mod sample;
pub mod scenario;
pub mod table;
pub mod units;
