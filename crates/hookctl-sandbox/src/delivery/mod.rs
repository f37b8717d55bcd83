//! Deliveries: what the emulator sends to receivers.
//!
//! What to send, to whom, and when to try again are pure decisions over plain data. The effects are behind [`Sender`] and
//! [`DeliveryOptions`]: the network, the time, and chance.

mod courier;
mod destination;
#[cfg(feature = "deliver")]
mod http;
mod options;
mod payload;
mod row;
mod schedule;
mod trigger;

pub use destination::{Destinations, InvalidDestination, Refusal};
#[cfg(feature = "deliver")]
pub use http::HttpSender;
pub use options::{DeliveryOptions, Outcome, Sender, Sending, Shipment};

pub(super) use courier::{launch, resume};
pub(super) use trigger::{PATH, trigger};
