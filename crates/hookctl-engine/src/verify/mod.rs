//! Proof of delivery: whether a change works, by the deliveries after it.
//!
//! # Expected flow
//! After an apply, [`verify`] asks the API for the events of each changed webhook. Each poll sends at most one request for
//! each webhook without a verdict, and the pauses between polls grow ([`Schedule`]). A pure function ([`judge`]) decides
//! from what was read.
//!
//! # Verdicts
//!
//! | verdict | evidence |
//! | --- | --- |
//! | proven | an event after the change was delivered, and a successful attempt went to the declared address |
//! | rejected | the receiver responded 401 or 403 at the declared address |
//! | failing | another failure at the declared address: final, or the time is up |
//! | no traffic | no event within 60 s of the change, or until the time is up |
//! | pending | there are events, but none is decided, or none went to the declared address |
//! | disabled | the webhook is disabled, so nothing is delivered, and nothing is read |
//!
//! The newest event that is delivered or failed decides. The event of a requested redelivery counts by the attempts after
//! the request.
//!
//! # Guarantees
//! - No verdict relies on an event before the change, on another webhook's event, or on an attempt to another address.
//! - A redelivery is requested at most once, and never repeated.
//!
//! # Assumptions
//! The moments of the change and of the events come from the clock of the API. Where the record has only this machine's
//! time, the difference of the clocks is added once a response tells it.

mod change;
mod evidence;
mod inquiry;
mod rollback;
mod run;
mod schedule;
#[cfg(test)]
mod tests;
mod verdict;

pub use change::{Change, Since, last_changes};
pub use evidence::{Evidence, ReadAttempts, Redelivery};
pub use inquiry::{Inquiry, Question};
pub use rollback::{NoRollback, Rollback, roll_back};
pub use run::{Verification, Verified, VerifyEvent, VerifyOptions, verify};
pub use schedule::Schedule;
pub use verdict::{Failure, Judgement, Moment, QUIET, Verdict, judge};
