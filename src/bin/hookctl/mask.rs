//! Masks the secrets of this process in text from outside.
//!
//! The filter is global, since code that prints a text rarely knows which secrets were resolved.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use hookctl::plan::{Action, Change, Plan, PlannedAction};
use hookctl::remote::{Attempt, Event, Rows};
use hookctl::render::Message;
use hookctl::report::ActionResult;
use hookctl::secret::{Followed, KnownSecrets, Secret};
use hookctl::state::ObservedWebhook;
use hookctl::webhook::{EndpointUrl, FieldValue, WorkflowAction, WorkflowActions};

static FOLLOWED: LazyLock<Followed> = LazyLock::new(Followed::default);

/// Masks a key from now on.
pub(crate) fn follow_key(key: &Secret) {
    FOLLOWED.follow(key);
}

/// Masks a text from now on, such as the credentials of a store.
pub(crate) fn follow_text(text: &str) {
    FOLLOWED.follow_text(text);
}

/// Masks the tokens of a run until [`forget_tokens`] is called.
pub(crate) fn follow_tokens<'a>(tokens: impl IntoIterator<Item = &'a Secret>) -> KnownSecrets {
    FOLLOWED.follow_tokens(tokens)
}

/// Forgets the tokens. A waiting watch holds none, and resolves them again before it sends one.
pub(crate) fn forget_tokens() {
    FOLLOWED.forget_tokens();
}

/// Returns the secrets, for code that stores text from the API.
pub(crate) fn followed() -> Followed {
    FOLLOWED.clone()
}

/// Returns the text with secrets masked.
pub(crate) fn masked(text: &str) -> String {
    FOLLOWED.masked(text)
}

/// Returns the first field of a webhook at the API that contains a secret.
pub(crate) fn leak(webhook: &ObservedWebhook) -> Option<&'static str> {
    let actions: Vec<&str> = webhook
        .spec
        .actions
        .iter()
        .map(WorkflowAction::as_str)
        .collect();
    [
        ("name", webhook.spec.name.as_str()),
        ("url", webhook.spec.url.as_str()),
        ("actions", &actions.join(" ")),
        ("id", webhook.id.as_str()),
    ]
    .into_iter()
    .find_map(|(field, text)| (masked(text) != text).then_some(field))
}

fn hide(text: &mut String) {
    *text = masked(text);
}

/// Masks every text of events right after they are read, since any may echo a secret. Requests use the ids as they
/// were read.
pub(crate) fn events(mut read: Rows<Event>) -> Rows<Event> {
    read.rows.iter_mut().for_each(event);
    read
}

/// Masks every text of an event.
pub(crate) fn event(event: &mut Event) {
    // Destructured, so that a new field is a compile error here.
    let Event {
        event_id,
        document_id,
        webhook,
        action,
        status,
        attempts: _,
        created_at,
        last_attempt_at,
        delivered_at,
        next_retry_at,
        last_status_code: _,
        last_error,
        workflow_name,
    } = event;
    [event_id, webhook, action, status]
        .into_iter()
        .chain(document_id)
        .chain(created_at)
        .chain(last_attempt_at)
        .chain(delivered_at)
        .chain(next_retry_at)
        .chain(last_error)
        .chain(workflow_name)
        .for_each(hide);
}

/// Masks every text of an attempt.
pub(crate) fn attempt(attempt: &mut Attempt) {
    let Attempt {
        event_id,
        attempt_number: _,
        request_url,
        created_at,
        success: _,
        response_status_code: _,
        latency_ms: _,
        error_message,
    } = attempt;
    std::iter::once(event_id)
        .chain(request_url)
        .chain(created_at)
        .chain(error_message)
        .for_each(hide);
}

/// Masks the texts of a message, but not its code and its location.
pub(crate) fn message(message: Message) -> Message {
    Message {
        message: masked(&message.message),
        help: message.help.as_deref().map(masked),
        ..message
    }
}

/// Masks what a plan shows of webhooks at the API. Its actions, from which requests are built, are unchanged.
pub(crate) fn plan(plan: &mut Plan) {
    for planned in &mut plan.actions {
        if changes_leak(planned) {
            changes(Arc::make_mut(planned));
        }
    }
}

fn changes_leak(planned: &PlannedAction) -> bool {
    planned.changes.iter().any(|change| match change {
        Change::Field { from, .. } => from.iter().any(is_secret),
        Change::Token { .. } => false,
    })
}

fn changes(planned: &mut PlannedAction) {
    for change in &mut planned.changes {
        if let Change::Field {
            from: Some(value), ..
        } = change
        {
            value.redact(masked);
        }
    }
}

/// Returns a copy of the plan for display if it contains a secret. The plan that is applied is unchanged.
pub(crate) fn shown(plan: &Plan) -> Cow<'_, Plan> {
    let mut shown = Cow::Borrowed(plan);
    for (index, planned) in plan.actions.iter().enumerate() {
        if let Some(hidden) = action(planned)
            && let Some(place) = shown.to_mut().actions.get_mut(index)
        {
            *place = Arc::new(hidden);
        }
    }
    let names = plan.orphans.iter().map(|orphan| &orphan.name);
    let unmanaged = plan.unmanaged.iter().filter_map(|one| one.name.as_ref());
    let notices = plan.notices.iter().cloned().map(|mut notice| {
        notice.redact(masked);
        notice
    });
    let notices: Vec<_> = notices.collect();
    if notices != plan.notices || names.chain(unmanaged).any(|text| masked(text) != *text) {
        let shown = shown.to_mut();
        let names = shown.orphans.iter_mut().map(|orphan| &mut orphan.name);
        let unmanaged = shown.unmanaged.iter_mut();
        let unmanaged = unmanaged.filter_map(|one| one.name.as_mut());
        names.chain(unmanaged).for_each(hide);
        shown.notices = notices;
    }
    shown
}

/// Returns a masked copy of an action, or `None` if it contains no secret.
fn action(planned: &PlannedAction) -> Option<PlannedAction> {
    let before = match &planned.action {
        Action::Update(update) => Some(&update.before),
        Action::Adopt(adoption) => Some(&adoption.before),
        Action::Delete(deletion) => Some(&deletion.before),
        Action::Create(_) | Action::Recreate { .. } | Action::Forget { .. } => None,
    };
    let leaks = before.is_some_and(|before| leak(before).is_some());
    // A declared name comes from a file.
    let names = planned.origin.is_none() && masked(&planned.name) != planned.name;
    if !leaks && !names && !changes_leak(planned) {
        return None;
    }
    let mut planned = planned.clone();
    // A refused plan has not been masked before.
    changes(&mut planned);
    let before = match &mut planned.action {
        Action::Update(update) => Some(&mut update.before),
        Action::Adopt(adoption) => Some(&mut adoption.before),
        Action::Delete(deletion) => Some(&mut deletion.before),
        Action::Create(_) | Action::Recreate { .. } | Action::Forget { .. } => None,
    };
    if let Some(before) = before {
        before.spec.name = masked(&before.spec.name);
        before.spec.url = EndpointUrl::from_remote(masked(before.spec.url.as_str()));
        if let Some(actions) = hidden(&before.spec.actions) {
            before.spec.actions = actions;
        }
    }
    if names {
        planned.name = masked(&planned.name);
    }
    Some(planned)
}

/// Returns a masked copy of unknown actions, or `None` if they contain no secret. A known action is never masked.
fn hidden(actions: &WorkflowActions) -> Option<WorkflowActions> {
    actions.with_unknown(|name| Some(masked(name)).filter(|masked| masked != name))
}

/// Returns whether a value at the API contains a secret.
pub(crate) fn is_secret(value: &FieldValue) -> bool {
    match value {
        FieldValue::Text(text) => masked(text) != *text,
        FieldValue::Url(url) => masked(url.as_str()) != url.as_str(),
        FieldValue::Actions(actions) => hidden(actions).is_some(),
        FieldValue::Flag(_) | FieldValue::Number(_) => false,
    }
}

/// Masks the API's messages in the result of an action.
pub(crate) fn result(result: &mut ActionResult) {
    if let Some(hidden) = action(&result.planned) {
        result.planned = Arc::new(hidden);
    }
    result.outcome.redact(masked);
}
