//! The state of a store, and how it fails.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::objects::Objects;

/// The bucket, the key, and the pages of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Options {
    /// The only bucket.
    pub bucket: String,
    /// The only access key; in the dialect of Google, the only bearer token.
    pub access_key: String,
    /// The most names in a page of a list.
    pub page_size: usize,
}

impl Default for S3Options {
    fn default() -> Self {
        Self {
            bucket: "bucket".to_owned(),
            access_key: "stub-key".to_owned(),
            page_size: 1000,
        }
    }
}

/// How a store fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Each request is refused with status 503.
    Refuse,
    /// No request is answered, and none has an effect.
    Hang,
    /// Each response comes this much later. Writes happen at once.
    Delay(Duration),
    /// Writes are refused with status 403.
    ReadOnly,
    /// Writes happen, and then the connection is cut.
    CutAfterWrite,
    /// Writes happen, and are answered with status 503.
    RefuseAfterWrite,
    /// Writes happen, and are never answered.
    HangAfterWrite,
    /// Writes are refused with status 409 without an effect, as if another one were under way.
    Conflict,
    /// Writes happen whether or not their condition holds.
    IgnoreConditions,
    /// Each request is redirected with this status, since the bucket is elsewhere. The header names this region, if any.
    Elsewhere(u16, Option<&'static str>),
}

/// A request that the store received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Request {
    /// The method.
    pub method: String,
    /// The key of the object, or the query of a list.
    pub key: String,
    /// The status of the response. `None` if there was none.
    pub status: Option<u16>,
    /// When it arrived.
    pub at: Instant,
}

#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) options: Arc<S3Options>,
    pub(super) state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) objects: Objects,
    pub(super) requests: Vec<S3Request>,
    pub(super) fault: Option<Fault>,
    /// The fault of the next write.
    pub(super) once: Option<Fault>,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
