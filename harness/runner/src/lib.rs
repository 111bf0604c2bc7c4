//! Runs a drill: starts a system on a [`backend`], injects [`fault`]s, has the prober watch it as its users would, and
//! records what happened ([`drill`]).

pub mod backend;
pub mod drill;
pub mod fault;

/// A checked scenario with its faults parsed: what a drill runs.
pub type Plan = firedrill_model::scenario::Plan<std::sync::Arc<dyn fault::Fault>>;
