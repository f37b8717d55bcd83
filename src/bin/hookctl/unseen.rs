//! Tokens that a saved plan did not see.

use std::collections::BTreeMap;

use clap::ValueEnum;
use hookctl::declaration::Declarations;
use hookctl::plan::Plan;
use hookctl::render::Message;
use hookctl::saved::{SavedPlan, Stale, token_source};
use hookctl::secret::{FingerprintKey, Seal};
use hookctl::webhook::Key;

use crate::error::CommandError;
use crate::exit_status::ExitStatus;

/// The most keys that a message lists.
const NAMED: usize = 20;

/// What to do with tokens that the plan did not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum UnseenTokens {
    /// Write them
    Apply,
    /// Keep those at the API
    Keep,
}

/// Returns the sealed source of every declared token.
pub(crate) fn sources(declarations: &Declarations, key: &FingerprintKey) -> BTreeMap<Key, Seal> {
    declarations
        .secret_sources()
        .map(|(name, source)| (name.clone(), token_source(source, key)))
        .collect()
}

/// Returns the keys whose tokens may not be written: the saved plan did not see them, and no flag allows it.
pub(crate) fn forbidden(saved: &SavedPlan, plan: &Plan, choice: Option<UnseenTokens>) -> Vec<Key> {
    match choice {
        Some(UnseenTokens::Apply) => Vec::new(),
        Some(UnseenTokens::Keep) | None => saved.unseen_writes(plan),
    }
}

/// Returns the actions that cannot be applied without their unseen tokens: a new webhook needs its token.
pub(crate) fn left_out(saved: &SavedPlan, plan: &Plan) -> impl Iterator<Item = Stale> {
    let keys = saved.unseen_writes(plan).into_iter();
    keys.map(|key| Stale {
        key,
        difference: "it would be created with a token that the plan did not see".to_owned(),
    })
}

/// Returns the error for tokens that the plan did not see.
pub(crate) fn refused(keys: &[Key], choice: Option<UnseenTokens>) -> CommandError {
    let listed = listed(keys);
    let (message, hints) = match choice {
        Some(_) => (
            format!("{listed} would be created with a token that the plan did not see"),
            [
                "add --unseen-tokens apply: a new webhook needs its token",
                "skip these webhooks with --partial",
            ],
        ),
        None => (
            format!("the plan did not see the tokens of {listed}, and would write them"),
            [
                "add --unseen-tokens apply to write them",
                "add --unseen-tokens keep to keep those at the API",
            ],
        ),
    };
    CommandError::new("unseen-tokens", message)
        .hints(hints.map(str::to_owned))
        .status(ExitStatus::Refused)
}

/// Returns the notice about what was done with unseen tokens.
pub(crate) fn notice(keys: &[Key], choice: UnseenTokens) -> Message {
    let listed = listed(keys);
    let message = match choice {
        UnseenTokens::Apply => {
            format!("the plan did not see the tokens of {listed}; they are written, as requested")
        }
        UnseenTokens::Keep => {
            format!("the plan did not see the tokens of {listed}; those at the API are kept")
        }
    };
    Message::notice("unseen-tokens", message)
}

fn listed(keys: &[Key]) -> String {
    let named: Vec<String> = keys
        .iter()
        .take(NAMED)
        .map(|key| format!("'{key}'"))
        .collect();
    let named = named.join(", ");
    match keys.len().checked_sub(NAMED) {
        None | Some(0) => named,
        Some(more) => format!("{named}, and {more} more"),
    }
}
