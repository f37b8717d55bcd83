//! The record on an object store: runs without memory, several runs at once, and an object store that fails.

mod commands;
mod fleet;
mod kills;
mod lost_runner;
mod store_faults;
mod together;
