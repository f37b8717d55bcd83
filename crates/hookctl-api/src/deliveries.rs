//! What became of events: deliveries and their attempts, as the API lists them.
//!
//! The payloads and the receivers' answers, which may hold what callers said, are not read at all.

use std::future::Future;

use serde::{Deserialize, Serialize};

use super::ApiError;
use hookctl_core::webhook::RemoteId;

/// One event for one webhook, and how far its delivery is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its own id, which attempts go by.
    pub event_id: String,
    /// The id of its document, which a retry goes by.
    #[serde(rename(deserialize = "_id"), default)]
    pub document_id: Option<String>,
    /// The webhook's id.
    #[serde(rename(deserialize = "subscription_id"))]
    pub webhook: String,
    /// What happened.
    #[serde(default)]
    pub action: String,
    /// `pending`, `retrying`, `delivered`, or `failed`.
    #[serde(default)]
    pub status: String,
    /// How often it was tried.
    #[serde(rename(deserialize = "attempts_count"), default)]
    pub attempts: Option<u64>,
    /// When it happened, in RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
    /// When it was last tried.
    #[serde(default)]
    pub last_attempt_at: Option<String>,
    /// When it was delivered.
    #[serde(default)]
    pub delivered_at: Option<String>,
    /// When it is tried next.
    #[serde(default)]
    pub next_retry_at: Option<String>,
    /// What the receiver last answered.
    #[serde(default)]
    pub last_status_code: Option<i64>,
    /// Why the last try failed, in the API's words: text from outside.
    #[serde(default)]
    pub last_error: Option<String>,
    /// The workflow's name.
    #[serde(default)]
    pub workflow_name: Option<String>,
}

/// One try to deliver an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The event's id.
    pub event_id: String,
    /// Its number, from 1.
    pub attempt_number: u64,
    /// When, in RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
    /// Whether the receiver took it.
    #[serde(default)]
    pub success: bool,
    /// What the receiver answered.
    #[serde(default)]
    pub response_status_code: Option<i64>,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub latency_ms: Option<i64>,
    /// Why it failed, in the API's words: text from outside.
    #[serde(default)]
    pub error_message: Option<String>,
}

/// Which events are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Of this webhook.
    pub webhook: Option<RemoteId>,
    /// In this status.
    pub status: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// With this text somewhere.
    pub search: Option<String>,
    /// Not before this time, in RFC 3339.
    pub start: Option<String>,
    /// Not after this time, in RFC 3339.
    pub end: Option<String>,
}

/// One page, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows<T> {
    /// The rows on it.
    pub rows: Vec<T>,
    /// How many rows on it are not as documented; they are left out.
    pub unreadable: usize,
    /// How many there are in all, if the API says.
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

    /// Asks for one event to be delivered again, by its document's id. Never repeated by itself: each call
    /// sends a delivery.
    ///
    /// # Errors
    /// [`ApiError`]
    fn retry(&self, document_id: &str) -> impl Future<Output = Result<(), ApiError>> + Send;
}

/// Reads events, newest first, until there are `most` of them or no more.
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
        // The same for every page, or pages would overlap.
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

    /// An API that answers with these pages: how many rows can be read, and how many cannot.
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
