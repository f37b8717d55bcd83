//! Deliveries of events and their attempts.
//!
//! Payloads and receivers' responses are never read, since they may contain personal data.

use std::future::Future;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::ApiError;
use hookctl_core::webhook::RemoteId;

/// An event for a webhook, and the state of its delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The id of the event, which identifies its attempts.
    pub event_id: String,
    /// The id of its document, which identifies it in a retry.
    #[serde(rename(deserialize = "_id"), default)]
    pub document_id: Option<String>,
    /// The id of the webhook.
    #[serde(rename(deserialize = "subscription_id"))]
    pub webhook: String,
    /// The workflow action, such as `workflow_created`.
    #[serde(default)]
    pub action: String,
    /// `pending`, `retrying`, `delivered`, or `failed`.
    #[serde(default)]
    pub status: String,
    /// The number of delivery attempts.
    #[serde(rename(deserialize = "attempts_count"), default)]
    pub attempts: Option<u64>,
    /// The time of the event, in RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
    /// The time of the last attempt, in RFC 3339.
    #[serde(default)]
    pub last_attempt_at: Option<String>,
    /// The time of the delivery, in RFC 3339.
    #[serde(default)]
    pub delivered_at: Option<String>,
    /// The time of the next attempt, in RFC 3339.
    #[serde(default)]
    pub next_retry_at: Option<String>,
    /// The HTTP status of the receiver's last response.
    #[serde(default)]
    pub last_status_code: Option<i64>,
    /// The API's description of the last failure. Untrusted text.
    #[serde(default)]
    pub last_error: Option<String>,
    /// The name of the workflow. Untrusted text.
    #[serde(default)]
    pub workflow_name: Option<String>,
}

/// An attempt to deliver an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The id of the event.
    pub event_id: String,
    /// The number of the attempt, from 1.
    pub attempt_number: u64,
    /// The address that the attempt went to. It may contain secrets, so no document shows it.
    #[serde(default, skip_serializing)]
    pub request_url: Option<String>,
    /// The time of the attempt, in RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
    /// Whether the receiver accepted the event.
    #[serde(default)]
    pub success: bool,
    /// The HTTP status of the receiver's response.
    #[serde(default)]
    pub response_status_code: Option<i64>,
    /// The latency of the receiver, in milliseconds.
    #[serde(default)]
    pub latency_ms: Option<i64>,
    /// The API's description of the failure. Untrusted text.
    #[serde(default)]
    pub error_message: Option<String>,
}

/// The filters of a query for events. `None` matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Events of this webhook.
    pub webhook: Option<RemoteId>,
    /// Events in this status.
    pub status: Option<String>,
    /// Events of this action.
    pub action: Option<String>,
    /// Events that contain this text.
    pub search: Option<String>,
    /// The earliest time, in RFC 3339.
    pub start: Option<String>,
    /// The latest time, in RFC 3339.
    pub end: Option<String>,
}

/// A page of rows, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows<T> {
    /// The readable rows.
    pub rows: Vec<T>,
    /// The number of rows that do not match the documentation. They are skipped.
    pub unreadable: usize,
    /// The total number of rows, if the API returns it.
    pub total: Option<u64>,
}

/// The deliveries of one account.
pub trait DeliveryApi: Send + Sync {
    /// Reads one page of events. Pages count from 1.
    ///
    /// # Errors
    /// [`ApiError`]
    fn events(
        &self,
        query: &EventQuery,
        page: u32,
        size: u32,
    ) -> impl Future<Output = Result<Rows<Event>, ApiError>> + Send;

    /// Reads one page of the attempts at an event. Pages count from 1.
    ///
    /// # Errors
    /// [`ApiError`]
    fn attempts(
        &self,
        event_id: &str,
        page: u32,
        size: u32,
    ) -> impl Future<Output = Result<Rows<Attempt>, ApiError>> + Send;

    /// Requests another delivery of an event, by the id of its document. Never retried, since each call sends a delivery.
    ///
    /// # Errors
    /// [`ApiError`]
    fn retry(&self, document_id: &str) -> impl Future<Output = Result<(), ApiError>> + Send;

    /// Returns how far the clock of the API is ahead of this machine's. Returns `None` if the API has not reported its time.
    fn clock_difference(&self) -> Option<SignedDuration> {
        None
    }
}

/// Reads up to `most` events, newest first.
///
/// # Errors
/// [`ApiError`]
pub async fn read_events<A: DeliveryApi>(
    api: &A,
    query: &EventQuery,
    most: usize,
) -> Result<Rows<Event>, ApiError> {
    const SIZE: u32 = super::PAGE_SIZE;
    let mut read = Rows {
        rows: Vec::new(),
        unreadable: 0,
        total: None,
    };
    for page in 1.. {
        // Pages of different sizes would overlap.
        let size = u32::try_from(most).map_or(SIZE, |most| most.clamp(1, SIZE));
        let next = api.events(query, page, size).await?;
        read.total = next.total;
        let count = next.rows.len() + next.unreadable;
        read.rows.extend(next.rows);
        read.unreadable += next.unreadable;
        let listed = read.rows.len() + read.unreadable;
        let all_there = read.total.is_some_and(|total| listed as u64 >= total);
        if listed >= most || all_there || count < size as usize {
            break;
        }
    }
    read.rows.truncate(most);
    Ok(read)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// An API with these pages, each with numbers of readable and unreadable rows.
    struct Scripted(Mutex<Vec<(usize, usize)>>);

    impl DeliveryApi for Scripted {
        async fn events(&self, _: &EventQuery, _: u32, _: u32) -> Result<Rows<Event>, ApiError> {
            let (readable, unreadable) = self.0.lock().unwrap().remove(0);
            Ok(Rows {
                rows: vec![Event::default(); readable],
                unreadable,
                total: None,
            })
        }

        async fn attempts(&self, _: &str, _: u32, _: u32) -> Result<Rows<Attempt>, ApiError> {
            panic!("events are asked for")
        }

        async fn retry(&self, _: &str) -> Result<(), ApiError> {
            panic!("events are asked for")
        }
    }

    #[tokio::test]
    async fn a_row_that_cannot_be_read_does_not_end_the_reading() {
        let api = Scripted(Mutex::new(vec![(299, 1), (2, 0)]));
        let read = read_events(&api, &EventQuery::default(), 1000)
            .await
            .unwrap();
        assert_eq!((read.rows.len(), read.unreadable), (301, 1));
    }
}
