//! The permission of the record's writer to send requests.

use std::fmt;
use std::sync::Arc;

/// Tells whether the writer of a record may still send a request. Clones ask the same writer.
///
/// A writer that can be replaced asks right before the bytes of a request leave the process, because a process can be
/// stopped at any moment. So the answer is immediate, and needs no borrow of the record.
#[derive(Clone, Default)]
pub struct SendPermit(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl SendPermit {
    /// Returns the permit of a writer that nothing replaces.
    pub const fn lasting() -> Self {
        Self(None)
    }

    /// Returns a permit that holds as long as this returns `true`.
    pub fn new(holds: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(holds)))
    }

    /// Returns whether a request may be sent now.
    pub fn holds(&self) -> bool {
        self.0.as_ref().is_none_or(|holds| holds())
    }

    /// Returns whether the permit can never end.
    pub const fn is_lasting(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Debug for SendPermit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SendPermit")
            .field("is_lasting", &self.is_lasting())
            .finish_non_exhaustive()
    }
}
