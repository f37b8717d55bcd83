//! The operations of the API: reading the list, and the three writes.
//!
//! Planning and applying use this port. The JSON of the API, retries, time-outs, and rate limits are in [`http`].

#![warn(missing_debug_implementations)]

mod body;
mod deliveries;
mod error;
#[cfg(feature = "http")]
pub mod http;
mod observe;
mod sending;

pub use body::WriteBody;
pub use deliveries::{Attempt, DeliveryApi, Event, EventQuery, Rows, read_events};
pub use error::{ApiError, FieldError};
pub use observe::{Listing, ObserveError, observe, observe_absences, observe_expected};
pub use sending::{SendGate, Ungated, Withheld};

use std::future::Future;

use jiff::SignedDuration;

use hookctl_core::secret::Secret;
use hookctl_core::state::{ObservedWebhook, UnreadableWebhook};
use hookctl_core::webhook::{Field, FieldValue, RemoteId, TokenChange, WebhookSpec};

/// The number of webhooks per page: the documented default of the API.
pub const PAGE_SIZE: u32 = 300;

/// The workflow webhooks of one account.
pub trait WebhookApi: Send + Sync {
    /// Reads one page of the list. Pages count from 1.
    ///
    /// # Errors
    /// Returns [`ApiError`], including for a response without a list.
    fn page(&self, page: u32, size: u32) -> impl Future<Output = Result<Page, ApiError>> + Send;

    /// Creates a webhook. Never retried after an unknown outcome. Returns `None` if the API confirmed the create without
    /// returning the webhook. Each send with an unknown outcome is reported to `gate`.
    ///
    /// # Errors
    /// Returns [`ApiError`].
    fn create(
        &self,
        spec: &WebhookSpec,
        token: Option<&Secret>,
        gate: &impl SendGate,
    ) -> impl Future<Output = Result<Option<ObservedWebhook>, ApiError>> + Send;

    /// Patches exactly these fields of a webhook. Returns `None` if the API confirmed the patch without returning the
    /// webhook. Each send with an unknown outcome is reported to `gate`, even if a retry is confirmed.
    ///
    /// # Errors
    /// Returns [`ApiError`], and [`ApiError::Gone`] if the webhook does not exist.
    fn patch(
        &self,
        id: &RemoteId,
        fields: &[(Field, FieldValue)],
        token: TokenChange<&Secret>,
        gate: &impl SendGate,
    ) -> impl Future<Output = Result<Option<ObservedWebhook>, ApiError>> + Send;

    /// Deletes a webhook. Each send with an unknown outcome is reported to `gate`.
    ///
    /// # Errors
    /// Returns [`ApiError`], and [`ApiError::Gone`] if the webhook does not exist.
    fn delete(
        &self,
        id: &RemoteId,
        gate: &impl SendGate,
    ) -> impl Future<Output = Result<DeleteAnswer, ApiError>> + Send;

    /// Returns how far the clock of the API is ahead of this machine's. Returns `None` if the API has not reported its time.
    fn clock_difference(&self) -> Option<SignedDuration> {
        None
    }
}

/// The result of a DELETE. The body of the response is not documented, so a response of a gateway may look like one of
/// the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteAnswer {
    /// The API deleted the webhook.
    Done,
    /// The status is a success, but the body is unlikely to be the API's. Only the list shows the outcome.
    Unclear,
}

/// One page of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The readable webhooks.
    pub webhooks: Vec<ObservedWebhook>,
    /// The webhooks with a field outside the contract.
    pub unreadable: Vec<UnreadableWebhook>,
    /// The total number of webhooks, if the API returns it.
    pub total: Option<u64>,
    /// The size of the response in bytes.
    pub bytes: usize,
}
