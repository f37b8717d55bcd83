//! Serialized bodies of writes. They may contain a token, so they are overwritten when the last owner drops them.
//!
//! The buffer has its final capacity from the start, since a growing buffer leaves copies behind. The HTTP client shares
//! the buffer instead of copying it.

use std::fmt;
use std::io;
use std::sync::Arc;

use hyper::body::Bytes;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::WriteBody;
use hookctl_core::secret::Secret;

/// A JSON body. `Debug` hides its content.
#[derive(Clone)]
pub struct RequestBody(Arc<Zeroizing<Vec<u8>>>);

impl RequestBody {
    /// Serializes a body.
    pub(super) fn new(body: &WriteBody<'_, &Secret>) -> Self {
        let content = Content(body);
        let mut length = Length(0);
        // Bodies always serialize, and writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut length, &content);
        let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
        let _ = serde_json::to_writer(&mut *bytes, &content);
        Self(Arc::new(bytes))
    }

    /// Serializes a document without secrets.
    pub(super) fn document(document: &serde_json::Value) -> Self {
        Self(Arc::new(Zeroizing::new(document.to_string().into_bytes())))
    }

    /// Returns the JSON text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns a shared reference to the same memory, for the HTTP client.
    pub(super) fn shared(&self) -> Bytes {
        Bytes::from_owner(self.clone())
    }
}

impl AsRef<[u8]> for RequestBody {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RequestBody(***)")
    }
}

/// The content of a body, without a copy of the token.
struct Content<'a>(&'a WriteBody<'a, &'a Secret>);

impl Serialize for Content<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0
            .serialize_with(serializer, |value| value, |token| token.expose())
    }
}

/// A writer that counts bytes.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use hookctl_core::webhook::{
        EndpointUrl, Field, FieldValue, TokenChange, WebhookSpec, WorkflowAction,
    };

    #[test]
    fn bodies_hold_exactly_what_is_sent() {
        let token = Secret::new("hunter2".into()).unwrap();
        let read = |body: &WriteBody<'_, &Secret>| -> Value {
            serde_json::from_slice(RequestBody::new(body).as_bytes()).unwrap()
        };
        let clear = WriteBody::patch(&[], TokenChange::Clear);
        assert_eq!(read(&clear), json!({ "clear_bearer_token": true }));
        let fields = [(Field::TimeoutSeconds, FieldValue::Number(20))];
        let both = WriteBody::patch(&fields, TokenChange::Set(&token));
        assert_eq!(
            read(&both),
            json!({ "timeout_seconds": 20, "bearer_token": "hunter2" })
        );
        let spec = WebhookSpec {
            name: "Billing".to_owned(),
            url: EndpointUrl::from_remote("https://a.example/x".to_owned()),
            actions: ["workflow_created", "zebra"]
                .map(WorkflowAction::from)
                .into_iter()
                .collect(),
            enabled: true,
            timeout_seconds: 10,
            max_retries: 3,
            retry_backoff_seconds: 10,
        };
        assert_eq!(
            read(&WriteBody::create(&spec, None)),
            json!({
                "name": "Billing", "url": "https://a.example/x",
                "actions": ["workflow_created", "zebra"], "enabled": true,
                "timeout_seconds": 10, "max_retries": 3, "retry_backoff_seconds": 10
            })
        );
    }

    #[test]
    fn a_body_is_written_once_and_shared() {
        let token = Secret::new("hunter2\"\\".repeat(200)).unwrap();
        let fields = [
            (Field::Name, FieldValue::Text("Billing".to_owned())),
            (Field::Enabled, FieldValue::Flag(true)),
        ];
        let body = RequestBody::new(&WriteBody::patch(&fields, TokenChange::Set(&token)));
        let read: Value = serde_json::from_slice(body.as_bytes()).unwrap();
        assert_eq!(
            read,
            json!({ "name": "Billing", "enabled": true, "bearer_token": token.expose() })
        );
        assert_eq!(body.0.capacity(), body.0.len(), "it did not grow");
        let shared = body.shared();
        assert_eq!(shared.as_ptr(), body.as_bytes().as_ptr(), "no copy");
        assert_eq!(Arc::strong_count(&body.0), 2);
        drop(shared);
        assert_eq!(Arc::strong_count(&body.0), 1);
        assert_eq!(format!("{body:?}"), "RequestBody(***)");
    }
}
