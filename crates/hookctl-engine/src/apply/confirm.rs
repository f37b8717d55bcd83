//! Comparison of a write with its response. Pure.
//!
//! Three differences are possible. The API may store another form of a value, which is recorded, so that the value is not
//! sent again. It may store another value, which is an error. And another writer may have changed a field that was not
//! sent, after the list was read.

use crate::report::{FieldMismatch, Remark};
use hookctl_core::secret::Fingerprints;
use hookctl_core::state::{AppliedRecord, ObservedWebhook, Written};
use hookctl_core::webhook::{Attribute, Field, FieldValue, TokenChange, WebhookSpec, names_match};

/// A write, and the webhook before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The webhook on the list. `None` for a create, which sends every field.
    pub(super) before: Option<&'a ObservedWebhook>,
    /// The fields sent.
    pub(super) sent: &'a [Field],
    /// The change of the token.
    pub(super) token: TokenChange<()>,
    /// The record after a success. Its `spec` contains the values sent.
    pub(super) record: &'a Written<Fingerprints>,
}

/// The result of the comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Confirmation {
    /// The record to write.
    pub(super) record: AppliedRecord,
    /// Differences that are not errors.
    pub(super) remarks: Vec<Remark>,
    /// The fields that the API stores with other values than were sent.
    pub(super) mismatches: Vec<FieldMismatch>,
}

/// Compares a response with its request.
pub(super) fn confirm(asked: Asked<'_>, answer: &ObservedWebhook) -> Confirmation {
    let mut confirmation = Confirmation {
        record: asked.record.confirmed(answer),
        remarks: Vec::new(),
        mismatches: Vec::new(),
    };
    for field in Field::ALL {
        if asked.before.is_none() || asked.sent.contains(&field) {
            confirm_sent(&mut confirmation, field, &asked.record.spec, &answer.spec);
        } else if let Some(before) = asked.before
            && !before.spec.field_equals(&answer.spec, field)
        {
            // The earlier value is recorded as stored, so that the next plan sees the drift.
            confirmation.record.stored.copy_field(&before.spec, field);
            confirmation.remarks.push(Remark::ConcurrentEdit {
                field: field.into(),
                before: before.spec.get(field).to_string(),
                now: answer.spec.get(field).to_string(),
            });
        }
    }
    confirm_token(&mut confirmation, asked, answer);
    confirmation
}

fn confirm_sent(
    confirmation: &mut Confirmation,
    field: Field,
    sent: &WebhookSpec,
    stored: &WebhookSpec,
) {
    if sent.field_equals(stored, field) {
        return;
    }
    if is_other_form(field, sent, stored) {
        confirmation.remarks.push(Remark::StoredOtherwise {
            field,
            sent: sent.get(field),
            stored: stored.get(field),
        });
    } else {
        // The stored value is recorded as sent, so that the next plan does not treat it as the API's form.
        confirmation.record.sent.copy_field(stored, field);
        confirmation.mismatches.push(FieldMismatch {
            field: field.into(),
            sent: sent.get(field).to_string(),
            stored: stored.get(field).to_string(),
        });
    }
}

/// Returns whether the stored value is another form of the sent one, rather than another value.
pub(super) fn is_other_form(field: Field, sent: &WebhookSpec, stored: &WebhookSpec) -> bool {
    match (sent.get(field), stored.get(field)) {
        (FieldValue::Text(sent), FieldValue::Text(stored)) => names_match(&sent, &stored),
        (FieldValue::Url(sent), FieldValue::Url(stored)) => sent.is_equivalent_to(&stored),
        _ => false,
    }
}

fn confirm_token(confirmation: &mut Confirmation, asked: Asked<'_>, answer: &ObservedWebhook) {
    let presence = |present: bool| if present { "a token" } else { "no token" }.to_owned();
    let expected = match asked.token {
        TokenChange::Set(()) => true,
        TokenChange::Clear => false,
        TokenChange::Keep => {
            if let Some(before) = asked.before
                && before.has_bearer_token != answer.has_bearer_token
            {
                confirmation.remarks.push(Remark::ConcurrentEdit {
                    field: Attribute::BearerToken,
                    before: presence(before.has_bearer_token),
                    now: presence(answer.has_bearer_token),
                });
            }
            return;
        }
    };
    if expected != answer.has_bearer_token {
        confirmation.record.token = None;
        confirmation.mismatches.push(FieldMismatch {
            field: Attribute::BearerToken,
            sent: presence(expected),
            stored: presence(answer.has_bearer_token),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookctl_core::webhook::{EndpointUrl, RemoteId, WorkflowActions};

    fn spec() -> WebhookSpec {
        WebhookSpec {
            name: "Billing".into(),
            url: EndpointUrl::from_remote("https://a.example/x".into()),
            actions: WorkflowActions::all(),
            enabled: true,
            timeout_seconds: 10,
            max_retries: 3,
            retry_backoff_seconds: 10,
        }
    }

    fn observed(spec: WebhookSpec, has_bearer_token: bool) -> ObservedWebhook {
        ObservedWebhook {
            id: RemoteId::parse("5eb7cf5a86d9755df3a6c593").unwrap(),
            spec,
            has_bearer_token,
        }
    }

    fn record(spec: WebhookSpec) -> Written<Fingerprints> {
        Written {
            spec,
            token: None,
            prevent_destroy: false,
            held: None,
        }
    }

    #[test]
    fn an_answer_as_asked_leaves_nothing_to_say() {
        let record = record(spec());
        let asked = Asked {
            before: None,
            sent: &[],
            token: TokenChange::Clear,
            record: &record,
        };
        let confirmation = confirm(asked, &observed(spec(), false));
        assert_eq!(confirmation.remarks, []);
        assert_eq!(confirmation.mismatches, []);
        assert_eq!(confirmation.record.stored, spec());
    }

    #[test]
    fn another_form_is_learned() {
        let record = record(WebhookSpec {
            url: EndpointUrl::from_remote("https://A.example/x/".into()),
            name: " Billing ".into(),
            ..spec()
        });
        let stored = WebhookSpec {
            url: EndpointUrl::from_remote("https://a.example/x".into()),
            ..spec()
        };
        let asked = Asked {
            before: None,
            sent: &[],
            token: TokenChange::Clear,
            record: &record,
        };
        let confirmation = confirm(asked, &observed(stored.clone(), false));
        assert_eq!(confirmation.mismatches, []);
        // Names are compared in normal form, so the name is not a difference.
        assert_eq!(confirmation.remarks.len(), 1);
        assert_eq!(confirmation.record.sent, record.spec);
        assert_eq!(confirmation.record.stored, stored);
    }

    #[test]
    fn a_field_that_was_not_stored_is_an_error_now_and_a_difference_next_time() {
        let record = record(WebhookSpec {
            timeout_seconds: 20,
            ..spec()
        });
        let before = observed(spec(), false);
        let asked = Asked {
            before: Some(&before),
            sent: &[Field::TimeoutSeconds],
            token: TokenChange::Keep,
            record: &record,
        };
        let confirmation = confirm(asked, &before);
        assert_eq!(
            confirmation.mismatches.first().unwrap().to_string(),
            "timeout_seconds was sent as 20, but the API stores 10"
        );
        assert_eq!(confirmation.record.sent.timeout_seconds, 10);
    }

    #[test]
    fn a_concurrent_edit_is_reported_and_stays_a_drift() {
        let record = record(WebhookSpec {
            timeout_seconds: 20,
            ..spec()
        });
        let before = observed(spec(), false);
        let answer = observed(
            WebhookSpec {
                timeout_seconds: 20,
                enabled: false,
                ..spec()
            },
            true,
        );
        let asked = Asked {
            before: Some(&before),
            sent: &[Field::TimeoutSeconds],
            token: TokenChange::Keep,
            record: &record,
        };
        let confirmation = confirm(asked, &answer);
        assert_eq!(confirmation.mismatches, []);
        assert_eq!(
            confirmation.remarks,
            [
                Remark::ConcurrentEdit {
                    field: Field::Enabled.into(),
                    before: "true".into(),
                    now: "false".into()
                },
                Remark::ConcurrentEdit {
                    field: Attribute::BearerToken,
                    before: "no token".into(),
                    now: "a token".into()
                },
            ]
        );
        assert!(confirmation.record.stored.enabled);
        assert_eq!(confirmation.record.stored.timeout_seconds, 20);
    }

    #[test]
    fn a_token_that_was_not_stored_is_not_remembered() {
        let record = record(spec());
        let asked = Asked {
            before: None,
            sent: &[],
            token: TokenChange::Set(()),
            record: &record,
        };
        let confirmation = confirm(asked, &observed(spec(), false));
        assert_eq!(
            confirmation.mismatches.first().unwrap().to_string(),
            "bearer_token was sent as a token, but the API stores no token"
        );
    }
}
