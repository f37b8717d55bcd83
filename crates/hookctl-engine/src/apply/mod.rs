//! Applying of plans: sends the requests in order, checks each response, and records the result.
//!
//! # Expected flow
//! Creates run first, then updates, then deletes, then dropped records. Actions of a group run concurrently. Each action
//! sends exactly the planned request, compares the response with the request, and is recorded before its result is
//! reported.
//!
//! More actions are in progress than may send, so that many intents and settlements are made durable together. An intent
//! is withdrawn if its request is held back by a failure or an interruption.
//!
//! # Guarantees
//! - A create is sent once. The next list shows the outcome of one without a response.
//! - Permission is checked right before each send, including retries. Nothing is sent after a cancellation, a refused API
//!   key, or a failure to write the record.
//! - A failure does not affect independent actions, with two exceptions. After a refused API key, or a failure to write
//!   the record, nothing new starts. After a failed create or update, nothing is deleted, since the failed action may
//!   replace the webhook to delete.
//! - Every planned action has a result.
//!
//! # Assumptions
//! The plan is based on the given observed state. The API client handles retries, time-outs, and rates. The journal
//! stores the record.
//!
//! # Caveats
//! If another writer creates a webhook of the same name and URL while the outcome of a create is unknown, the two cannot
//! be distinguished. If both exist, neither is bound.

mod confirm;
mod create_outcome;
mod earlier;
mod error;
mod executor;
mod hold;
mod list_refresher;
mod options;
mod pending;
mod progress;
mod step;
mod stop_gate;
mod write_gate;

pub use executor::{Seen, apply};
pub use hold::{Held, Settle, hold};
pub use options::{ApplyOptions, RunContext};
pub use pending::{Settled, UndecidedCreate, Unsettled, settle_pending};
pub use progress::{ApplyEvent, Listener, Silent};
