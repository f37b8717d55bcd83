//! What hookctl knows, as plain data, and what it decides, as pure functions.
//!
//! The nouns of a webhook, the three states, secrets and the trace that is kept of them, the plan, the record and the
//! port through which it is kept, and the saved plan. Nothing here reads a file, a clock, or the network, and nothing
//! waits: what has an effect depends on this crate, and never the other way round.

pub mod address;
pub mod api_url;
pub mod clock;
pub mod location;
pub mod outside;
pub mod plan;
pub mod record;
pub mod saved;
pub mod secret;
pub mod state;
pub mod template;
pub mod webhook;
