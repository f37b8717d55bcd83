//! The token evidence of a plan: fingerprints that compare with those in the record.

use std::collections::BTreeMap;

use hookctl_core::record::Remembered;
use hookctl_core::secret::{Fingerprint, FingerprintKey, NoRandomness, Salt, Secrets};
use hookctl_core::state::TokenEvidence;
use hookctl_core::webhook::Key;

/// Returns the fingerprint of each resolved token. It uses the salt of the recorded fingerprints, so that they
/// compare; a token without any gets a fresh salt.
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
                .map(Fingerprint::salt)
                .or_else(|| Some(recorded?.token.as_ref()?.salt()))
                .unwrap_or_else(|| fresh_salt(name));
            (
                name.clone(),
                TokenEvidence::Known(key.fingerprint(salt, secret)),
            )
        })
        .collect()
}

/// Returns the evidence with randomly drawn salts. A token without a recorded fingerprint uses its salt in `given`,
/// if there is one.
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
