//! A reverse proxy in front of a service that protects its users from a bad release.
//!
//! Takes requests of users and, on a separate admin listener, of the deployment pipeline. Passes users' requests to the
//! live release in one of two slots; the last working release stays warm in the other. Four layers protect the users,
//! and each can be switched off so that a drill shows what the next one does:
//!
//! 1. [`gate`]: the release's own checks, then the journeys on a copy of the production store;
//! 2. promotion ([`pipeline`]), which waits until the release is ready in its slot;
//! 3. [`proxy`], which repeats a failed request on the last working release;
//! 4. [`control`], which rolls back when the repeated requests show that the release is at fault.
//!
//! Every decision is an [`event`], stored by [`state`] and sent to people by [`alert`].

pub mod admin;
pub mod alert;
pub mod body;
pub mod config;
pub mod control;
mod durable_file;
mod duration;
pub mod event;
pub mod gate;
pub mod headers;
pub mod pipeline;
pub mod proxy;
pub mod state;
pub mod upstream;
pub mod watch;
