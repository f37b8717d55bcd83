//! An emulator of Interactly's workflow webhooks API, strict to the documented contract.
//!
//! It runs hookctl without an account, rehearses changes in CI, and injects faults in tests. It does not depend on other
//! hookctl crates, since an emulator with shared types would share their errors.
//!
//! # Guarantees
//! Requests outside the documented contract are refused with status 422 in the documented shape: an unknown field,
//! `null`, an empty PATCH, a token with `clear_bearer_token: true`, and so on. No token is written to disk. Several
//! processes may use one file.
//!
//! # Caveats
//! The emulator runs no workflows, so its only events are those that callers add or trigger. It delivers those that are
//! triggered if [`SandboxOptions::delivery`] says how.

#![warn(missing_debug_implementations)]

mod account;
mod contract;
mod delivery;
mod emulator;
mod fault;
mod options;
mod parameters;
mod request;
mod routes;
mod server;
mod store;
mod webhooks;

pub use contract::Webhook;
#[cfg(feature = "deliver")]
pub use delivery::HttpSender;
pub use delivery::{
    DeliveryOptions, Destinations, InvalidDestination, Outcome, Refusal, Sender, Sending, Shipment,
};
pub use emulator::{Emulator, Exchange, Reply};
pub use fault::{Fault, Hears, When};
pub use options::{Dialect, ListName, SandboxOptions, Storage};
pub use request::RecordedRequest;
pub use server::{Sandbox, SandboxError};
