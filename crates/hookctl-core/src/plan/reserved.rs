//! Reserved names: of webhooks that cannot be read, are released, or are ambiguous.
//!
//! Each of them could be the webhook of a declaration, or could be found by name in a later run. So they are reported
//! before anything is created or deleted in their place.

use std::collections::HashSet;

use super::PlanProblem;
use super::identity::{ByName, Declared, Identity, Orphan, Search, declared, named_like};
use crate::state::UnreadableWebhook;
use crate::webhook::{RemoteId, normal_name};

impl<'a> Search<'a> {
    /// Reports an unreadable webhook, which can be neither compared nor created again.
    pub(super) fn unreadable(&mut self, declared: &Declared<'a>, id: &RemoteId) {
        if let Some(webhook) = self.observed.unreadable.get(id) {
            self.report(PlanProblem::Unreadable {
                key: declared.key.clone(),
                location: Some(declared.location.clone()),
                webhook: Box::new(webhook.clone()),
            });
        }
    }

    /// Returns the declarations whose names do not belong to an unreadable unmanaged webhook. The others could be that
    /// webhook, so they are neither created nor found by name.
    pub(super) fn without_unreadable_names(
        &mut self,
        unbound: Vec<Declared<'a>>,
    ) -> Vec<Declared<'a>> {
        let unreadable = self.unreadable_unmanaged();
        let mut free = Vec::with_capacity(unbound.len());
        for declared in unbound {
            let names = declared.names();
            let mut with_name = unreadable.iter().filter(|webhook| webhook.name.is_some());
            match with_name.find(|webhook| webhook.may_be_named(&names)) {
                Some(webhook) => self.reserved(&declared, webhook),
                None => free.push(declared),
            }
        }
        free
    }

    pub(super) fn reserved(&mut self, declared: &Declared<'a>, webhook: &UnreadableWebhook) {
        self.report(PlanProblem::UnreadableName {
            key: declared.key.clone(),
            location: declared.location.clone(),
            webhook: Box::new(webhook.clone()),
        });
    }

    /// Returns the unreadable webhooks without a key.
    pub(super) fn unreadable_unmanaged(&self) -> Vec<&'a UnreadableWebhook> {
        let bound: HashSet<_> = self
            .last_applied
            .values()
            .map(|record| &record.id)
            .collect();
        let unreadable = self.observed.unreadable.values();
        unreadable
            .filter(|webhook| !bound.contains(&webhook.id))
            .collect()
    }

    /// Checks that a bound absent webhook is the only one of its name, except pinned ones: once it and its binding are
    /// deleted, the name would match the next one.
    pub(super) fn check_namesakes_of_absent(&mut self) {
        if self.desired.absent.is_empty() {
            return;
        }
        let untaken = self.untaken(&self.taken_for_good());
        let unreadable = self.unreadable_unmanaged();
        for declared in declared(self.desired) {
            let absent =
                self.desired.absent.contains_key(declared.key) && self.only.selects(declared.key);
            let Identity::Found(found) = self.found.of(declared.key) else {
                continue;
            };
            if !absent || declared.pin.is_some() {
                continue;
            }
            let mut namesakes: Vec<_> = named_like(&declared, &untaken)
                .map(|webhook| &webhook.id)
                .collect();
            let names = declared.names();
            let unreadable = unreadable.iter();
            namesakes.extend(
                unreadable
                    .filter(|webhook| webhook.name.is_some() && webhook.may_be_named(&names))
                    .map(|webhook| &webhook.id),
            );
            if !namesakes.is_empty() {
                namesakes.sort_unstable();
                self.report(PlanProblem::Ambiguous {
                    key: declared.key.clone(),
                    location: declared.location.clone(),
                    ids: std::iter::once(&found.id)
                        .chain(namesakes)
                        .cloned()
                        .collect(),
                });
            }
        }
    }

    /// Checks that no declaration deletes what another one releases, now or later by its name.
    pub(super) fn check_released(&mut self) {
        if self.desired.released.is_empty() {
            return;
        }
        let mut bound: ByName<Orphan<'a>> = ByName::new();
        for (key, record) in self.last_applied {
            let Some(webhook) = self.observed.get(&record.id) else {
                continue;
            };
            let name = &webhook.spec.name;
            let releasing = match self.desired.releasing(&webhook.id, name) {
                _ if self.desired.released.contains_key(key) => key,
                Some(releasing) if !self.desired.declares(key) => releasing,
                _ => continue,
            };
            let namesakes = bound.entry(normal_name(name)).or_default();
            namesakes.push((releasing, &webhook.id));
        }
        for declared in declared(self.desired) {
            if !self.desired.absent.contains_key(declared.key) {
                continue;
            }
            let found = match self.found.of(declared.key) {
                Identity::Found(webhook) => Some(webhook),
                Identity::Gone(_) | Identity::Missing => None,
            };
            let releasing = found.and_then(|webhook| {
                let mut released = bound.values().flatten();
                let by_binding = released.find(|(_, id)| **id == webhook.id);
                let by_name = || self.desired.releasing(&webhook.id, &webhook.spec.name);
                let key = by_binding.map(|(key, _)| *key).or_else(by_name)?;
                Some((key, &webhook.id))
            });
            let namesake = || {
                let mut namesakes = named_like(&declared, &bound);
                namesakes.next().copied().filter(|_| declared.pin.is_none())
            };
            if let Some((key, id)) = releasing.or_else(namesake) {
                self.report(PlanProblem::Contested {
                    keys: vec![key.clone(), declared.key.clone()],
                    location: declared.location.clone(),
                    id: id.clone(),
                });
            }
        }
    }
}
