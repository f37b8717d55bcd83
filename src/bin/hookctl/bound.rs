//! Webhooks and their keys, as users write and read them.

use std::collections::BTreeMap;

use hookctl::record::Remembered;
use hookctl::render::sanitize;
use hookctl::state::LastApplied;
use hookctl::webhook::{Key, RemoteId};

use crate::error::CommandError;
use crate::exit_status::ExitStatus;

/// Returns the id of a webhook that is named by its key or its id.
pub(crate) fn webhook(written: &str, known: &LastApplied) -> Result<RemoteId, CommandError> {
    if let Ok(key) = Key::parse(written)
        && let Some(record) = known.get(&key)
    {
        return Ok(record.id.clone());
    }
    match RemoteId::parse(written) {
        Ok(id) if id.is_documented_form() => Ok(id),
        _ => Err(CommandError::new(
            "no-such-webhook",
            format!(
                "'{}' is neither a known key nor a webhook id",
                sanitize(written)
            ),
        )
        .hint("`hookctl status` lists keys and ids")
        .status(ExitStatus::Usage)),
    }
}

/// Returns the key of each bound webhook.
pub(crate) fn names(remembered: &Remembered) -> BTreeMap<String, String> {
    let bound = remembered.last_applied.iter();
    bound
        .map(|(key, record)| (record.id.as_str().to_owned(), key.to_string()))
        .collect()
}
