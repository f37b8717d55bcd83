//! What deliveries need from outside: a sender, the time, and chance.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::destination::Destinations;

/// A request to a receiver.
pub struct Shipment {
    /// The URL.
    pub url: String,
    /// The bearer token, if the webhook has one.
    pub token: Option<String>,
    /// The JSON body.
    pub body: Vec<u8>,
    /// The time within which the receiver must respond.
    pub timeout: Duration,
}

impl fmt::Debug for Shipment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Shipment")
            .field("url", &self.url)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver responded.
    Answered {
        /// The status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// No response came in time, or the connection failed.
    Unanswered {
        /// What failed.
        error: String,
    },
    /// Nothing was sent, and another attempt would not be sent either.
    NotSent {
        /// Why.
        error: String,
    },
}

/// The outcome of an attempt, later.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// Sends one request to a receiver.
pub trait Sender: Send + Sync {
    /// Sends the request, and waits for the response.
    fn send<'a>(&'a self, shipment: &'a Shipment) -> Sending<'a>;
}

/// How an emulator delivers events.
#[derive(Clone)]
pub struct DeliveryOptions {
    /// The network, or a replacement.
    pub sender: Arc<dyn Sender>,
    /// Where the emulator may send to.
    pub destinations: Destinations,
    /// The base of the back-off, in place of the one of each webhook.
    pub retry_delay: Option<Duration>,
    /// Whether deliveries that an earlier process left pending are continued.
    pub resumes: bool,
    /// Returns the time.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Returns a number from 0 to 1, for the jitter of the back-off.
    pub chance: Arc<dyn Fn() -> f64 + Send + Sync>,
}

impl fmt::Debug for DeliveryOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DeliveryOptions")
            .field("destinations", &self.destinations)
            .field("retry_delay", &self.retry_delay)
            .field("resumes", &self.resumes)
            .finish_non_exhaustive()
    }
}
