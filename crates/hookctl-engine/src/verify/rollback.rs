//! Rollbacks: what a failed change of a webhook is set back to, and the apply of it.
//!
//! The webhook is held in the record before the request leaves, so that a crash between the two leaves no pass that applies the
//! failed change again.

use std::sync::Arc;

use crate::apply::{ApplyOptions, Held, Listener, RunContext, Seen, apply};
use crate::report::{ActionError, Outcome, SyncReport};
use hookctl_api::WebhookApi;
use hookctl_core::plan::{Action, Cause, Change, Patch, Plan, PlannedAction, Update};
use hookctl_core::record::{After, Journal, JournalError, Settlement};
use hookctl_core::state::{AppliedRecord, ObservedState, ObservedWebhook, Written};
use hookctl_core::webhook::{Field, Key, TokenChange, WebhookSpec};

/// The fields that a rollback sets back. A name has no effect on deliveries, and a token cannot be read back.
const FIELDS: [Field; 6] = [
    Field::Url,
    Field::Actions,
    Field::Enabled,
    Field::TimeoutSeconds,
    Field::MaxRetries,
    Field::RetryBackoffSeconds,
];

/// The rollback of one webhook.
#[derive(Clone, Debug)]
pub struct Rollback {
    pub(super) planned: Arc<PlannedAction>,
    /// The record before the rollback.
    record: AppliedRecord,
    /// The declared fields.
    held: Box<WebhookSpec>,
    /// Whether the change set or cleared a token, which cannot be set back.
    pub token_kept: bool,
}

/// Why a webhook cannot be rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoRollback {
    /// The change concerned the token or the name alone.
    #[error("the change left nothing that can be set back")]
    NothingChanged,
    /// Another writer changed the webhook since.
    #[error("the webhook was changed again since")]
    ChangedSince,
}

impl Rollback {
    /// Plans the rollback of an action. `record` and `observed` are the webhook after it.
    ///
    /// # Errors
    /// [`NoRollback`]
    pub fn of(
        made: &PlannedAction,
        record: &AppliedRecord,
        observed: &ObservedWebhook,
    ) -> Result<Self, NoRollback> {
        let (before, patch, declared) = match &made.action {
            Action::Update(update) => (
                &update.before.spec,
                Some(&update.patch),
                &update.record.spec,
            ),
            Action::Adopt(adoption) => (
                &adoption.before.spec,
                adoption.patch.as_ref(),
                &adoption.record.spec,
            ),
            // There was no webhook before, so it is disabled.
            Action::Create(creation) | Action::Recreate { creation, .. } => {
                let before = WebhookSpec {
                    enabled: false,
                    ..creation.spec.clone()
                };
                return Self::to(made, record, observed, &before, &creation.spec, |field| {
                    field == Field::Enabled
                });
            }
            Action::Delete(_) | Action::Forget { .. } => return Err(NoRollback::NothingChanged),
        };
        let patch = patch.ok_or(NoRollback::NothingChanged)?;
        let mut rollback = Self::to(made, record, observed, before, declared, |field| {
            patch.sends(field)
        })?;
        rollback.token_kept = patch.token() != TokenChange::Keep;
        Ok(rollback)
    }

    fn to(
        made: &PlannedAction,
        record: &AppliedRecord,
        observed: &ObservedWebhook,
        before: &WebhookSpec,
        declared: &WebhookSpec,
        was_sent: impl Fn(Field) -> bool,
    ) -> Result<Self, NoRollback> {
        let now = &observed.spec;
        let differs = |field: &Field| was_sent(*field) && !before.field_equals(now, *field);
        let fields: Vec<Field> = FIELDS.into_iter().filter(differs).collect();
        if fields
            .iter()
            .any(|field| !now.field_equals(&record.stored, *field))
        {
            return Err(NoRollback::ChangedSince);
        }
        let mut after = record.sent.clone();
        for field in &fields {
            after.copy_field(before, *field);
        }
        let values = fields.iter().map(|field| (*field, before.get(*field)));
        let patch = Patch::new(values.collect(), TokenChange::Keep);
        let patch = patch.ok_or(NoRollback::NothingChanged)?;
        let held = Box::new(declared.clone());
        let change = |field: &Field| Change::Field {
            field: *field,
            from: Some(now.get(*field)),
            to: before.get(*field),
            cause: Cause::Edited,
        };
        let action = Action::Update(Update {
            before: observed.clone(),
            patch,
            record: Written {
                spec: after,
                token: record.token.clone(),
                prevent_destroy: record.prevent_destroy,
                held: Some(held.clone()),
            },
        });
        Ok(Self {
            planned: Arc::new(PlannedAction {
                key: made.key.clone(),
                name: now.name.clone(),
                changes: fields.iter().map(change).collect(),
                action,
                origin: made.origin.clone(),
            }),
            record: record.clone(),
            held,
            token_kept: false,
        })
    }

    /// Returns the key.
    pub fn key(&self) -> &Key {
        &self.planned.key
    }

    /// Returns the fields that are set back.
    pub fn fields(&self) -> Vec<Field> {
        let patch = self.planned.action.patch();
        let fields = patch.map_or(&[][..], Patch::fields);
        fields.iter().map(|(field, _)| *field).collect()
    }

    fn settlement(&self, record: AppliedRecord) -> Settlement {
        Settlement {
            after: After::Record(Box::new(record)),
            ..Settlement::nothing(self.planned.key.clone())
        }
    }
}

/// Holds the webhooks in the record, and sets them back. No request of theirs may be pending.
///
/// # Cancel safety
/// As [`apply`]. The webhooks stay held.
///
/// # Errors
/// [`JournalError`] if a hold could not be recorded, before anything is sent.
pub async fn roll_back<A: WebhookApi, J: Journal>(
    rollbacks: &[Rollback],
    observed: &ObservedState,
    api: &A,
    journal: &J,
    context: &RunContext<'_>,
    options: &ApplyOptions<'_>,
    listener: &dyn Listener,
) -> Result<SyncReport, JournalError> {
    let held = rollbacks.iter().map(|rollback| {
        journal.settle(rollback.settlement(AppliedRecord {
            held: Some(rollback.held.clone()),
            ..rollback.record.clone()
        }))
    });
    futures_util::future::try_join_all(held).await?;
    let plan = Plan {
        actions: rollbacks
            .iter()
            .map(|one| Arc::clone(&one.planned))
            .collect(),
        ..Plan::default()
    };
    let seen = Seen {
        observed,
        held: &Held::default(),
        unsettled: &[],
    };
    let report = apply(&plan, seen, api, journal, context, options, listener).await?;
    for (rollback, result) in rollbacks.iter().zip(&report.results) {
        let had_no_effect = matches!(
            result.outcome,
            Outcome::NotAttempted | Outcome::Failed(ActionError::Api(_))
        );
        // The failed change stays, so the webhook is planned like any other.
        if had_no_effect {
            journal
                .settle(rollback.settlement(rollback.record.clone()))
                .await?;
        }
    }
    Ok(report)
}
