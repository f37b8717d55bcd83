//! The last observation of each account, for `status` and for settling creates without a response.

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

/// The number of webhooks in a row. A row costs sled more than its bytes.
const WEBHOOKS_IN_A_ROW: usize = 16;

/// The number of bytes to hash at once: long inputs hash several times as fast as single webhooks.
const HASHED_AT_ONCE: usize = 64 * 1024;

impl Database {
    /// Returns the last observation of an account.
    pub(super) fn observed(&self, account: &Account) -> Result<Option<Observation>, SledError> {
        let at: Option<Timestamp> = self.get(&self.meta, META, &at_key(account))?;
        let Some(at) = at else { return Ok(None) };
        let observed = self.observed_webhooks(account)?.into_iter().collect();
        Ok(Some(Observation {
            at,
            observed: Arc::new(observed),
        }))
    }

    /// Returns the last observed webhooks of an account, by id.
    pub(super) fn observed_webhooks(
        &self,
        account: &Account,
    ) -> Result<Vec<ObservedWebhook>, SledError> {
        let mut observed = Vec::new();
        for row in self.rows::<Vec<ObservedWebhook>>(&self.observed, OBSERVED, account) {
            observed.extend(row?.1);
        }
        Ok(observed)
    }

    /// Stores an observation of an account, all or nothing. Writes only the differences.
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
        // After an interruption in between, the rows match neither digest.
        self.put(&self.meta, META, &digest_key, &String::new())?;
        let mut known: BTreeMap<Vec<u8>, Vec<ObservedWebhook>> = self
            .rows(&self.observed, OBSERVED, account)
            .collect::<Result<_, _>>()?;
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

/// Returns the stored form of a webhook: without a password in its address, and without secrets that the API put into
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

/// Returns a digest of the stored forms, so that equal observations need not be compared row by row. It excludes
/// hidden parts, since an unkeyed digest would reveal a weak secret.
fn digest(webhooks: &[Cow<'_, ObservedWebhook>]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut rows = Vec::with_capacity(2 * HASHED_AT_ONCE);
    for webhook in webhooks {
        // These types always serialize.
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

/// Returns the key of a value about the rows of an account.
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
