//! Changes of bindings: `forget` and `rename`.

use hookctl::record::{After, HistoryAction, HistoryEntry, OpenRecord, Record, Settlement};
use hookctl::webhook::{Key, RemoteId};

use super::failed;
use super::settle::settle;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::ui::Ui;

/// Drops the binding of a key.
pub(super) async fn forget(ui: &Ui, record: &Record, key: &Key) -> Result<(), CommandError> {
    let open = record.open().await.map_err(failed)?;
    let forgotten = forget_in(ui, &open, key).await;
    // A failure must not keep the lease of a shared record.
    open.close().await.map_err(failed)?;
    forgotten
}

async fn forget_in(ui: &Ui, open: &OpenRecord, key: &Key) -> Result<(), CommandError> {
    let remembered = open.remembered().await.map_err(failed)?;
    let records = &remembered.last_applied;
    let record = records.get(key).ok_or_else(|| not_bound(key))?;
    let pending = &remembered.pending;
    let forgotten = Settlement {
        key: key.clone(),
        after: After::Dropped,
        // A request in flight may still take effect.
        lingering: pending.of(key).cloned().map(Box::new),
        history: Some(entry(key, record.id.clone(), HistoryAction::Forget)),
    };
    settle(open, vec![forgotten]).await?;
    ui.human(&format!(
        "Dropped the binding of '{key}'. Its webhook {} stays at the API; `hookctl sync` finds it by its name while a \
         file declares it.\n",
        record.id.as_str()
    ));
    Ok(())
}

/// Binds the webhook of a key to another key.
pub(super) async fn rename(
    ui: &Ui,
    record: &Record,
    old: &Key,
    new: Key,
) -> Result<(), CommandError> {
    let open = record.open().await.map_err(failed)?;
    let renamed = rename_in(ui, &open, old, new).await;
    // A failure must not keep the lease of a shared record.
    open.close().await.map_err(failed)?;
    renamed
}

async fn rename_in(ui: &Ui, open: &OpenRecord, old: &Key, new: Key) -> Result<(), CommandError> {
    let remembered = open.remembered().await.map_err(failed)?;
    let records = &remembered.last_applied;
    let record = records.get(old).ok_or_else(|| not_bound(old))?;
    let pending = &remembered.pending;
    if let Some(other) = records.get(&new) {
        return Err(CommandError::new(
            "bound",
            format!("'{new}' is already bound to {}", other.id.as_str()),
        )
        .hint(format!("`hookctl record forget {new}` drops that binding")));
    }
    let dropped = Settlement {
        key: old.clone(),
        after: After::Dropped,
        lingering: None,
        history: None,
    };
    let bound = Settlement {
        key: new.clone(),
        after: After::Record(Box::new(record.clone())),
        lingering: pending
            .of(old)
            .map(|intent| Box::new(intent.clone().renamed(&new))),
        history: Some(entry(&new, record.id.clone(), HistoryAction::Rename)),
    };
    settle(open, vec![dropped, bound]).await?;
    ui.human(&format!(
        "Bound {} to '{new}' instead of '{old}'.\n",
        record.id.as_str()
    ));
    Ok(())
}

fn entry(key: &Key, id: RemoteId, action: HistoryAction) -> HistoryEntry {
    HistoryEntry {
        at: jiff::Timestamp::now(),
        api_at: None,
        key: key.clone(),
        id,
        action,
        changes: Vec::new(),
        provenance: None,
        run: None,
    }
}

fn not_bound(key: &Key) -> CommandError {
    CommandError::new("not-bound", format!("'{key}' is not bound to a webhook"))
        .hint("`hookctl record show` lists the bound keys")
        .status(ExitStatus::Usage)
}
