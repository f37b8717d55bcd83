//! What all stores have in common.

use std::time::Duration;

use hookctl_core::secret::Filter;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};

use super::renewable::Renewable;
use crate::failure::described;
use crate::http_client::Client;
use crate::options::ObjectError;

/// A store that is set up.
pub(crate) struct Built {
    pub(crate) store: Box<dyn ObjectStore>,
    pub(crate) renewable: Renewable,
    pub(crate) client: Client,
}

/// One attempt for each call: the caller retries, and knows what a lost response means.
pub(super) fn one_attempt() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 0,
        retry_timeout: Duration::ZERO,
    }
}

/// Returns the error of a set-up.
pub(super) fn invalid(error: &object_store::Error, mask: &Filter) -> ObjectError {
    ObjectError::Invalid(described(&error.to_string(), mask))
}
