//! The secrets that this process followed, hidden in every text of others that it shows.
//!
//! One filter for the process, since whoever shows something seldom is who followed a secret.

use std::sync::{Arc, PoisonError, RwLock};

use hookctl::plan::{Change, Plan};
use hookctl::record::{ActionResult, Outcome, Remark};
use hookctl::render::Message;
use hookctl::secret::{Filter, Secret};
use hookctl::webhook::{EndpointUrl, FieldValue};

static FOLLOWED: RwLock<Followed> = RwLock::new(Followed {
    filter: Filter::new(),
    keys: Vec::new(),
});

/// What was followed, and those of it that stay as long as the process.
struct Followed {
    filter: Filter,
    keys: Vec<Secret>,
}

/// Hides a key from now on.
pub(crate) fn follow_key(key: &Secret) {
    let mut followed = FOLLOWED.write().unwrap_or_else(PoisonError::into_inner);
    followed.filter.follow(key);
    followed.keys.push(key.clone());
}

/// Hides a token until [`forget_tokens`].
pub(crate) fn follow_token(token: &Secret) {
    let mut followed = FOLLOWED.write().unwrap_or_else(PoisonError::into_inner);
    followed.filter.follow(token);
}

/// Forgets the tokens: a watch that waits holds none, and follows them anew before it sends one.
pub(crate) fn forget_tokens() {
    let mut followed = FOLLOWED.write().unwrap_or_else(PoisonError::into_inner);
    let mut filter = Filter::new();
    for key in &followed.keys {
        filter.follow(key);
    }
    followed.filter = filter;
}

/// Returns the text without the secrets that were followed.
pub(crate) fn masked(text: &str) -> String {
    let followed = FOLLOWED.read().unwrap_or_else(PoisonError::into_inner);
    followed.filter.masked(text).into_owned()
}

/// Masks the texts of a message; not its code, nor its place.
pub(crate) fn message(message: Message) -> Message {
    Message {
        message: masked(&message.message),
        help: message.help.as_deref().map(masked),
        ..message
    }
}

/// Masks what a plan shows of the webhooks at the API. The requests are made from its actions, which stay.
pub(crate) fn plan(plan: &mut Plan) {
    for planned in &mut plan.actions {
        let leaks = planned.changes.iter().any(|change| match change {
            Change::Field { from, .. } => from.iter().any(is_secret),
            Change::Token { .. } => false,
        });
        if !leaks {
            continue;
        }
        for change in &mut Arc::make_mut(planned).changes {
            if let Change::Field { from, .. } = change {
                from.iter_mut().for_each(value);
            }
        }
    }
}

fn is_secret(value: &FieldValue) -> bool {
    match value {
        FieldValue::Text(text) => masked(text) != *text,
        FieldValue::Url(url) => masked(url.as_str()) != url.as_str(),
        FieldValue::Actions(_) | FieldValue::Flag(_) | FieldValue::Number(_) => false,
    }
}

fn value(value: &mut FieldValue) {
    match value {
        FieldValue::Text(text) => *text = masked(text),
        FieldValue::Url(url) => *url = EndpointUrl::from_remote(masked(url.as_str())),
        FieldValue::Actions(_) | FieldValue::Flag(_) | FieldValue::Number(_) => {}
    }
}

/// Masks what the API said of an action.
pub(crate) fn result(result: &mut ActionResult) {
    match &mut result.outcome {
        Outcome::Applied { remarks, .. } => {
            for remark in remarks {
                match remark {
                    Remark::StoredOtherwise { sent, stored, .. } => {
                        [sent, stored].into_iter().for_each(value);
                    }
                    Remark::ConcurrentEdit { before, now, .. } => {
                        for text in [before, now] {
                            *text = masked(text);
                        }
                    }
                    Remark::FoundAfterNoAnswer => {}
                }
            }
        }
        Outcome::Failed { error, .. } | Outcome::Pending { error, .. } => *error = masked(error),
        Outcome::Held | Outcome::NotAttempted => {}
    }
}
