//! Did that create happen? Pure: a look at a fresh list.

use std::collections::BTreeSet;

use crate::state::{ObservedState, ObservedWebhook};
use crate::webhook::{RemoteId, WebhookSpec};

/// What a fresh list says about a create without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trace {
    /// It did not happen.
    None,
    /// It happened: this is it.
    One(ObservedWebhook),
    /// More than one webhook could be it.
    Several(Vec<RemoteId>),
}

/// Looks for a webhook that is new, that nobody is bound to, and that has the name and URL that were
/// sent. `known` are the ids that were there before, or that are ours by now: never taken for it.
pub(super) fn trace(
    sent: &WebhookSpec,
    known: &BTreeSet<RemoteId>,
    fresh: &ObservedState,
) -> Trace {
    let mut matches = fresh
        .webhooks
        .values()
        .filter(|webhook| !known.contains(&webhook.id) && sent.looks_like(&webhook.spec));
    match (matches.next(), matches.next()) {
        (None, _) => Trace::None,
        (Some(found), None) => Trace::One(found.clone()),
        (Some(first), Some(second)) => Trace::Several(
            [first, second]
                .into_iter()
                .chain(matches)
                .map(|webhook| webhook.id.clone())
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::{EndpointUrl, WorkflowActions};

    fn webhook(id: &str, name: &str) -> ObservedWebhook {
        ObservedWebhook {
            id: RemoteId::parse(id).unwrap(),
            spec: WebhookSpec {
                name: name.into(),
                url: EndpointUrl::from_remote("https://a.example/x".into()),
                actions: WorkflowActions::all(),
                enabled: true,
                timeout_seconds: 10,
                max_retries: 3,
                retry_backoff_seconds: 10,
            },
            has_bearer_token: false,
        }
    }

    #[test]
    fn only_what_is_new_and_alike_is_taken() {
        let sent = webhook("x", "Billing").spec;
        let known = BTreeSet::from([RemoteId::parse("old").unwrap()]);
        let look = |fresh: Vec<ObservedWebhook>| trace(&sent, &known, &fresh.into_iter().collect());
        assert_eq!(
            look(vec![webhook("old", "Billing"), webhook("new", "Other")]),
            Trace::None
        );
        assert_eq!(
            look(vec![webhook("old", "Billing"), webhook("new", "Billing ")]),
            Trace::One(webhook("new", "Billing "))
        );
        assert!(matches!(
            look(vec![webhook("a", "Billing"), webhook("b", "Billing")]),
            Trace::Several(ids) if ids.len() == 2
        ));
    }
}
