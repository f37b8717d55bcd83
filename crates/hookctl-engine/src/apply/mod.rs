//! From a plan to effects: the requests, in order, each answer checked and recorded.
//!
//! # Expected flow
//! Creates, then updates, then deletes, then records to drop; within each group side by side. Each
//! action sends exactly the request that the plan says, compares the answer with what was asked, and
//! is recorded before its result is reported.
//!
//! More actions are under way than may send, so that their intents and settlements are made durable many
//! at a time. What is intended and then held back, by a failure or an interruption, is withdrawn.
//!
//! # Guarantees
//! - A create is sent once. What becomes of one without an answer is for the next list to tell.
//! - Whether a request may leave is asked right before each send, retries included: nothing is sent after a
//!   cancellation, a refused API key, or a record that could not be written.
//! - Nothing that is independent of a failure is held back, with two exceptions: after a refused API
//!   key, or a record that could not be written, nothing new starts; and nothing is deleted after a
//!   create or an update failed, since the webhook to be deleted may be the one that it replaces.
//! - Every planned action has a result.
//!
//! # Assumptions
//! The plan was made from the observed state given. Retries, time-outs, and the rate are the API
//! client's business; the place where the record is kept is the journal's.
//!
//! # Caveats
//! A webhook that is made by hand with the same name and URL while a create of ours is undecided cannot be
//! told from ours; if there are two, neither is taken.

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
pub use options::ApplyOptions;
pub use pending::{Settled, UndecidedCreate, Unsettled, settle_pending};
pub use progress::{ApplyEvent, Listener, Silent};
