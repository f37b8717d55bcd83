//! A plan as a unified diff of canonical YAML, from observed to desired state.

use std::time::Duration;

use serde::Serialize;
use similar::TextDiff;

use super::sanitize::sanitize;
use super::style::{Styles, paint};
use crate::plan::{Action, Change, Plan, PlannedAction};
use crate::state::{ObservedWebhook, TokenEvidence, Written};
use crate::webhook::{Field, FieldValue, WebhookSpec};

/// The time limit of the diff of one webhook.
const TIME: Duration = Duration::from_millis(200);

/// A webhook in canonical YAML: every field in a fixed order, with a placeholder for the token.
#[derive(Serialize)]
struct Canonical {
    name: String,
    url: String,
    actions: Vec<String>,
    enabled: bool,
    timeout_seconds: i64,
    max_retries: i64,
    retry_backoff_seconds: i64,
    bearer_token: &'static str,
}

/// Returns the diff of every webhook that the plan changes, or an empty text.
pub fn diff(plan: &Plan, styles: &Styles) -> String {
    plan.actions
        .iter()
        .map(|planned| one(planned, styles))
        .collect()
}

pub(super) fn one(planned: &PlannedAction, styles: &Styles) -> String {
    let (before, after) = sides(planned);
    if before == after {
        return String::new();
    }
    let side = |folder: &str, text: &Option<String>| match text {
        Some(_) => format!("{folder}/{}", planned.key),
        None => "/dev/null".to_owned(),
    };
    let (from, to) = (side("observed", &before), side("desired", &after));
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let diff = TextDiff::configure()
        .timeout(TIME)
        .diff_lines(before.as_str(), after.as_str());
    let unified = diff.unified_diff().header(&from, &to).to_string();
    unified
        .lines()
        .map(|line| {
            let line = sanitize(line);
            let style = match line.as_bytes().first() {
                Some(b'+') => styles.create,
                Some(b'-') => styles.destroy,
                Some(b'@') => styles.aside,
                _ => anstyle::Style::new(),
            };
            paint(style, &line) + "\n"
        })
        .collect()
}

/// Returns the YAML before and after; `None` if that side does not exist.
fn sides(planned: &PlannedAction) -> (Option<String>, Option<String>) {
    match &planned.action {
        Action::Create(creation) | Action::Recreate { creation, .. } => {
            (None, Some(made(creation)))
        }
        Action::Update(update) => changed(planned, &update.before),
        Action::Adopt(adoption) => changed(planned, &adoption.before),
        Action::Delete(deletion) => (
            Some(yaml(
                &deletion.before.spec,
                presence(&deletion.before),
                None,
            )),
            None,
        ),
        Action::Forget { .. } => (None, None),
    }
}

fn made(creation: &Written<TokenEvidence>) -> String {
    let token = if creation.token.is_some() {
        "(secret)"
    } else {
        "(none)"
    };
    yaml(&creation.spec, token, None)
}

fn changed(planned: &PlannedAction, before: &ObservedWebhook) -> (Option<String>, Option<String>) {
    let (mut shown, mut after) = (before.spec.clone(), before.spec.clone());
    let (mut token_before, mut token_after) = (presence(before), presence(before));
    for change in &planned.changes {
        match change {
            // Built from the displayed changes, in which echoed secrets are masked.
            Change::Field {
                field, from, to, ..
            } => {
                if let Some(from) = from {
                    set(&mut shown, *field, from);
                }
                set(&mut after, *field, to);
            }
            Change::Token { from, to, .. } => {
                token_before = from.as_str();
                token_after = match (from.as_str(), to.as_str()) {
                    ("(secret)", "(secret)") => "(another secret)",
                    (_, to) => to,
                };
            }
        }
    }
    (
        Some(yaml(&shown, token_before, None)),
        Some(yaml(&after, token_after, Some(&before.spec))),
    )
}

fn presence(webhook: &ObservedWebhook) -> &'static str {
    if webhook.has_bearer_token {
        "(unknown)"
    } else {
        "(none)"
    }
}

fn set(spec: &mut WebhookSpec, field: Field, to: &FieldValue) {
    match (field, to) {
        (Field::Name, FieldValue::Text(name)) => spec.name.clone_from(name),
        (Field::Url, FieldValue::Url(url)) => spec.url.clone_from(url),
        (Field::Actions, FieldValue::Actions(actions)) => spec.actions.clone_from(actions),
        (Field::Enabled, FieldValue::Flag(flag)) => spec.enabled = *flag,
        (Field::TimeoutSeconds, FieldValue::Number(number)) => spec.timeout_seconds = *number,
        (Field::MaxRetries, FieldValue::Number(number)) => spec.max_retries = *number,
        (Field::RetryBackoffSeconds, FieldValue::Number(number)) => {
            spec.retry_backoff_seconds = *number;
        }
        // A change has two values of its field's type.
        _ => {}
    }
}

/// Returns the canonical YAML of a webhook. Marks an address that differs from `from` only in its hidden query.
fn yaml(spec: &WebhookSpec, bearer_token: &'static str, from: Option<&WebhookSpec>) -> String {
    let mut url = spec.url.masked();
    if from.is_some_and(|from| from.url.masked() == url && !from.url.is_same_as(&spec.url)) {
        url += " (another query)";
    }
    let canonical = Canonical {
        name: spec.name.clone(),
        url,
        actions: spec.actions.iter().map(ToString::to_string).collect(),
        enabled: spec.enabled,
        timeout_seconds: spec.timeout_seconds,
        max_retries: spec.max_retries,
        retry_backoff_seconds: spec.retry_backoff_seconds,
        bearer_token,
    };
    serde_yaml::to_string(&canonical).unwrap_or_else(|error| format!("# {error}\n"))
}
