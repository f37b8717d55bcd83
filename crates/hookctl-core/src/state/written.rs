//! The state of a webhook after a write, as a plan, an intent, and the record have it.

use serde::{Deserialize, Serialize};

use super::{AppliedRecord, ObservedWebhook};
use crate::secret::Fingerprints;
use crate::webhook::WebhookSpec;

/// The state of a webhook after a write is confirmed. `T` represents its token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written<T> {
    /// The fields as sent, or as found if nothing is sent.
    pub spec: WebhookSpec,
    /// The token that hookctl set. `None` if it set none.
    pub token: Option<T>,
    /// Whether it is protected, even after its declaration is deleted.
    pub prevent_destroy: bool,
    /// The declared fields, if this write is a rollback after which the webhook is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Box<WebhookSpec>>,
}

impl<T: Copy> Written<T> {
    /// Returns the state with another representation of the token, or without one if `known` returns `None`.
    #[must_use]
    pub fn with_token<U>(&self, known: impl FnOnce(T) -> Option<U>) -> Written<U> {
        Written {
            spec: self.spec.clone(),
            token: self.token.and_then(known),
            prevent_destroy: self.prevent_destroy,
            held: self.held.clone(),
        }
    }
}

impl Written<Fingerprints> {
    /// Returns the record after the API has confirmed what it stores.
    pub fn confirmed(&self, stored: &ObservedWebhook) -> AppliedRecord {
        AppliedRecord {
            id: stored.id.clone(),
            sent: self.spec.clone(),
            stored: stored.spec.clone(),
            token: self.token.clone(),
            prevent_destroy: self.prevent_destroy,
            held: self.held.clone(),
        }
    }
}
