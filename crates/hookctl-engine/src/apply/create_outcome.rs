//! The outcome of a create without a response, from a fresh list. Pure.

use std::collections::BTreeSet;

use hookctl_core::state::{ObservedState, ObservedWebhook};
use hookctl_core::webhook::{RemoteId, WebhookSpec, normal_name};

/// The outcome of a create without a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CreateOutcome {
    /// The list contains no matching webhook.
    NotCreated,
    /// The create succeeded with this webhook.
    Created(ObservedWebhook),
    /// Several webhooks match.
    Several(Vec<RemoteId>),
    /// No readable webhook matches, but these unreadable ones may.
    Unreadable(Vec<RemoteId>),
}

/// Determines the outcome of a create: searches for a new, unbound webhook with the sent name and URL. `known` contains the
/// ids that existed before, or that are bound by now, which never match.
pub(super) fn create_outcome(
    sent: &WebhookSpec,
    known: &BTreeSet<RemoteId>,
    fresh: &ObservedState,
) -> CreateOutcome {
    let mut matches = fresh
        .webhooks
        .values()
        .filter(|webhook| !known.contains(&webhook.id) && sent.looks_like(&webhook.spec));
    match (matches.next(), matches.next()) {
        (None, _) => {
            let names = BTreeSet::from([normal_name(&sent.name)]);
            let unreadable: Vec<_> = fresh
                .unreadable
                .values()
                .filter(|webhook| !known.contains(&webhook.id) && webhook.may_be_named(&names))
                .map(|webhook| webhook.id.clone())
                .collect();
            if unreadable.is_empty() {
                CreateOutcome::NotCreated
            } else {
                CreateOutcome::Unreadable(unreadable)
            }
        }
        (Some(found), None) => CreateOutcome::Created(found.clone()),
        (Some(first), Some(second)) => CreateOutcome::Several(
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
    use hookctl_core::state::{FieldFlaw, UnreadableWebhook};
    use hookctl_core::webhook::{EndpointUrl, WorkflowActions};

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
        let look = |fresh: Vec<ObservedWebhook>| {
            create_outcome(&sent, &known, &fresh.into_iter().collect())
        };
        assert_eq!(
            look(vec![webhook("old", "Billing"), webhook("new", "Other")]),
            CreateOutcome::NotCreated
        );
        assert_eq!(
            look(vec![webhook("old", "Billing"), webhook("new", "Billing ")]),
            CreateOutcome::Created(webhook("new", "Billing "))
        );
        let mut fresh: ObservedState = [webhook("new", "Other")].into_iter().collect();
        for (name, may_be_it) in [
            (Some("Other"), false),
            (Some(" Billing"), true),
            (None, true),
        ] {
            let id = RemoteId::parse("odd").unwrap();
            let odd = UnreadableWebhook {
                id: id.clone(),
                name: name.map(str::to_owned),
                field: "url",
                flaw: FieldFlaw::Missing,
            };
            fresh.unreadable.insert(id.clone(), odd);
            let expected = if may_be_it {
                CreateOutcome::Unreadable(vec![id])
            } else {
                CreateOutcome::NotCreated
            };
            assert_eq!(create_outcome(&sent, &known, &fresh), expected, "{name:?}");
        }
        assert!(matches!(
            look(vec![webhook("a", "Billing"), webhook("b", "Billing")]),
            CreateOutcome::Several(ids) if ids.len() == 2
        ));
    }
}
