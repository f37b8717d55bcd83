//! The API, by meaning: reading the list and the three writes.
//!
//! This is the port that planning and applying stand on. How the API spells things, retries, time-outs,
//! and rate limits are the business of [`http`].

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
pub use observe::{Listing, ObserveError, observe, observe_absences};
pub use sending::{SendGate, Ungated, Withheld};

use std::future::Future;

use hookctl_core::secret::Secret;
use hookctl_core::state::{ObservedWebhook, UnreadableWebhook};
use hookctl_core::webhook::{Field, FieldValue, RemoteId, TokenChange, WebhookSpec};

/// How many webhooks are asked for per page: the API's documented default page size.
pub const PAGE_SIZE: u32 = 300;

/// The workflow webhooks of one account.
pub trait WebhookApi: Send + Sync {
    /// Reads one page of the list. Pages count from 1.
    ///
    /// # Errors
    /// [`ApiError`]; also for an answer that holds no list.
    fn page(&self, page: u32, size: u32) -> impl Future<Output = Result<Page, ApiError>> + Send;

    /// Makes a webhook. Never repeated after an unknown outcome. Returns `None` if the API confirmed without
    /// saying what it stores. `gate` hears of each send whose outcome is unknown.
    ///
    /// # Errors
    /// [`ApiError`]
    fn create(
        &self,
        spec: &WebhookSpec,
        token: Option<&Secret>,
        gate: &impl SendGate,
    ) -> impl Future<Output = Result<Option<ObservedWebhook>, ApiError>> + Send;

    /// Patches a webhook with exactly these fields. Returns `None` if the API confirmed without saying what it
    /// stores. `gate` hears of each send whose outcome is unknown, also if a later one is confirmed.
    ///
    /// # Errors
    /// [`ApiError`]; [`ApiError::Gone`] if there is no such webhook.
    fn patch(
        &self,
        id: &RemoteId,
        fields: &[(Field, FieldValue)],
        token: TokenChange<&Secret>,
        gate: &impl SendGate,
    ) -> impl Future<Output = Result<Option<ObservedWebhook>, ApiError>> + Send;

    /// Deletes a webhook. `gate` hears of each send whose outcome is unknown.
    ///
    /// # Errors
    /// [`ApiError`]; [`ApiError::Gone`] if the answer says that there is no such webhook.
    fn delete(
        &self,
        id: &RemoteId,
        gate: &impl SendGate,
    ) -> impl Future<Output = Result<DeleteAnswer, ApiError>> + Send;
}

/// What an answer to a DELETE is worth. Its body is not documented, so that a gateway's cannot always be told
/// from the API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteAnswer {
    /// It was done.
    Done,
    /// A success by its status, with a body that the API would hardly send: the list has to tell.
    Unclear,
}

/// One page of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The webhooks on it.
    pub webhooks: Vec<ObservedWebhook>,
    /// The webhooks on it that have a field outside the contract.
    pub unreadable: Vec<UnreadableWebhook>,
    /// How many there are in all, if the API says.
    pub total: Option<u64>,
    /// How many bytes the answer has.
    pub bytes: usize,
}
