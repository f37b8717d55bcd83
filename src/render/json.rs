//! Plans and results as JSON: the documents of `schemas/`.
//!
//! The documents have types of their own, so that a change of the domain types does not change the interface.

use serde::Serialize;
use serde_json::{Value, json};

use super::message::Message;
use super::verification::VerificationReport;
use super::{LooseSetting, RenderContext, SettingChange};
use crate::outside::{self, Outside};
use crate::plan::{Action, Change, Patch, Plan, PlannedAction, Summary, TokenShown};
use crate::remote::WriteBody;
use crate::report::{Outcome, SyncReport};
use crate::state::TokenEvidence;
use crate::webhook::{FieldValue, RemoteId};

/// The format version of both documents.
const FORMAT_VERSION: &str = "1";

/// The API path of the webhooks.
const COLLECTION: &str = "/workflows/v1/workflow-webhooks";

/// The document of `schemas/plan-v1.schema.json`.
#[derive(Debug, Serialize)]
pub struct PlanDocument {
    format_version: &'static str,
    target: Option<String>,
    sandbox: bool,
    dry_run: bool,
    summary: Summary,
    actions: Vec<ActionEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    settings: Vec<SettingEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings_unread: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<Value>,
    diagnostics: Vec<Message>,
}

#[derive(Debug, Serialize)]
struct SettingEntry {
    name: String,
    value: String,
    default: String,
    source: Option<String>,
    changed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
}

impl SettingEntry {
    fn of(setting: &LooseSetting) -> Self {
        Self {
            name: setting.name.clone(),
            value: setting.value.clone(),
            default: setting.default.clone(),
            source: setting.source(),
            changed: setting
                .change
                .as_ref()
                .map(|change| *change != SettingChange::Same),
            before: setting.before().map(str::to_owned),
        }
    }
}

#[derive(Debug, Serialize)]
struct ActionEntry {
    key: String,
    id: Option<RemoteId>,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    source: Option<String>,
    changes: Vec<ChangeEntry>,
    request: Option<RequestEntry>,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recent_events: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ChangeEntry {
    field: &'static str,
    from: Value,
    to: Value,
    cause: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

#[derive(Debug, Serialize)]
struct RequestEntry {
    method: &'static str,
    path: String,
    body: Option<Value>,
}

impl PlanDocument {
    /// Creates the document of a plan that was not applied.
    pub fn of_plan(context: RenderContext<'_>, plan: &Plan, diagnostics: Vec<Message>) -> Self {
        Self::new(
            context,
            plan,
            plan.summary(),
            plan.actions
                .iter()
                .map(|planned| ActionEntry {
                    recent_events: planned
                        .id()
                        .filter(|_| planned.silences())
                        .and_then(|id| plan.recent_events.get(id).copied()),
                    ..entry(planned, None)
                })
                .collect(),
            diagnostics,
        )
    }

    /// Creates the document of an applied plan and its results.
    pub fn of_report(
        context: RenderContext<'_>,
        plan: &Plan,
        report: &SyncReport,
        diagnostics: Vec<Message>,
    ) -> Self {
        Self::new(
            context,
            plan,
            report.summary(plan.summary()),
            report
                .results
                .iter()
                .map(|result| entry(&result.planned, Some(&result.outcome)))
                .collect(),
            diagnostics,
        )
    }

    /// Creates the document of a run without a plan.
    pub fn of_messages(
        target: Option<&str>,
        sandbox: bool,
        dry_run: bool,
        diagnostics: Vec<Message>,
    ) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            target: target.map(str::to_owned),
            sandbox,
            dry_run,
            summary: Summary::default(),
            actions: Vec::new(),
            settings: Vec::new(),
            settings_unread: None,
            verification: None,
            diagnostics,
        }
    }

    fn new(
        context: RenderContext<'_>,
        plan: &Plan,
        summary: Summary,
        actions: Vec<ActionEntry>,
        diagnostics: Vec<Message>,
    ) -> Self {
        let notices = plan.notices.iter().map(Message::of_notice);
        Self {
            format_version: FORMAT_VERSION,
            target: Some(context.target.to_owned()),
            sandbox: context.sandbox,
            dry_run: context.dry_run,
            summary,
            actions,
            settings: context
                .settings
                .settings
                .iter()
                .map(SettingEntry::of)
                .collect(),
            settings_unread: context.settings.unread.clone(),
            verification: None,
            diagnostics: diagnostics.into_iter().chain(notices).collect(),
        }
    }

    /// Adds the verdicts of a verification.
    #[must_use]
    pub fn verified(mut self, verification: Option<&VerificationReport>) -> Self {
        self.verification = verification.map(VerificationReport::to_value);
        self
    }

    /// Returns the document as text that ends with a line break.
    pub fn to_text(&self) -> String {
        outside::json::text(self)
    }

    /// Returns the document as a value, for embedding.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

fn entry(planned: &PlannedAction, outcome: Option<&Outcome>) -> ActionEntry {
    let (result, error, id) = match outcome {
        None => ("planned", None, planned.id().cloned()),
        Some(Outcome::Applied { id, .. }) => ("applied", None, Some(id.clone())),
        Some(Outcome::NotAttempted) => ("not_attempted", None, planned.id().cloned()),
        Some(other) => ("failed", other.why(), planned.id().cloned()),
    };
    ActionEntry {
        key: planned.key.to_string(),
        id,
        action: planned.action.as_str(),
        reason: planned.action.reason(),
        source: planned
            .location()
            .map(|location| format!("{}:{}", Outside::path(&location.path), location.line)),
        changes: planned
            .changes
            .iter()
            .map(|one| change(planned, one))
            .collect(),
        request: request(&planned.action),
        result,
        error,
        recent_events: None,
    }
}

fn change(planned: &PlannedAction, change: &Change) -> ChangeEntry {
    let (from, to) = match change {
        Change::Field { from, to, .. } => (from.as_ref().map_or(Value::Null, value), value(to)),
        Change::Token { from, to, .. } => (from.as_str().into(), to.as_str().into()),
    };
    ChangeEntry {
        field: change.field_name(),
        from,
        to,
        cause: change.cause().as_str(),
        source: planned
            .location_in_target(change)
            .map(|location| format!("{}:{}", Outside::path(&location.path), location.line)),
    }
}

fn request(action: &Action) -> Option<RequestEntry> {
    let (method, id, body) = match action {
        Action::Create(creation) | Action::Recreate { creation, .. } => (
            "POST",
            None,
            Some(shown(&WriteBody::create(&creation.spec, creation.token))),
        ),
        Action::Update(update) => (
            "PATCH",
            Some(&update.before.id),
            Some(shown(&body(&update.patch))),
        ),
        Action::Adopt(adoption) => (
            "PATCH",
            Some(&adoption.before.id),
            Some(shown(&body(adoption.patch.as_ref()?))),
        ),
        Action::Delete(deletion) => ("DELETE", Some(&deletion.before.id), None),
        Action::Forget { .. } => return None,
    };
    Some(RequestEntry {
        method,
        path: id.map_or_else(|| COLLECTION.to_owned(), |id| format!("{COLLECTION}/{id}")),
        body,
    })
}

fn body(patch: &Patch) -> WriteBody<'_, TokenEvidence> {
    WriteBody::patch(patch.fields(), patch.token())
}

/// Returns a request body for display: the token is replaced, and passwords in addresses are masked.
fn shown<T>(body: &WriteBody<'_, T>) -> Value {
    let mark = |_: &T| TokenShown::Secret.as_str();
    // These types always serialize.
    body.serialize_with(serde_json::value::Serializer, value, mark)
        .unwrap_or_default()
}

/// Returns a value in the API's form. Passwords in addresses are masked.
pub(super) fn value(value: &FieldValue) -> Value {
    match value {
        FieldValue::Url(url) => url.masked().into(),
        other => json!(other),
    }
}

/// The document of `schemas/validate-v1.schema.json`.
#[derive(Debug, Serialize)]
pub struct ValidateDocument {
    format_version: &'static str,
    valid: bool,
    files: usize,
    webhooks: usize,
    summary: ValidateSummary,
    diagnostics: Vec<Message>,
}

#[derive(Debug, Serialize)]
struct ValidateSummary {
    errors: usize,
    warnings: usize,
}

impl ValidateDocument {
    /// Creates the document from the numbers of files and webhooks, and the diagnostics.
    pub fn new(files: usize, webhooks: usize, diagnostics: Vec<Message>) -> Self {
        let count = |severity: &str| {
            diagnostics
                .iter()
                .filter(|message| message.severity == severity)
                .count()
        };
        let summary = ValidateSummary {
            errors: count("error"),
            warnings: count("warning"),
        };
        Self {
            format_version: FORMAT_VERSION,
            valid: summary.errors == 0,
            files,
            webhooks,
            summary,
            diagnostics,
        }
    }

    /// Writes the document, which ends with a line break.
    ///
    /// # Errors
    /// Returns the error of the writer.
    pub fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        outside::json::write(self, out)
    }
}
