//! Unmanaged webhooks that deliver the same events to the same address as a managed one.

use std::collections::BTreeMap;

use super::identity::{Identities, Identity};
use super::{KeyFilter, Notice, Unmanaged};
use crate::state::{DesiredState, ObservedState, ObservedWebhook};
use crate::webhook::normal_name;

/// Returns a notice for each unmanaged webhook that looks like a managed one.
pub(super) fn duplicates(
    desired: &DesiredState,
    observed: &ObservedState,
    unmanaged: &[Unmanaged],
    only: &KeyFilter,
    identities: &Identities<'_>,
) -> Vec<Notice> {
    let mut by_name: BTreeMap<String, Vec<&ObservedWebhook>> = BTreeMap::new();
    for unmanaged in unmanaged {
        let webhook = observed.get(&unmanaged.id);
        let Some(webhook) = webhook else { continue };
        let name = normal_name(&webhook.spec.name);
        by_name.entry(name).or_default().push(webhook);
    }
    let mut notices = Vec::new();
    if by_name.is_empty() {
        return notices;
    }
    for (key, webhook) in &desired.webhooks {
        let Identity::Found(found) = identities.of(key) else {
            continue;
        };
        let same_name = by_name.get(&normal_name(&found.spec.name));
        for duplicate in same_name.into_iter().flatten() {
            if only.selects(key) && found.spec.looks_like(&duplicate.spec) {
                notices.push(Notice::Duplicate {
                    key: key.clone(),
                    location: webhook.origin.key.clone(),
                    id: found.id.clone(),
                    duplicate: duplicate.id.clone(),
                });
            }
        }
    }
    notices
}
