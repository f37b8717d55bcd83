//! A plan that is reviewed now and applied later: what it was bound to, and whether that still holds.
//!
//! # Expected flow
//! [`SavedPlan::of`] is made by a dry run, and [`SavedPlan::to_file`] is its file. To apply it, the file becomes a
//! [`SealedPlan`], which says nothing of what it holds. [`SealedPlan::open`] checks the seal and returns the plan.
//! The plan is then made again from the files, the record, and the API as they are, and [`SavedPlan::stale`]
//! compares the two, action by action.
//!
//! # Guarantees
//! - A plan comes out of a file only if every byte of the file is as it was written, by a holder of the key.
//! - No secret is in the file. A token is bound by its fingerprint, an address with a password by a seal.
//! - An action is the same only if everything that it depends on is: the webhook as observed, what is
//!   sent, the fingerprint of the token, and what will be remembered.
//! - A token that was not resolved is bound by its source alone, and [`SavedPlan::unseen_writes`] names each that
//!   a plan would write.
//!
//! # Assumptions
//! The process that applies has the key that seals were made with: the same API key, or the same `fingerprint_key`.
//!
//! # Caveats
//! Seals are made from this version's own forms, so a plan is good for the version that made it.

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

/// The tokens that a dry run did not resolve: for each the seal of its source ([`token_source`]).
pub type UnseenTokens = BTreeMap<Key, Seal>;

/// A plan, and what each of its actions is bound to.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedPlan {
    content: Content,
}

/// What is sealed (`content` of `schemas/saved-plan-v2.schema.json`). It is private, so that a plan comes out of a
/// file through its seal alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    tool_version: String,
    made_at: String,
    terms: Terms,
    unseen_tokens: UnseenTokens,
    items: BTreeMap<Key, Item>,
    plan: Value,
}

/// What a plan was made for and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The target's name.
    pub target: String,
    /// The API's base URL, or [`SANDBOX`].
    pub api: String,
    /// The key patterns; none means all.
    pub only: Vec<String>,
    /// Whether orphans are deleted.
    pub prune: bool,
    /// Whether a token that cannot be compared is left, rather than written once more.
    pub keep_unverified_secrets: bool,
}

/// The API of a plan for the built-in emulator.
pub const SANDBOX: &str = "sandbox";

/// An action that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The key.
    pub key: Key,
    /// What differs, in words.
    pub difference: String,
}

/// What a saved plan is compared with.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    /// The plan of now.
    pub plan: &'a Plan,
    /// The same as `--output json` shows it.
    pub document: &'a Value,
    /// The source of each token that is declared now, sealed ([`token_source`]).
    pub sources: &'a BTreeMap<Key, Seal>,
}

impl SavedPlan {
    /// A plan with what its actions are bound to. `document` is the plan as `--output json` shows it; `made_at` is
    /// in RFC 3339.
    pub fn of(
        plan: &Plan,
        document: Value,
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
                plan: document,
            },
        }
    }

    /// What it was made for and how.
    pub const fn terms(&self) -> &Terms {
        &self.content.terms
    }

    /// The version of hookctl that made it.
    pub fn tool_version(&self) -> &str {
        &self.content.tool_version
    }

    /// The keys whose tokens it does not see.
    pub fn unseen_tokens(&self) -> impl Iterator<Item = &Key> {
        self.content.unseen_tokens.keys()
    }

    /// The salts that tokens have to be compared with.
    pub fn salts(&self) -> BTreeMap<Key, Salt> {
        let items = self.content.items.iter();
        items
            .filter_map(|(key, item)| Some((key.clone(), item.salt()?)))
            .collect()
    }

    /// The keys whose tokens a plan would write without this one having seen them.
    pub fn unseen_writes(&self, now: &Plan) -> Vec<Key> {
        now.actions
            .iter()
            .filter(|planned| self.content.unseen_tokens.contains_key(&planned.key))
            .filter(|planned| sets_token(&planned.action))
            .map(|planned| planned.key.clone())
            .collect()
    }

    /// What is not as it was when the plan was made, by key: nothing if the whole plan still holds. Whether a token
    /// that the plan does not see is written is no part of it; where the token comes from is.
    pub fn stale(&self, now: Now<'_>, key: &FingerprintKey) -> Vec<Stale> {
        let unseen = &self.content.unseen_tokens;
        let actions: BTreeMap<&Key, (&PlannedAction, Option<Item>)> = now
            .plan
            .actions
            .iter()
            .filter_map(|planned| {
                let view = TokenView::of(&planned.key, unseen);
                let item = item(planned, view, key);
                // Nothing is left of an action that only writes a token which was not seen.
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
                    "its token comes from another place than when the plan was made".to_owned()
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

    /// What differs in the action of a key, in words.
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
                    "the plan says to {word} it, and there is nothing to do any more"
                ))
            }
            (None, Some((planned, _))) => Some(format!(
                "there is something to do ({}) that the plan does not have",
                planned.action.as_str()
            )),
            (Some(_), Some(_)) => Some(difference(then, shown(document, name))),
        }
    }
}

#[cfg(test)]
mod tests;
