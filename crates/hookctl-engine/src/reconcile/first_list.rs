//! A list that is read while the inputs of a pass are gathered.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use hookctl_api::{Listing, ObserveError};
use hookctl_core::clock::Stamp;

type Reading = Pin<Box<dyn Future<Output = Result<Listing, ObserveError>> + Send>>;

/// A list for the first plan of a pass, whose requests began before. Without one, the plan requests the list itself.
///
/// The caller guarantees that no other pass wrote to the record between the beginning of the list and the reading of the
/// record. Otherwise a webhook in the record may be missing from the list, and would be created again.
#[derive(Clone, Default)]
pub struct FirstList(Arc<Mutex<Option<(Stamp, Reading)>>>);

impl FirstList {
    /// Returns a list that began at a moment, which is the moment that it represents.
    pub fn begun(
        at: Stamp,
        list: impl Future<Output = Result<Listing, ObserveError>> + Send + 'static,
    ) -> Self {
        Self(Arc::new(Mutex::new(Some((at, Box::pin(list))))))
    }

    /// Returns the list once.
    pub(super) fn take(&self) -> Option<(Stamp, Reading)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for FirstList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FirstList").finish_non_exhaustive()
    }
}
