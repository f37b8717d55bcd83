//! Last-applied state: what the API confirmed after the last write.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::secret::{Fingerprints, Followed, HIDDEN, may_be};
use crate::webhook::{EndpointUrl, Key, RemoteId, WebhookSpec, WorkflowAction, WorkflowActions};

/// The maximum number of hidden actions to match. Real webhooks have fewer; the limit bounds the time that a hostile API
/// can cost.
const MOST_HIDDEN_ACTIONS: usize = 32;

/// The records of all bound webhooks, by key.
pub type LastApplied = BTreeMap<Key, AppliedRecord>;

/// The record of a bound webhook: its binding, and its last confirmed state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedRecord {
    /// The binding: the remote webhook of the key.
    pub id: RemoteId,
    /// The fields as sent, or as found if nothing had to be sent.
    pub sent: WebhookSpec,
    /// The fields as the API stored them, which may have another form.
    pub stored: WebhookSpec,
    /// The fingerprints of the token that hookctl set. `None` if it set none, or cleared it.
    pub token: Option<Fingerprints>,
    /// Recorded so that it still protects the webhook after its declaration is deleted.
    pub prevent_destroy: bool,
    /// The declared fields of a rolled-back webhook. While its declaration has them, the webhook is held: left alone, so
    /// that no later pass undoes the rollback.
    pub held: Option<Box<WebhookSpec>>,
}

impl AppliedRecord {
    /// Returns the record with the secrets hidden that the API stores in public fields.
    ///
    /// Sent values come from files and stay, unless they equal the stored value: then they may come from the API.
    #[must_use]
    pub fn hiding(&self, followed: &Followed) -> Self {
        let mut record = self.clone();
        if let Some(name) = followed.hidden(&self.stored.name) {
            if self.sent.name == self.stored.name {
                record.sent.name.clone_from(&name);
            }
            record.stored.name = name;
        }
        if let Some(url) = followed.hidden(self.stored.url.as_str()) {
            let url = EndpointUrl::from_remote(url);
            if self.sent.url == self.stored.url {
                record.sent.url.clone_from(&url);
            }
            record.stored.url = url;
        }
        for spec in [&mut record.sent, &mut record.stored] {
            // Files cannot declare unknown actions, so even those recorded as sent came from the API.
            let hidden = spec.actions.with_unknown(|name| followed.hidden(name));
            if let Some(hidden) = hidden {
                spec.actions = hidden;
            }
        }
        record
    }

    /// Returns the record with its hidden parts restored from the observed values, if the rest of the value is equal, so
    /// that a hidden secret does not show as drift. A value with other hidden parts stays different from any.
    pub fn revealed(&self, observed: &WebhookSpec) -> Cow<'_, Self> {
        let name = may_be(&self.stored.name, &observed.name);
        let url = may_be(self.stored.url.as_str(), observed.url.as_str());
        let actions = may_be_actions(&self.stored.actions, &observed.actions);
        if !name && !url && !actions {
            return Cow::Borrowed(self);
        }
        let mut record = self.clone();
        if name {
            if self.sent.name == self.stored.name {
                record.sent.name.clone_from(&observed.name);
            }
            record.stored.name.clone_from(&observed.name);
        }
        if url {
            if self.sent.url == self.stored.url {
                record.sent.url.clone_from(&observed.url);
            }
            record.stored.url.clone_from(&observed.url);
        }
        if actions {
            if self.sent.actions == self.stored.actions {
                record.sent.actions.clone_from(&observed.actions);
            }
            record.stored.actions.clone_from(&observed.actions);
        }
        Cow::Owned(record)
    }
}

/// Returns whether the actions match the stored ones, with one action in place of each hidden one. Returns `false` if
/// nothing is hidden.
fn may_be_actions(stored: &WorkflowActions, actions: &WorkflowActions) -> bool {
    let names = stored.iter().map(WorkflowAction::as_str);
    let (mut hidden, plain): (Vec<&str>, Vec<&str>) = names.partition(|name| name.contains(HIDDEN));
    let plain: BTreeSet<&str> = plain.into_iter().collect();
    if hidden.is_empty() || hidden.len() > MOST_HIDDEN_ACTIONS || stored.len() != actions.len() {
        return false;
    }
    let others = actions.iter().map(WorkflowAction::as_str);
    let mut others: Vec<&str> = others.filter(|name| !plain.contains(name)).collect();
    if others.len() != hidden.len() {
        return false;
    }
    // The longest remaining text is the most specific, so it is matched first.
    hidden.sort_by_key(|name| std::cmp::Reverse(name.len()));
    hidden.into_iter().all(|name| {
        let found = others.iter().position(|other| may_be(name, other));
        found.map(|index| others.swap_remove(index)).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const TOKEN: &str = "hunter2-hunter2";

    fn spec(name: &str, url: &str) -> WebhookSpec {
        WebhookSpec {
            name: name.to_owned(),
            url: EndpointUrl::from_remote(url.to_owned()),
            actions: WorkflowActions::all(),
            enabled: true,
            timeout_seconds: 10,
            max_retries: 3,
            retry_backoff_seconds: 10,
        }
    }

    fn record(sent: WebhookSpec, stored: WebhookSpec) -> AppliedRecord {
        AppliedRecord {
            id: RemoteId::parse("an-id").unwrap(),
            sent,
            stored,
            token: None,
            prevent_destroy: false,
            held: None,
        }
    }

    #[test]
    fn what_the_api_made_of_a_secret_is_hidden_and_is_no_drift() {
        let followed = Followed::default();
        followed.follow(&Secret::new(TOKEN.to_owned()).unwrap());
        let plain = spec("a", "https://a.example/");
        let echoed = spec(
            &format!("a {TOKEN}!"),
            &format!("https://a.example/?k={TOKEN}"),
        );
        // Sent and stored in another form; adopted unchanged; sent with a secret that the file contains.
        for (sent, stored) in [(&plain, &echoed), (&echoed, &echoed), (&echoed, &plain)] {
            let record = record(sent.clone(), stored.clone());
            let hidden = record.hiding(&followed);
            let shows =
                |spec: &WebhookSpec| format!("{spec:?} {}", spec.url.as_str()).contains(TOKEN);
            assert!(!shows(&hidden.stored));
            assert_eq!(shows(&hidden.sent), *sent == echoed && *stored == plain);
            assert_eq!(*hidden.revealed(stored), record);
        }
        // A change next to the secret is drift.
        let hidden = record(plain, echoed).hiding(&followed);
        let other = spec(&format!("b {TOKEN}!"), "https://b.example/");
        assert_eq!(*hidden.revealed(&other), hidden);
        assert!(!other.field_equals(&hidden.stored, crate::webhook::Field::Name));
    }

    #[test]
    fn a_secret_in_an_unknown_action_is_hidden_and_is_no_drift() {
        let followed = Followed::default();
        followed.follow(&Secret::new(TOKEN.to_owned()).unwrap());
        let with = |names: &[&str]| WebhookSpec {
            actions: names.iter().copied().map(WorkflowAction::from).collect(),
            ..spec("a", "https://a.example/")
        };
        let echoed = format!("x_{TOKEN}");
        let plain = with(&["workflow_created"]);
        let stored = with(&["workflow_created", &echoed, TOKEN, "zebra"]);
        for sent in [&plain, &stored] {
            let record = record(sent.clone(), stored.clone());
            let hidden = record.hiding(&followed);
            assert!(!format!("{hidden:?}").contains(TOKEN));
            assert_eq!(*hidden.revealed(&stored), record);
            for other in [
                &["workflow_created", &echoed, "zebra"][..],
                &["workflow_created", &echoed, TOKEN, "zebra", "more"],
                &["workflow_updated", &echoed, TOKEN, "zebra"],
                &["workflow_created", "y_1", "y_2", "zebra"],
            ] {
                assert_eq!(*hidden.revealed(&with(other)), hidden, "{other:?}");
            }
        }
        // The sent actions may contain one that the API no longer has.
        let hidden = record(stored, plain.clone()).hiding(&followed);
        assert!(!format!("{hidden:?}").contains(TOKEN));
        assert_eq!(*hidden.revealed(&plain), hidden);
    }
}
