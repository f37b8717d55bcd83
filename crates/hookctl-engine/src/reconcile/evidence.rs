//! What a plan may know of tokens: fingerprints that compare with those in the record.

use std::collections::BTreeMap;

use hookctl_core::record::Remembered;
use hookctl_core::secret::{Fingerprint, FingerprintKey, NoRandomness, Salt, Secrets};
use hookctl_core::state::TokenEvidence;
use hookctl_core::webhook::Key;

/// What a plan may know of the resolved tokens: for each its fingerprint, made with the salt of the
/// record so that the two can be compared, or with a fresh one.
pub fn evidence(
    secrets: &Secrets,
    remembered: &Remembered,
    key: &FingerprintKey,
    fresh_salt: &mut dyn FnMut(&Key) -> Salt,
) -> BTreeMap<Key, TokenEvidence> {
    secrets
        .iter()
        .map(|(name, secret)| {
            let recorded = remembered.last_applied.get(name);
            let salt = remembered
                .pending
                .token_of(name)
                .or_else(|| recorded.and_then(|record| record.token.as_ref()))
                .map_or_else(|| fresh_salt(name), Fingerprint::salt);
            (
                name.clone(),
                TokenEvidence::Known(key.fingerprint(salt, secret)),
            )
        })
        .collect()
}

/// The same with fresh draws. A token of which nothing is remembered gets the salt that is given for it, or
/// one of its own.
///
/// # Errors
/// [`NoRandomness`]
pub fn fresh_evidence(
    secrets: &Secrets,
    remembered: &Remembered,
    key: &FingerprintKey,
    given: &BTreeMap<Key, Salt>,
) -> Result<BTreeMap<Key, TokenEvidence>, NoRandomness> {
    let mut failed = None;
    let evidence = evidence(secrets, remembered, key, &mut |name| {
        let drawn = given.get(name).copied().map_or_else(Salt::draw, Ok);
        drawn.unwrap_or_else(|error| {
            failed = Some(error);
            Salt::new([0; 16])
        })
    });
    failed.map_or(Ok(evidence), Err)
}
