//! Earlier writes that may still take effect, and the actions that replace them. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::pending::Unsettled;
use hookctl_core::plan::PlannedAction;
use hookctl_core::record::Intent;
use hookctl_core::webhook::{Key, RemoteId};

/// The earlier writes of an apply. A write belongs to its webhook, which may be bound to another key by now.
#[derive(Debug)]
pub(super) struct Earlier {
    by_key: BTreeMap<Key, Intent>,
    keys_of: HashMap<RemoteId, BTreeSet<Key>>,
}

impl Earlier {
    pub(super) fn new(unsettled: &[Unsettled]) -> Self {
        let intents = unsettled.iter().map(|one| &one.intent);
        let by_key: BTreeMap<Key, Intent> = intents
            .map(|intent| (intent.key.clone(), intent.clone()))
            .collect();
        let mut keys_of: HashMap<RemoteId, BTreeSet<Key>> = HashMap::new();
        for (key, intent) in &by_key {
            for id in intent.chain().filter_map(|one| one.write.id()) {
                keys_of.entry(id.clone()).or_default().insert(key.clone());
            }
        }
        Self { by_key, keys_of }
    }

    /// Returns the open write of a key.
    pub(super) fn of_key(&self, key: &Key) -> Option<Intent> {
        self.by_key.get(key).cloned()
    }

    /// Returns the writes that an action of this key and webhook replaces, and those that they replaced, if `matters`
    /// returns `true` for them. They get the key of the action. Those of its own key are first, the latest of each first.
    pub(super) fn replaced(
        &self,
        planned: &PlannedAction,
        matters: impl Fn(&Intent) -> bool,
    ) -> Vec<Intent> {
        let others = planned.id().and_then(|id| self.keys_of.get(id));
        let others = others.into_iter().flatten();
        let others = others.filter(|key| **key != planned.key);
        let keys = std::iter::once(&planned.key).chain(others);
        let intents = keys.filter_map(|key| self.by_key.get(key));
        intents
            .flat_map(Intent::chain)
            .filter(|one| matters(one))
            .map(|one| Intent {
                key: planned.key.clone(),
                superseded: true,
                earlier: Vec::new(),
                ..one.clone()
            })
            .collect()
    }
}
