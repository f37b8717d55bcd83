//! What the API's list returned: observed state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::webhook::{RemoteId, WebhookSpec};

/// All webhooks of the account, from one complete reading of the list. Whoever builds one vouches that
/// every page arrived: a page that failed is an error, never an absence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedState {
    /// By id.
    pub webhooks: BTreeMap<RemoteId, ObservedWebhook>,
}

impl ObservedState {
    /// The webhook of that id.
    pub fn get(&self, id: &RemoteId) -> Option<&ObservedWebhook> {
        self.webhooks.get(id)
    }
}

impl FromIterator<ObservedWebhook> for ObservedState {
    fn from_iter<I: IntoIterator<Item = ObservedWebhook>>(webhooks: I) -> Self {
        Self {
            webhooks: webhooks
                .into_iter()
                .map(|webhook| (webhook.id.clone(), webhook))
                .collect(),
        }
    }
}

/// One webhook as the API has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedWebhook {
    /// Its id.
    pub id: RemoteId,
    /// All its fields, whatever they hold.
    pub spec: WebhookSpec,
    /// Whether it has a token; which one, the API never says.
    pub has_bearer_token: bool,
}
