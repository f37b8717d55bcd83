//! The webhooks of an account, in order of creation, which are found by their ids at once: an account may have 100,000.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::contract::Webhook;

/// Webhooks, in order of creation. Stored as a list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Webhook>", into = "Vec<Webhook>")]
pub(super) struct Webhooks {
    /// By a number that grows.
    rows: BTreeMap<u64, Webhook>,
    numbers: HashMap<String, u64>,
}

impl Webhooks {
    /// Returns the webhooks, in order of creation.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Webhook> {
        self.rows.values()
    }

    /// Returns the webhook with an id, to change anything but its id.
    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Webhook> {
        let number = self.numbers.get(id)?;
        self.rows.get_mut(number)
    }

    /// Replaces the webhook with the same id, or appends the webhook.
    pub(super) fn put(&mut self, webhook: Webhook) {
        let next = self.rows.last_key_value().map_or(0, |(last, _)| last + 1);
        let number = *self.numbers.entry(webhook.id.clone()).or_insert(next);
        self.rows.insert(number, webhook);
    }

    /// Removes the webhook with an id. Returns whether there was one.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        let number = self.numbers.remove(id);
        number.is_some_and(|number| self.rows.remove(&number).is_some())
    }
}

impl From<Vec<Webhook>> for Webhooks {
    fn from(list: Vec<Webhook>) -> Self {
        let mut webhooks = Self::default();
        for webhook in list {
            webhooks.put(webhook);
        }
        webhooks
    }
}

impl From<Webhooks> for Vec<Webhook> {
    fn from(webhooks: Webhooks) -> Self {
        webhooks.rows.into_values().collect()
    }
}
