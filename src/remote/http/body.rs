//! The body of a write, which may hold a token: overwritten when the last holder drops it.
//!
//! It is written into memory that is large enough from the start, since a buffer that grows leaves copies behind. The
//! HTTP client shares that memory rather than copying it.

use crate::webhook::TokenChange;
use std::fmt;
use std::io;
use std::sync::Arc;

use hyper::body::Bytes;
use serde::Serialize;
use serde::ser::SerializeMap as _;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// A JSON body. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct RequestBody(Arc<Zeroizing<Vec<u8>>>);

impl RequestBody {
    /// Writes the fields, and what is done with the token.
    pub(super) fn new(fields: &Map<String, Value>, token: TokenChange<&Secret>) -> Self {
        let content = Content { fields, token };
        let mut length = Length(0);
        // Our own types always can be written.
        let _ = serde_json::to_writer(&mut length, &content);
        let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
        let _ = serde_json::to_writer(&mut *bytes, &content);
        Self(Arc::new(bytes))
    }

    /// The JSON text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same memory, for the HTTP client.
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

/// What a body holds, without a copy of the token.
struct Content<'a> {
    fields: &'a Map<String, Value>,
    token: TokenChange<&'a Secret>,
}

impl Serialize for Content<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.fields {
            map.serialize_entry(name, value)?;
        }
        match self.token {
            TokenChange::Keep => {}
            TokenChange::Set(token) => {
                map.serialize_entry("bearer_token", Secret::expose(token))?
            }
            TokenChange::Clear => map.serialize_entry("clear_bearer_token", &true)?,
        }
        map.end()
    }
}

/// Counts what is written.
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
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_is_written_once_and_shared() {
        let token = Secret::new("hunter2\"\\".repeat(200)).unwrap();
        let fields = json!({ "name": "Billing", "enabled": true });
        let body = RequestBody::new(fields.as_object().unwrap(), TokenChange::Set(&token));
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
