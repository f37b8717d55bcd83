//! Access to the operating system: the clocks of this machine, and files, read in bounded time and memory.
//!
//! This crate does not depend on webhooks or on the content of files.

#![warn(missing_debug_implementations)]

pub mod clock;
pub mod input;
