//! Determines which remote webhook each key is bound to.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{KeyFilter, PlanError, PlanProblem};
use crate::location::Location;
use crate::state::{DesiredState, LastApplied, ObservedState, ObservedWebhook};
use crate::webhook::{EndpointUrl, Key, RemoteId, normal_name};

/// The remote webhook of a declared key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity<'a> {
    /// A webhook, by pin, binding, or name.
    Found(&'a ObservedWebhook),
    /// The webhook no longer exists; this was its id.
    Gone(&'a RemoteId),
    /// There is no webhook.
    Missing,
}

/// The identities of all declared keys. No webhook has two keys.
///
/// Accessed by key or collected into sets, so that the order of the map does not affect plans.
pub(super) struct Identities<'a> {
    by_key: HashMap<&'a Key, Identity<'a>>,
    claimed: HashMap<&'a RemoteId, &'a Key>,
}

impl<'a> Identities<'a> {
    /// Returns the identity of a declared key.
    pub(super) fn of(&self, key: &Key) -> Identity<'a> {
        self.by_key.get(key).copied().unwrap_or(Identity::Missing)
    }

    /// Returns the declared key of a webhook.
    pub(super) fn claimed_by(&self, id: &RemoteId) -> Option<&'a Key> {
        self.claimed.get(id).copied()
    }

    /// Returns whether a webhook has a declared key.
    pub(super) fn is_claimed(&self, id: &RemoteId) -> bool {
        self.claimed.contains_key(id)
    }
}

/// The part of a declaration, present or absent, that determines its identity.
pub(super) struct Declared<'a> {
    pub(super) key: &'a Key,
    pub(super) name: &'a str,
    pub(super) previously: &'a [String],
    pub(super) url: Option<&'a EndpointUrl>,
    pub(super) pin: Option<&'a RemoteId>,
    pub(super) location: &'a Location,
}

impl Declared<'_> {
    /// Returns the names by which it may be found, each once, in normal form.
    pub(super) fn names(&self) -> BTreeSet<String> {
        std::iter::once(self.name)
            .chain(self.previously.iter().map(String::as_str))
            .map(normal_name)
            .collect()
    }

    fn has_url_of(&self, webhook: &ObservedWebhook) -> bool {
        self.url
            .is_some_and(|url| url.is_equivalent_to(&webhook.spec.url))
    }
}

pub(super) fn declared(desired: &DesiredState) -> impl Iterator<Item = Declared<'_>> {
    let present = desired.webhooks.iter().map(|(key, webhook)| Declared {
        key,
        name: &webhook.spec.name,
        previously: &webhook.previously,
        url: Some(&webhook.spec.url),
        pin: webhook.id.as_ref(),
        location: &webhook.origin.key,
    });
    let absent = desired.absent.iter().map(|(key, webhook)| Declared {
        key,
        name: &webhook.name,
        previously: &webhook.previously,
        url: None,
        pin: webhook.id.as_ref(),
        location: &webhook.origin.key,
    });
    present.chain(absent)
}

/// Determines the identity of every declared key.
///
/// # Errors
/// Returns [`PlanError`] with every key whose identity is ambiguous.
pub(super) fn identify<'a>(
    desired: &'a DesiredState,
    observed: &'a ObservedState,
    last_applied: &'a LastApplied,
    only: &'a KeyFilter,
) -> Result<Identities<'a>, PlanError> {
    let mut search = Search {
        only,
        desired,
        observed,
        last_applied,
        found: Identities {
            by_key: HashMap::with_capacity(desired.webhooks.len() + desired.absent.len()),
            claimed: HashMap::with_capacity(desired.webhooks.len()),
        },
        problems: Vec::new(),
    };
    let (pinned, unpinned): (Vec<_>, Vec<_>) =
        declared(desired).partition(|declared| declared.pin.is_some());
    search.take_pins(&pinned);
    let unbound = search.take_bindings(unpinned);
    let unbound = search.without_unreadable_names(unbound);
    search.adopt(&unbound);
    search.check_namesakes_of_absent();
    search.check_released();
    if search.problems.is_empty() {
        Ok(search.found)
    } else {
        Err(PlanError {
            problems: search.problems,
        })
    }
}

/// Values by normal name of their webhook. Avoids comparing every declaration with every webhook.
pub(super) type ByName<T> = BTreeMap<String, Vec<T>>;

/// A bound key that is not planned, with the id of its webhook.
pub(super) type Orphan<'a> = (&'a Key, &'a RemoteId);

pub(super) struct Search<'a> {
    pub(super) only: &'a KeyFilter,
    pub(super) desired: &'a DesiredState,
    pub(super) observed: &'a ObservedState,
    pub(super) last_applied: &'a LastApplied,
    pub(super) found: Identities<'a>,
    pub(super) problems: Vec<PlanProblem>,
}

impl<'a> Search<'a> {
    /// Reports a problem, if one of its keys is selected.
    pub(super) fn report(&mut self, problem: PlanProblem) {
        if problem.keys().iter().any(|key| self.only.selects(key)) {
            self.problems.push(problem);
        }
    }

    fn claim(&mut self, declared: &Declared<'a>, webhook: &'a ObservedWebhook) {
        match self.found.claimed.insert(&webhook.id, declared.key) {
            Some(other) if other != declared.key => {
                self.report(PlanProblem::DoublyBound {
                    keys: vec![other.clone(), declared.key.clone()],
                    location: declared.location.clone(),
                    id: webhook.id.clone(),
                });
            }
            _ => {
                self.found
                    .by_key
                    .insert(declared.key, Identity::Found(webhook));
            }
        }
    }

    fn take_pins(&mut self, pinned: &[Declared<'a>]) {
        for declared in pinned {
            let Some(id) = declared.pin else { continue };
            match self.observed.webhooks.get(id) {
                Some(webhook) => self.claim(declared, webhook),
                None if self.observed.unreadable.contains_key(id) => self.unreadable(declared, id),
                // An absent webhook that no longer exists is as declared.
                None if self.desired.absent.contains_key(declared.key) => {
                    self.miss(declared);
                }
                None => self.report(PlanProblem::PinnedGone {
                    key: declared.key.clone(),
                    location: declared.location.clone(),
                    id: id.clone(),
                }),
            }
        }
    }

    /// Follows the bindings. Returns the declarations without a binding to an existing webhook.
    fn take_bindings(&mut self, unpinned: Vec<Declared<'a>>) -> Vec<Declared<'a>> {
        let mut unbound = Vec::new();
        for declared in unpinned {
            let bound = self.last_applied.get(declared.key);
            let bound = bound.map(|record| &record.id);
            match bound.and_then(|id| self.observed.webhooks.get(id)) {
                Some(webhook) => self.claim(&declared, webhook),
                None => match bound {
                    Some(id) if self.observed.unreadable.contains_key(id) => {
                        self.unreadable(&declared, id);
                    }
                    _ => unbound.push(declared),
                },
            }
        }
        unbound
    }

    fn adopt(&mut self, unbound: &[Declared<'a>]) {
        if unbound.is_empty() {
            return;
        }
        let candidates = self.candidates(unbound);
        let orphans = self.orphans();
        let contested = contested(unbound, &candidates);
        for (declared, mine) in unbound.iter().zip(candidates) {
            let mine: Vec<_> = mine
                .into_iter()
                .filter(|webhook| match contested.get(&webhook.id) {
                    None => true,
                    Some(Contest::WonBy(winner)) => *winner == declared.key,
                    Some(Contest::Open(..)) => false,
                })
                .collect();
            match mine.as_slice() {
                [] => self.without_match(declared, &orphans),
                [webhook] => self.claim(declared, webhook),
                several => {
                    let same_url: Vec<_> = several
                        .iter()
                        .filter(|webhook| declared.has_url_of(webhook))
                        .collect();
                    if let [webhook] = same_url.as_slice() {
                        self.claim(declared, webhook);
                    } else {
                        self.report(PlanProblem::Ambiguous {
                            key: declared.key.clone(),
                            location: declared.location.clone(),
                            ids: several.iter().map(|webhook| webhook.id.clone()).collect(),
                        });
                    }
                }
            }
        }
        for (id, contest) in contested {
            if let Contest::Open(first, rivals) = contest {
                self.report(PlanProblem::Contested {
                    keys: rivals,
                    location: first.clone(),
                    id: id.clone(),
                });
            }
        }
    }

    /// Returns whether a binding outlives this plan although its key may no longer use the webhook: the key is not
    /// declared any more, or is not selected. Released bindings count too, so that no other key takes over, deletes, or
    /// duplicates a webhook that is being handed over.
    fn outlives(&self, key: &Key) -> bool {
        !self.desired.declares(key)
            || !self.only.selects(key)
            || self.desired.released.contains_key(key)
    }

    /// Returns the webhooks in use: by a declared key, or by a binding that outlives this plan. A binding that a pin
    /// replaces does not count.
    pub(super) fn taken(&self) -> HashSet<&'a RemoteId> {
        self.last_applied
            .iter()
            .filter(|(key, _)| self.outlives(key))
            .map(|(_, record)| &record.id)
            .chain(self.found.claimed.keys().copied())
            .collect()
    }

    /// Returns the webhooks that are still in use once this plan is applied. Keys that are not selected adopt nothing.
    pub(super) fn taken_for_good(&self) -> HashSet<&'a RemoteId> {
        let mut taken = self.taken();
        taken.retain(|id| {
            self.found.claimed_by(id).is_none_or(|key| {
                let bound = self.last_applied.get(key);
                self.only.selects(key)
                    || bound.is_some_and(|record| record.id == **id)
                    || self.desired.pin(key) == Some(*id)
            })
        });
        taken
    }

    /// Returns the observed webhooks that are not in use.
    pub(super) fn untaken(&self, taken: &HashSet<&RemoteId>) -> ByName<&'a ObservedWebhook> {
        let mut by_name = ByName::new();
        for webhook in self.observed.webhooks.values() {
            if !taken.contains(&webhook.id) {
                let name = normal_name(&webhook.spec.name);
                let namesakes: &mut Vec<_> = by_name.entry(name).or_default();
                namesakes.push(webhook);
            }
        }
        by_name
    }

    /// Returns the unbound observed webhooks with the names of each declaration.
    fn candidates(&self, unbound: &[Declared<'a>]) -> Vec<Vec<&'a ObservedWebhook>> {
        let untaken = self.untaken(&self.taken());
        unbound
            .iter()
            .map(|declared| named_like(declared, &untaken).copied().collect())
            .collect()
    }

    fn without_match(&mut self, declared: &Declared<'a>, orphans: &ByName<Orphan<'a>>) {
        let orphan = named_like(declared, orphans)
            .filter(|(_, id)| !self.found.is_claimed(id))
            .min_by_key(|(key, _)| *key);
        if self.desired.webhooks.contains_key(declared.key)
            && let Some((old, id)) = orphan
        {
            self.report(PlanProblem::RenamedKey {
                key: declared.key.clone(),
                location: declared.location.clone(),
                old: (*old).clone(),
                id: (*id).clone(),
            });
            return;
        }
        // Nothing is created while a name cannot be read, since it may be the same name.
        let nameless = || {
            let mut unreadable = self.unreadable_unmanaged().into_iter();
            unreadable.find(|webhook| webhook.name.is_none())
        };
        match nameless() {
            Some(webhook) if self.desired.webhooks.contains_key(declared.key) => {
                self.reserved(declared, webhook);
            }
            _ => self.miss(declared),
        }
    }

    fn miss(&mut self, declared: &Declared<'a>) {
        let identity = self
            .last_applied
            .get(declared.key)
            .map_or(Identity::Missing, |record| Identity::Gone(&record.id));
        self.found.by_key.insert(declared.key, identity);
    }

    /// Returns the bindings that outlive this plan, with their webhooks.
    fn orphans(&self) -> ByName<Orphan<'a>> {
        let mut by_name = ByName::new();
        for (key, record) in self.last_applied {
            if !self.outlives(key) {
                continue;
            }
            let readable = self.observed.webhooks.get(&record.id);
            let unreadable = self.observed.unreadable.get(&record.id);
            let name = match (readable, unreadable) {
                (Some(webhook), _) => &webhook.spec.name,
                // If the current name cannot be read, the last confirmed one is the best guess.
                (None, Some(webhook)) => webhook.name.as_ref().unwrap_or(&record.stored.name),
                (None, None) => continue,
            };
            let namesakes: &mut Vec<_> = by_name.entry(normal_name(name)).or_default();
            namesakes.push((key, &record.id));
        }
        by_name
    }
}

/// Returns the values for any name of a declaration.
pub(super) fn named_like<'b, T>(
    declared: &Declared<'_>,
    by_name: &'b ByName<T>,
) -> impl Iterator<Item = &'b T> {
    let namesakes: Vec<&Vec<T>> = declared
        .names()
        .into_iter()
        .filter_map(|name| by_name.get(&name))
        .collect();
    namesakes.into_iter().flatten()
}

/// How a webhook that matches several declarations is assigned.
enum Contest<'a> {
    /// To this key, the only one that matches its URL too.
    WonBy(&'a Key),
    /// Not assigned: the location of the first key, and all keys.
    Open(&'a Location, Vec<Key>),
}

fn contested<'a>(
    unbound: &[Declared<'a>],
    candidates: &[Vec<&'a ObservedWebhook>],
) -> BTreeMap<&'a RemoteId, Contest<'a>> {
    let mut rivals: BTreeMap<&RemoteId, Vec<(&Declared<'a>, &ObservedWebhook)>> = BTreeMap::new();
    for (declared, mine) in unbound.iter().zip(candidates) {
        for webhook in mine {
            rivals
                .entry(&webhook.id)
                .or_default()
                .push((declared, webhook));
        }
    }
    rivals
        .into_iter()
        .filter(|(_, rivals)| rivals.len() > 1)
        .filter_map(|(id, rivals)| {
            let mut same_url = rivals
                .iter()
                .filter(|(declared, webhook)| declared.has_url_of(webhook));
            let winner = same_url.next().filter(|_| same_url.next().is_none());
            let contest = if let Some((winner, _)) = winner {
                Contest::WonBy(winner.key)
            } else {
                let (first, _) = rivals.first()?;
                let keys = rivals.iter().map(|(declared, _)| declared.key.clone());
                Contest::Open(first.location, keys.collect())
            };
            Some((id, contest))
        })
        .collect()
}
