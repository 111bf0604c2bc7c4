//! Runs a drill: starts a system on a [`backend`], injects [`fault`]s, has the prober watch it as its users
//! would, and records what happened ([`drill`]). Takes a checked [`Plan`], gives a run folder with a history. The parts work
//! alone too:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use firedrill_model::scenario::{ResourceLimits, Restart};
//! use firedrill_runner::backend::{self, Kind, Source, Spec};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let run = backend::new_run_id("example", 1);
//! let processes = backend::open(Kind::Process, &run, folder.path()).await?;
//! processes
//!     .create(Spec {
//!         name: "app".into(),
//!         source: Source::Command {
//!             argv: vec!["sleep".into(), "60".into()],
//!             folder: folder.path().into(),
//!         },
//!         args: Vec::new(),
//!         env: BTreeMap::new(),
//!         release: "v1".into(),
//!         user: None,
//!         port: Some(8000),
//!         ports: BTreeMap::new(),
//!         tls: None,
//!         volumes: BTreeMap::new(),
//!         shares: BTreeMap::new(),
//!         restart: Restart::No,
//!         limits: ResourceLimits::default(),
//!     })
//!     .await?;
//! processes.start("app").await?;
//! processes.kill("app").await?;
//! assert_eq!(processes.state("app").await?.to_string(), "ended by signal 9");
//! processes.clean().await.map_err(|mut left| left.remove(0))?;
//! # Ok(())
//! # }
//! ```

pub mod backend;
pub mod drill;
mod endpoint;
pub mod fault;

/// A checked scenario with its faults parsed: what a drill runs.
pub type Plan = firedrill_model::scenario::Plan<std::sync::Arc<dyn fault::Fault>>;
