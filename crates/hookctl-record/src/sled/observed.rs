//! What was last observed of each account: kept for `status` and for finding out what became of a create
//! that had no answer.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::database::{Database, row_key};
use super::error::SledError;
use super::schema::{META, OBSERVED};
use hookctl_core::record::{Account, Observation};
use hookctl_core::secret::Followed;
use hookctl_core::state::ObservedWebhook;
use hookctl_core::webhook::EndpointUrl;

/// How many webhooks are in a row. sled spends more on a row than on the bytes in it.
const WEBHOOKS_IN_A_ROW: usize = 16;

/// How many bytes are hashed together: long runs are hashed several times as fast as webhooks.
const HASHED_AT_ONCE: usize = 64 * 1024;

impl Database {
    /// What was last observed of an account.
    pub(super) fn observed(&self, account: &Account) -> Result<Option<Observation>, SledError> {
        let at: Option<Timestamp> = self.get(&self.meta, META, &at_key(account))?;
        let Some(at) = at else { return Ok(None) };
        let observed = self.observed_webhooks(account)?.into_iter().collect();
        Ok(Some(Observation {
            at,
            observed: Arc::new(observed),
        }))
    }

    /// The webhooks that were last observed of an account, by id.
    pub(super) fn observed_webhooks(
        &self,
        account: &Account,
    ) -> Result<Vec<ObservedWebhook>, SledError> {
        let rows = self.rows::<Vec<ObservedWebhook>>(&self.observed, OBSERVED, account)?;
        Ok(rows
            .into_iter()
            .flat_map(|(_, webhooks)| webhooks)
            .collect())
    }

    /// Keeps what was observed of an account, all or nothing; writes only what differs.
    pub(super) fn keep_observed(
        &self,
        account: &Account,
        observation: &Observation,
    ) -> Result<(), SledError> {
        let at = observation.at;
        let webhooks: Vec<Cow<'_, ObservedWebhook>> = observation
            .observed
            .webhooks
            .values()
            .map(|webhook| kept(webhook, &self.followed))
            .collect();
        let digest = digest(&webhooks);
        let digest_key = digest_key(account);
        if self.get::<String>(&self.meta, META, &digest_key)?.as_ref() == Some(&digest) {
            return self.put(&self.meta, META, &at_key(account), &at);
        }
        // Cut off in between, the rows are of neither digest.
        self.put(&self.meta, META, &digest_key, &String::new())?;
        let mut known: BTreeMap<Vec<u8>, Vec<ObservedWebhook>> = self
            .rows(&self.observed, OBSERVED, account)?
            .into_iter()
            .collect();
        let mut batch = sled::Batch::default();
        for (number, row) in (0_u32..).zip(webhooks.chunks(WEBHOOKS_IN_A_ROW)) {
            let before = known.remove(number.to_be_bytes().as_slice());
            if before.is_none_or(|before| before.iter().ne(row.iter().map(Cow::as_ref))) {
                let key = row_key(account, &number.to_be_bytes());
                let value = self.encoded(OBSERVED, &key, &row)?;
                batch.insert(key, value);
            }
        }
        for number in known.keys() {
            batch.remove(row_key(account, number));
        }
        self.observed
            .apply_batch(batch)
            .map_err(|source| self.failed("write", source))?;
        self.put(&self.meta, META, &digest_key, &digest)?;
        self.put(&self.meta, META, &at_key(account), &at)
    }
}

/// A webhook as it is kept: a password that somebody left in its address is not, nor a secret that the API put into
/// a public field.
fn kept<'a>(webhook: &'a ObservedWebhook, followed: &Followed) -> Cow<'a, ObservedWebhook> {
    let mut webhook = Cow::Borrowed(webhook);
    if let Some(url) = webhook.spec.url.without_user_info() {
        webhook.to_mut().spec.url = url;
    }
    if let Some(url) = followed.hidden(webhook.spec.url.as_str()) {
        webhook.to_mut().spec.url = EndpointUrl::from_remote(url);
    }
    if let Some(name) = followed.hidden(&webhook.spec.name) {
        webhook.to_mut().spec.name = name;
    }
    let hidden = webhook
        .spec
        .actions
        .with_unknown(|name| followed.hidden(name));
    if let Some(actions) = hidden {
        webhook.to_mut().spec.actions = actions;
    }
    webhook
}

/// A digest of all that is kept, so that what is the same need not be compared row by row. What is hidden is not in
/// it, since a digest without a key would tell a weak secret.
fn digest(webhooks: &[Cow<'_, ObservedWebhook>]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut rows = Vec::with_capacity(2 * HASHED_AT_ONCE);
    for webhook in webhooks {
        // Our own types always can be written.
        let _ = serde_json::to_writer(&mut rows, webhook);
        if rows.len() >= HASHED_AT_ONCE {
            hasher.update(&rows);
            rows.clear();
        }
    }
    hasher.update(&rows);
    hasher.finalize().to_hex().to_string()
}

fn digest_key(account: &Account) -> Vec<u8> {
    key(b"digest", account)
}

fn at_key(account: &Account) -> Vec<u8> {
    key(b"at", account)
}

/// The key of something about the rows of an account.
fn key(what: &[u8], account: &Account) -> Vec<u8> {
    [
        OBSERVED.as_bytes(),
        b"-",
        what,
        b"\0",
        &row_key(account, b""),
    ]
    .concat()
}
