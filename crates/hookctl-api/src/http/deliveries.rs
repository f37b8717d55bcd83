//! Deliveries over HTTP.

use jiff::SignedDuration;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::HttpApi;
use super::body::RequestBody;
use super::transport::{Outgoing, Transport, Verb};
use crate::{ApiError, Attempt, DeliveryApi, Event, EventQuery, Rows, Ungated};
use hookctl_core::webhook::RemoteId;

impl<T: Transport> DeliveryApi for HttpApi<T> {
    async fn events(
        &self,
        query: &EventQuery,
        page: u32,
        size: u32,
    ) -> Result<Rows<Event>, ApiError> {
        let path = format!("events?{}", parameters(query, page, size));
        self.rows(&path, "events").await
    }

    async fn attempts(
        &self,
        event_id: &str,
        page: u32,
        size: u32,
    ) -> Result<Rows<Attempt>, ApiError> {
        let id = segment(event_id);
        let path = format!("events/{id}/attempts?page={page}&size={size}");
        self.rows(&path, "attempts").await
    }

    async fn retry(&self, document_id: &str) -> Result<(), ApiError> {
        let url = format!("{}/events/{}/retry", self.url(None), segment(document_id));
        let post = Outgoing {
            verb: Verb::Post,
            url: &url,
            body: None,
        };
        self.send(post, None, &Ungated).await.map(|_| ())
    }

    fn clock_difference(&self) -> Option<SignedDuration> {
        Self::clock_difference(self)
    }
}

impl<T: Transport> HttpApi<T> {
    /// Lets a sandbox make an event, by `POST /sandbox/v1/trigger`. Returns the response. The API has no such route, which
    /// is [`ApiError::NotServed`].
    ///
    /// # Errors
    /// [`ApiError`]
    pub async fn trigger(&self, request: &Value) -> Result<Value, ApiError> {
        let body = RequestBody::document(request);
        let post = Outgoing {
            verb: Verb::Post,
            url: &format!("{}/sandbox/v1/trigger", self.base_url()),
            body: Some(&body),
        };
        let answer = self.send(post, None, &Ungated).await?;
        serde_json::from_slice(&answer.body).map_err(|_| {
            let excerpt = "it is not JSON".to_owned();
            super::refusal::unexpected(&answer, excerpt, &self.redactor(None))
        })
    }

    /// Reads the rows of a list. Rows that do not match the documentation are skipped.
    async fn rows<R: DeserializeOwned>(&self, path: &str, name: &str) -> Result<Rows<R>, ApiError> {
        let url = format!("{}/{path}", self.url(None));
        let get = Outgoing {
            verb: Verb::Get,
            url: &url,
            body: None,
        };
        let answer = self.send(get, None, &Ungated).await?;
        let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let Some(rows) = document.get(name).and_then(Value::as_array) else {
            return Err(super::refusal::unexpected(
                &answer,
                format!("it contains no list of {name}"),
                &self.redactor(None),
            ));
        };
        let listed = rows.len();
        let rows: Vec<R> = rows
            .iter()
            .filter_map(|row| R::deserialize(row).ok())
            .collect();
        Ok(Rows {
            unreadable: listed - rows.len(),
            rows,
            total: document.get("total").and_then(Value::as_u64),
        })
    }
}

fn parameters(query: &EventQuery, page: u32, size: u32) -> String {
    let filters = [
        (
            "subscription_id",
            query.webhook.as_ref().map(RemoteId::as_str),
        ),
        ("status", query.status.as_deref()),
        ("action", query.action.as_deref()),
        ("search", query.search.as_deref()),
        ("start", query.start.as_deref()),
        ("end", query.end.as_deref()),
    ];
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in filters {
        if let Some(value) = value {
            pairs.append_pair(name, value);
        }
    }
    pairs.append_pair("page", &page.to_string());
    pairs.append_pair("size", &size.to_string());
    pairs.finish()
}

/// The bytes that a path segment escapes. `.` is one of them, since `..` would leave the segment.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

/// Escapes a text as one segment of a path.
fn segment(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_in_its_segment() {
        assert_eq!(segment("evt_1-a"), "evt_1-a");
        assert_eq!(segment("../x?y=1"), "%2E%2E%2Fx%3Fy%3D1");
    }
}
