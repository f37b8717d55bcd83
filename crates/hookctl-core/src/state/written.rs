//! What a webhook is to be: in a plan, in an intent, and once it is confirmed in the record.

use serde::{Deserialize, Serialize};

use super::{AppliedRecord, ObservedWebhook};
use crate::secret::Fingerprint;
use crate::webhook::WebhookSpec;

/// What a webhook is to be once a write is confirmed, over what is known of its token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written<T> {
    /// The fields as sent, or as found where nothing is sent.
    pub spec: WebhookSpec,
    /// The token that it then has from us; `None` if it has none from us.
    pub token: Option<T>,
    /// Whether it is protected, also once the declaration itself is deleted.
    pub prevent_destroy: bool,
}

impl<T: Copy> Written<T> {
    /// Returns the same with something else known of the token, if there is anything.
    #[must_use]
    pub fn with_token<U>(&self, known: impl FnOnce(T) -> Option<U>) -> Written<U> {
        Written {
            spec: self.spec.clone(),
            token: self.token.and_then(known),
            prevent_destroy: self.prevent_destroy,
        }
    }
}

impl Written<Fingerprint> {
    /// Returns the record, once the API has confirmed what it stores.
    pub fn confirmed(&self, stored: &ObservedWebhook) -> AppliedRecord {
        AppliedRecord {
            id: stored.id.clone(),
            sent: self.spec.clone(),
            stored: stored.spec.clone(),
            token: self.token,
            prevent_destroy: self.prevent_destroy,
        }
    }
}
