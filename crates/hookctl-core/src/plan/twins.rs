//! Webhooks that nobody manages and that deliver the same events to the same address as one of ours.

use std::collections::BTreeMap;

use super::identity::{Identities, Identity};
use super::{KeyFilter, Notice, Unmanaged};
use crate::state::{DesiredState, ObservedState, ObservedWebhook};
use crate::webhook::normal_name;

/// The webhooks that nobody manages and that look like one of ours.
pub(super) fn twins(
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
        for twin in same_name.into_iter().flatten() {
            if only.selects(key) && found.spec.looks_like(&twin.spec) {
                notices.push(Notice::Twin {
                    key: key.clone(),
                    location: webhook.origin.key.clone(),
                    id: found.id.clone(),
                    twin: twin.id.clone(),
                });
            }
        }
    }
    notices
}
