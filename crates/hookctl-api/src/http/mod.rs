//! The API over HTTP: [`HttpApi`] implements [`WebhookApi`](super::WebhookApi).
//!
//! This module contains the JSON of the API, retries, time-outs, and rate limits. It does not depend on plans or records.

mod answer;
mod apart;
mod body;
mod client;
mod deliveries;
mod options;
mod permitted_body;
mod proxy;
mod refusal;
mod retry;
mod row;
mod tally;
mod throttle;
mod transport;
mod unread;
mod wire;
mod wire_error;

pub use body::RequestBody;
pub use client::HttpApi;
pub use options::{ClientError, HttpEvent, HttpOptions, OnHttpEvent, ProxyUse, RequestStats};
pub use proxy::check_proxy;
pub use retry::RetryPolicy;
pub use transport::{Answer, Fate, Network, NoAnswer, Outgoing, Transport, Verb};
pub use unread::UnreadList;

/// Reads a page of the list, for the fuzz target.
#[doc(hidden)]
pub fn fuzz_page(bytes: &[u8]) {
    let redactor = answer::Redactor::new([]);
    let _ = wire::page(bytes, &redactor);
    let _ = row::written(bytes, &redactor);
    let _ = wire::deleted(bytes);
}
