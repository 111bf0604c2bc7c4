//! Faults of what a service stores: damaged files, permissions, space.

mod access_time;
mod backup;
mod permissions;
mod place;
mod stored;

pub(in crate::fault) mod delete;
pub(in crate::fault) mod empty;
pub(in crate::fault) mod fill_disk;
pub(in crate::fault) mod flip_bit;
pub(in crate::fault) mod garbage;
pub(in crate::fault) mod read_only;
pub(in crate::fault) mod tear_write;
pub(in crate::fault) mod truncate;
pub(in crate::fault) mod unreadable;
pub(in crate::fault) mod wrong_shape;
