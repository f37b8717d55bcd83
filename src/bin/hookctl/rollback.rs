//! `sync --rollback`: sets webhooks back whose deliveries fail after their change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hookctl::apply::{ApplyOptions, RunContext};
use hookctl::plan::PlannedAction;
use hookctl::record::OpenRecord;
use hookctl::remote::observe;
use hookctl::render::{Message, RollbackRow, VerificationReport};
use hookctl::report::Outcome;
use hookctl::verify::{Rollback, roll_back};
use hookctl::webhook::{Field, Key};
use tokio_util::sync::CancellationToken;

use crate::error::CommandError;
use crate::mask;
use crate::progress::{self, Progress};
use crate::session::{Session, record_error};

/// How long requests in flight may take after a signal.
const GRACE: Duration = Duration::from_secs(25);

/// Sets the webhooks back whose deliveries fail, and notes in their rows what came of it. Returns what is wrong.
pub(crate) async fn rollback(
    verdicts: &mut VerificationReport,
    made: &BTreeMap<Key, Arc<PlannedAction>>,
    session: &Session,
    cancellation: &CancellationToken,
) -> Vec<Message> {
    let failed: Vec<Key> = verdicts
        .webhooks
        .iter()
        .filter(|row| matches!(row.verdict, "rejected" | "failing"))
        .map(|row| row.key.clone())
        .collect();
    if failed.is_empty() {
        return Vec::new();
    }
    let rolled_back = set_back(&failed, made, session, cancellation).await;
    progress::end();
    let mut rows = match rolled_back {
        Ok(rows) => rows,
        Err(error) => {
            let reason = error.message.clone();
            let row = |key: Key| (key, not_done(false, reason.clone()));
            failed.iter().cloned().map(row).collect()
        }
    };
    for row in &mut verdicts.webhooks {
        row.rollback = rows.remove(&row.key);
        if let Some(error) = row.rollback.as_mut().and_then(|one| one.error.as_mut()) {
            *error = mask::masked(error);
        }
    }
    messages(verdicts)
}

fn not_done(token_kept: bool, error: String) -> RollbackRow {
    RollbackRow {
        done: false,
        fields: Vec::new(),
        token_kept,
        error: Some(error),
    }
}

async fn set_back(
    failed: &[Key],
    made: &BTreeMap<Key, Arc<PlannedAction>>,
    session: &Session,
    cancellation: &CancellationToken,
) -> Result<BTreeMap<Key, RollbackRow>, CommandError> {
    let open = session.write().await?;
    let rows = with_record(&open, failed, made, session, cancellation).await;
    let closed = open.close().await.map_err(|error| record_error(&error));
    rows.and_then(|rows| closed.map(|()| rows))
}

async fn with_record(
    open: &OpenRecord,
    failed: &[Key],
    made: &BTreeMap<Key, Arc<PlannedAction>>,
    session: &Session,
    cancellation: &CancellationToken,
) -> Result<BTreeMap<Key, RollbackRow>, CommandError> {
    let remembered = open
        .remembered()
        .await
        .map_err(|error| record_error(&error))?;
    let listing = observe(session.api()).await;
    let observed = listing
        .map_err(|error| CommandError::caused("api", &error))?
        .observed;
    let mut rows = BTreeMap::new();
    let mut rollbacks = Vec::new();
    for key in failed {
        let record = remembered.last_applied.get(key);
        let found = record.and_then(|record| observed.get(&record.id));
        let planned = match (made.get(key), record, found) {
            (Some(made), Some(record), Some(found)) if remembered.pending.of(key).is_none() => {
                Rollback::of(made, record, found).map_err(|error| error.to_string())
            }
            _ => Err(
                "the webhook is missing, or an earlier request may still take effect".to_owned(),
            ),
        };
        match planned {
            Ok(rollback) => rollbacks.push(rollback),
            Err(reason) => {
                let changed = made.get(key).and_then(|made| made.action.patch());
                let token = changed
                    .is_some_and(|patch| patch.token() != hookctl::webhook::TokenChange::Keep);
                rows.insert(key.clone(), not_done(token, reason));
            }
        }
    }
    if rollbacks.is_empty() {
        return Ok(rows);
    }
    if !open.begin().await.map_err(|error| record_error(&error))? {
        let message = "another run changed the record meanwhile";
        return Err(CommandError::new("rollback-failed", message));
    }
    let options = ApplyOptions {
        grace: GRACE,
        ..ApplyOptions::default()
    };
    let context = RunContext {
        horizon: session.horizon(),
        cancellation: cancellation.clone(),
        ..RunContext::new(session.clock())
    };
    let report = roll_back(
        &rollbacks,
        &observed,
        session.api(),
        open,
        &context,
        &options,
        &Progress,
    );
    let report = report
        .await
        .map_err(|error| CommandError::caused("record", &error))?;
    for (rollback, result) in rollbacks.iter().zip(&report.results) {
        let row = match &result.outcome {
            Outcome::Applied { .. } => RollbackRow {
                done: true,
                fields: rollback.fields().into_iter().map(Field::as_str).collect(),
                token_kept: rollback.token_kept,
                error: None,
            },
            other => {
                let why = other.why().unwrap_or_else(|| other.as_str().to_owned());
                not_done(rollback.token_kept, why)
            }
        };
        rows.insert(rollback.key().clone(), row);
    }
    Ok(rows)
}

/// Returns a message about the webhooks that were rolled back, and one about those that were not.
fn messages(verdicts: &VerificationReport) -> Vec<Message> {
    let keys = |done: bool| -> Vec<String> {
        let rows = verdicts.webhooks.iter().filter(|row| {
            let rollback = row.rollback.as_ref();
            rollback.is_some_and(|rollback| rollback.done == done)
        });
        rows.map(|row| format!("'{}'", row.key)).collect()
    };
    let mut messages = Vec::new();
    let (done, not) = (keys(true), keys(false));
    if !done.is_empty() {
        let message = format!(
            "{} rolled back, and held until the declaration changes",
            done.join(", ")
        );
        let mut notice = Message::notice("rolled-back", message);
        notice.help = Some("`hookctl sync --retry-held` applies the change again".to_owned());
        messages.push(notice);
    }
    if !not.is_empty() {
        let message = format!("could not roll back {}", not.join(", "));
        let error = CommandError::new("rollback-failed", message);
        let hint = "the evidence of each webhook has the reason";
        messages.push(error.hint(hint).into_message());
    }
    messages
}
