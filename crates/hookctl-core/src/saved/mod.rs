//! Saved plans, which are reviewed now and applied later.
//!
//! # Expected flow
//! A dry run creates a plan with [`SavedPlan::of`] and writes it with [`SavedPlan::to_file`]. An apply reads the file as a
//! [`SealedPlan`], whose content is inaccessible until [`SealedPlan::open`] has checked the seal. It then plans again
//! from the current files, record, and API. [`SavedPlan::stale`] compares both plans action by action.
//!
//! # Guarantees
//! - A file opens only if a holder of the key wrote every byte of it.
//! - The file contains no secret. A token is represented by its fingerprint, an address with a password by a seal.
//! - An action is current only if everything that it depends on is unchanged: the observed webhook, the request, the
//!   fingerprint of the token, and the new record.
//! - A token that was not resolved is represented by its source alone. [`SavedPlan::unseen_writes`] lists those that a
//!   plan would write.
//!
//! # Assumptions
//! The applying process has the key of the seals: the same API key, or the same `fingerprint_key`.
//!
//! # Caveats
//! Seals depend on serialized types of this version, so only the version that saved a plan can apply it.

mod basis;
mod difference;
mod sealed;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use basis::token_source;
use basis::{Item, TokenView, item, sets_token};
use difference::{action, difference, shown};
pub use sealed::{FORMAT_VERSION, NoPlan, OpenError, SealedPlan};

use crate::plan::{Plan, PlannedAction};
use crate::secret::{FingerprintKey, Salt, Seal};
use crate::webhook::Key;

/// The tokens that a dry run did not resolve, each with the seal of its source ([`token_source`]).
pub type UnseenTokens = BTreeMap<Key, Seal>;

/// A plan with the basis of each action.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedPlan {
    content: Content,
}

/// The sealed content (`content` of `schemas/saved-plan-v2.schema.json`). Private, so that only
/// [`SealedPlan::open`] returns a plan from a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    tool_version: String,
    made_at: String,
    terms: Terms,
    unseen_tokens: UnseenTokens,
    items: BTreeMap<Key, Item>,
    plan: Value,
    full: String,
    compact: String,
}

/// A plan as the dry run shows it, without a secret.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rendering {
    /// The document of `--output json`.
    pub document: Value,
    /// The text for people with every change, without color.
    pub full: String,
    /// The text for people with a line for each kind of change, without color.
    pub compact: String,
}

/// The target and options of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The name of the target.
    pub target: String,
    /// The base URL of the API, or [`SANDBOX`].
    pub api: String,
    /// The key patterns. An empty list selects all keys.
    pub only: Vec<String>,
    /// Whether orphans are deleted.
    pub prune: bool,
    /// Whether a token that cannot be compared is left alone, rather than written again.
    pub keep_unverified_secrets: bool,
}

/// [`Terms::api`] of a plan for the built-in emulator.
pub const SANDBOX: &str = "sandbox";

/// An action that is no longer current.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The key.
    pub key: Key,
    /// A description of the difference.
    pub difference: String,
}

/// The current state to compare a saved plan with.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// The current plan.
    pub plan: &'a Plan,
    /// The current plan, as `--output json` shows it.
    pub document: &'a Value,
    /// The seal of the source of each declared token ([`token_source`]).
    pub sources: &'a BTreeMap<Key, Seal>,
}

impl SavedPlan {
    /// Saves a plan. `made_at` is a timestamp in RFC 3339.
    pub fn of(
        plan: &Plan,
        rendering: Rendering,
        terms: Terms,
        unseen_tokens: UnseenTokens,
        key: &FingerprintKey,
        made_at: String,
    ) -> Self {
        let items = plan.actions.iter().filter_map(|planned| {
            let view = TokenView::of(&planned.key, &unseen_tokens);
            Some((planned.key.clone(), item(planned, view, key)?))
        });
        Self {
            content: Content {
                tool_version: env!("CARGO_PKG_VERSION").to_owned(),
                made_at,
                terms,
                items: items.collect(),
                unseen_tokens,
                plan: rendering.document,
                full: rendering.full,
                compact: rendering.compact,
            },
        }
    }

    /// Returns the target and options of the plan.
    pub const fn terms(&self) -> &Terms {
        &self.content.terms
    }

    /// Returns the version of hookctl that saved the plan.
    pub fn tool_version(&self) -> &str {
        &self.content.tool_version
    }

    /// Returns when the plan was saved, in RFC 3339.
    pub fn made_at(&self) -> &str {
        &self.content.made_at
    }

    /// Returns the plan as `--output json` shows it.
    pub const fn document(&self) -> &Value {
        &self.content.plan
    }

    /// Returns the text for people with every change.
    pub fn full(&self) -> &str {
        &self.content.full
    }

    /// Returns the text for people with a line for each kind of change.
    pub fn compact(&self) -> &str {
        &self.content.compact
    }

    /// Iterates over the keys whose tokens were not resolved.
    pub fn unseen_tokens(&self) -> impl Iterator<Item = &Key> {
        self.content.unseen_tokens.keys()
    }

    /// Returns the salts of the tokens' fingerprints, which comparing them requires.
    pub fn salts(&self) -> BTreeMap<Key, Salt> {
        let items = self.content.items.iter();
        items
            .filter_map(|(key, item)| Some((key.clone(), item.salt()?)))
            .collect()
    }

    /// Returns the keys whose tokens the current plan writes, but this plan did not resolve.
    pub fn unseen_writes(&self, now: &Plan) -> Vec<Key> {
        now.actions
            .iter()
            .filter(|planned| self.content.unseen_tokens.contains_key(&planned.key))
            .filter(|planned| sets_token(&planned.action))
            .map(|planned| planned.key.clone())
            .collect()
    }

    /// Returns the actions that are no longer current, by key. For a token that was not resolved, its source is compared,
    /// but not whether it is written.
    pub fn stale(&self, now: Now<'_>, key: &FingerprintKey) -> Vec<Stale> {
        let unseen = &self.content.unseen_tokens;
        let actions: BTreeMap<&Key, (&PlannedAction, Option<Item>)> = now
            .plan
            .actions
            .iter()
            .filter_map(|planned| {
                let view = TokenView::of(&planned.key, unseen);
                let item = item(planned, view, key);
                // An action that only writes an unresolved token has no basis to compare.
                let counts = item.is_some() || view == TokenView::Whole;
                counts.then_some((&planned.key, (&**planned, item)))
            })
            .collect();
        let items = &self.content.items;
        let keys: BTreeSet<&Key> = items.keys().chain(actions.keys().copied()).collect();
        let keys = keys.into_iter().chain(unseen.keys());
        let keys: BTreeSet<&Key> = keys.collect();
        keys.into_iter()
            .filter_map(|name| {
                let difference = if unseen
                    .get(name)
                    .is_some_and(|source| now.sources.get(name) != Some(source))
                {
                    "the source of its token changed after the plan was saved".to_owned()
                } else {
                    self.difference(name, &actions, now.document)?
                };
                Some(Stale {
                    key: name.clone(),
                    difference,
                })
            })
            .collect()
    }

    /// Describes how the action of a key differs. Returns `None` if it is current.
    fn difference(
        &self,
        name: &Key,
        actions: &BTreeMap<&Key, (&PlannedAction, Option<Item>)>,
        document: &Value,
    ) -> Option<String> {
        let then = shown(&self.content.plan, name);
        match (self.content.items.get(name), actions.get(name)) {
            (None, None) => None,
            (Some(saved), Some((_, Some(item)))) if saved == item => None,
            (Some(_), None) => {
                let word = then.map_or("act", |entry| action(entry));
                Some(format!(
                    "the plan says to {word} it, but no action is needed any more"
                ))
            }
            (None, Some((planned, _))) => Some(format!(
                "a new action ({}) is not part of the plan",
                planned.action.as_str()
            )),
            (Some(_), Some(_)) => Some(difference(then, shown(document, name))),
        }
    }
}

#[cfg(test)]
mod tests;
