//! An emulator of Interactly's workflow webhooks API, strict to the documented contract.
//!
//! It lets the main job run on a fresh machine without an account, lets a repository's own CI rehearse
//! a change, and is the server that the tests put faults into. It imports nothing of this crate: an
//! emulator that shared our types would share our misreadings.
//!
//! # Guarantees
//! Whatever is outside the documented contract is refused with status 422 in the documented shape: an
//! unknown field, `null`, an empty PATCH, a token beside `clear_bearer_token: true`, and so on. No token
//! is written to disk.
//!
//! # Caveats
//! There is no workflow engine in it, so events come only from whoever seeds them.

mod account;
mod contract;
mod emulator;
mod fault;
mod options;
mod parameters;
mod request;
mod routes;
mod server;
mod store;

pub use contract::Webhook;
pub use emulator::{Emulator, Exchange, Reply};
pub use fault::{Fault, Hears, When};
pub use options::{Dialect, ListName, SandboxOptions, Storage};
pub use request::RecordedRequest;
pub use server::{Sandbox, SandboxError};
