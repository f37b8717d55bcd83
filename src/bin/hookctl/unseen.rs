//! Tokens that a saved plan did not see: which ones, and what becomes of them.

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

/// How many keys a message names.
const NAMED: usize = 20;

/// What becomes of tokens that the plan did not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum UnseenTokens {
    /// Write them.
    Apply,
    /// Leave them as they are at the API.
    Keep,
}

/// The source of every declared token, sealed.
pub(crate) fn sources(declarations: &Declarations, key: &FingerprintKey) -> BTreeMap<Key, Seal> {
    declarations
        .secret_sources()
        .map(|(name, source)| (name.clone(), token_source(source, key)))
        .collect()
}

/// The keys whose tokens a plan may not write: the saved plan did not see them, and no one said to write them.
pub(crate) fn forbidden(saved: &SavedPlan, plan: &Plan, choice: Option<UnseenTokens>) -> Vec<Key> {
    match choice {
        Some(UnseenTokens::Apply) => Vec::new(),
        Some(UnseenTokens::Keep) | None => saved.unseen_writes(plan),
    }
}

/// What of a plan that leaves unseen tokens cannot be applied: a webhook that is made needs its token.
pub(crate) fn left_out(saved: &SavedPlan, plan: &Plan) -> impl Iterator<Item = Stale> {
    let keys = saved.unseen_writes(plan).into_iter();
    keys.map(|key| Stale {
        key,
        difference: "it would be made with a token that the plan did not see".to_owned(),
    })
}

/// Says why nothing is applied.
pub(crate) fn refused(keys: &[Key], choice: Option<UnseenTokens>) -> CommandError {
    let listed = listed(keys);
    let (message, help) = match choice {
        Some(_) => (
            format!("{listed} would be made with a token that the plan did not see"),
            "a webhook that is made needs its token: add --unseen-tokens apply, or leave these out \
             with --partial",
        ),
        None => (
            format!("the plan did not see the tokens of {listed}, and would write them"),
            "--unseen-tokens apply writes them, --unseen-tokens keep leaves them as they are",
        ),
    };
    CommandError::new("unseen-tokens", message)
        .help(help)
        .status(ExitStatus::Refused)
}

/// Says what became of tokens that were not seen.
pub(crate) fn notice(keys: &[Key], choice: UnseenTokens) -> Message {
    let listed = listed(keys);
    let message = match choice {
        UnseenTokens::Apply => {
            format!("the plan did not see the tokens of {listed}; they are written as asked")
        }
        UnseenTokens::Keep => {
            format!("the plan did not see the tokens of {listed}; they are left as they are")
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
