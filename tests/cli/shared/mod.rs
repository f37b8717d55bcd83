//! The record on an object store: runs without memory, several runs at once, and an object store that fails.

#![expect(
    clippy::disallowed_methods,
    reason = "the environment names emulators and the number of rounds"
)]

#[cfg(unix)]
mod chaos;
mod commands;
mod fleet;
mod keys;
mod kills;
#[cfg(unix)]
mod link;
mod lost_runner;
mod migrate;
#[cfg(unix)]
mod repair;
mod replicas;
mod store_faults;
mod together;
mod trim;

pub(crate) use fleet::repository_on_store;
