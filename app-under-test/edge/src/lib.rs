//! The way into production: a reverse proxy that guards a release while it goes live.
//!
//! Faces users on one side and two slots on the other, in each of which the pipeline can start a release; the pipeline
//! talks to an admin listener of its own. Four layers, each of which can be switched off so that the next one is
//! proved: [`gate`] (the release's own checks, then the journeys on a copy of the production store), promotion with the
//! last working version kept warm, and [`proxy`], which compares the two on the users' own requests and lets
//! [`control`] switch back. Every decision is an [`event`] on disk; [`alert`] tells people.

pub mod admin;
pub mod alert;
pub mod body;
pub mod config;
pub mod control;
pub mod difference;
pub mod event;
pub mod excerpt;
mod form;
pub mod gate;
pub mod headers;
pub mod pipeline;
pub mod proxy;
pub mod reading;
pub mod redact;
pub mod serve;
pub mod state;
pub mod upstream;
pub mod watch;
