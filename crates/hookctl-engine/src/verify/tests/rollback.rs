//! What a rollback sets back.

use super::super::{NoRollback, Rollback};
use hookctl_core::plan::{Action, Patch, PlannedAction, Update};
use hookctl_core::state::{AppliedRecord, ObservedWebhook, TokenEvidence, Written};
use hookctl_core::webhook::{EndpointUrl, Field, Key, RemoteId, TokenChange, WebhookSpec};
use hookctl_testing::spec;

fn id() -> RemoteId {
    RemoteId::parse("5eb7cf5a86d9755df3a6c593").unwrap()
}

fn at(url: &str, timeout_seconds: i64, name: &str) -> WebhookSpec {
    WebhookSpec {
        url: EndpointUrl::from_remote(url.to_owned()),
        name: name.to_owned(),
        ..spec(timeout_seconds)
    }
}

fn observed(spec: &WebhookSpec) -> ObservedWebhook {
    ObservedWebhook {
        id: id(),
        spec: spec.clone(),
        has_bearer_token: false,
    }
}

fn written<T>(spec: &WebhookSpec) -> Written<T> {
    Written {
        spec: spec.clone(),
        token: None,
        prevent_destroy: true,
        held: None,
    }
}

fn record(spec: &WebhookSpec) -> AppliedRecord {
    AppliedRecord {
        id: id(),
        sent: spec.clone(),
        stored: spec.clone(),
        token: None,
        prevent_destroy: true,
        held: None,
    }
}

fn made(action: Action) -> PlannedAction {
    PlannedAction {
        key: Key::parse("billing").unwrap(),
        name: "Billing".to_owned(),
        action,
        changes: Vec::new(),
        origin: None,
    }
}

/// An update of exactly the fields that differ.
fn updated(
    before: &WebhookSpec,
    after: &WebhookSpec,
    token: TokenChange<TokenEvidence>,
) -> PlannedAction {
    let differs = |field: &Field| !before.field_equals(after, *field);
    let fields = Field::ALL.into_iter().filter(differs);
    let fields = fields.map(|field| (field, after.get(field))).collect();
    made(Action::Update(Update {
        before: observed(before),
        patch: Patch::new(fields, token).unwrap(),
        record: written(after),
    }))
}

#[test]
fn exactly_the_changed_fields_are_set_back_and_the_name_is_not() {
    let before = at("https://a.example", 10, "Old");
    let after = at("https://b.example", 20, "New");
    let made = updated(&before, &after, TokenChange::Clear);
    let rollback = Rollback::of(&made, &record(&after), &observed(&after)).unwrap();
    assert_eq!(rollback.fields(), [Field::Url, Field::TimeoutSeconds]);
    assert!(rollback.token_kept);
    let Action::Update(update) = &rollback.planned.action else {
        panic!("a rollback is an update");
    };
    assert_eq!(update.patch.token(), TokenChange::Keep);
    assert_eq!(update.record.spec, at("https://a.example", 10, "New"));
    assert_eq!(update.record.held.as_deref(), Some(&after));
    assert!(update.record.prevent_destroy);
}

#[test]
fn a_created_webhook_is_disabled_and_a_disabled_one_is_left() {
    let after = at("https://b.example", 20, "New");
    let create = made(Action::Create(written(&after)));
    let rollback = Rollback::of(&create, &record(&after), &observed(&after)).unwrap();
    assert_eq!(rollback.fields(), [Field::Enabled]);
    let off = WebhookSpec {
        enabled: false,
        ..after
    };
    let create = made(Action::Create(written(&off)));
    let rollback = Rollback::of(&create, &record(&off), &observed(&off));
    assert_eq!(rollback.unwrap_err(), NoRollback::NothingChanged);
}

#[test]
fn a_change_of_the_name_or_by_another_writer_is_not_set_back() {
    let before = at("https://a.example", 10, "Old");
    let renamed = at("https://a.example", 10, "New");
    let made = updated(&before, &renamed, TokenChange::Keep);
    let rollback = Rollback::of(&made, &record(&renamed), &observed(&renamed));
    assert_eq!(rollback.unwrap_err(), NoRollback::NothingChanged);
    let after = at("https://b.example", 10, "Old");
    let made = updated(&before, &after, TokenChange::Keep);
    let elsewhere = at("https://c.example", 10, "Old");
    let rollback = Rollback::of(&made, &record(&after), &observed(&elsewhere));
    assert_eq!(rollback.unwrap_err(), NoRollback::ChangedSince);
    // A writer that set it back itself left nothing to do.
    let rollback = Rollback::of(&made, &record(&after), &observed(&before));
    assert_eq!(rollback.unwrap_err(), NoRollback::NothingChanged);
    // Another field may change.
    let slower = at("https://b.example", 30, "Old");
    let rollback = Rollback::of(&made, &record(&after), &observed(&slower)).unwrap();
    assert_eq!(rollback.fields(), [Field::Url]);
}
