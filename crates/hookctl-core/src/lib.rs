//! The data of hookctl as plain types, and its decisions as pure functions.
//!
//! This crate contains webhooks, the three states, secrets and their fingerprints, the plan, the record and its port,
//! and the saved plan. Nothing here reads a file, a clock, or the network, and nothing waits. Crates with effects depend
//! on this crate, never the other way round.

#![warn(missing_debug_implementations)]

pub mod address;
pub mod api_url;
pub mod clock;
pub mod location;
pub mod outside;
pub mod path;
pub mod plan;
pub mod record;
pub mod saved;
pub mod secret;
pub mod state;
pub mod template;
pub mod webhook;
