//! The API over HTTP: [`HttpApi`] is the [`WebhookApi`](super::WebhookApi) that goes over the wire.
//!
//! It owns how the API spells things, the one budget of retries, the time-outs, and the rate. It knows
//! nothing of plans and records.

mod answer;
mod body;
mod client;
mod deliveries;
mod options;
mod proxy;
mod retry;
mod row;
mod throttle;
mod transport;
mod wire;
mod wire_error;

pub use body::RequestBody;
pub use client::HttpApi;
pub use options::{ClientError, HttpOptions, ProxyUse, RequestStats};
pub use proxy::check_proxy;
pub use retry::RetryPolicy;
pub use transport::{Answer, Network, NoAnswer, Outgoing, Transport, Verb};

/// Reads a page of the list, for the fuzz target.
#[doc(hidden)]
pub fn fuzz_page(bytes: &[u8]) {
    let redactor = answer::Redactor::new([]);
    let _ = wire::page(bytes, &redactor);
    let _ = row::written(bytes, &redactor);
    let _ = wire::deleted(bytes);
}
