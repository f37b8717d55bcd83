//! What the record keeps of a token that hookctl set: a fingerprint for each of the last keys.
//!
//! Machines with different API keys may share a record. Each compares only the fingerprint of its own key, so each adds
//! one when it writes the token. If it replaced the others instead, the machines would write the token in turn for ever.

use serde::{Deserialize, Serialize};

use super::fingerprint::{Comparison, Digest, FINGERPRINT, Fingerprint, KeyId, Salt};

/// The maximum number of fingerprints of one token.
const MOST: usize = 4;

/// The fingerprints of a token, at most one of each key and at most [`Fingerprints::MOST`].
///
/// Without any, hookctl set a token, and no key can tell which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Fingerprints {
    /// The salt that they have in common, so that every machine makes its fingerprint with it.
    salt: Salt,
    /// The digests with their keys, the oldest first.
    digests: Vec<(KeyId, Digest<FINGERPRINT>)>,
}

impl Fingerprints {
    /// The maximum number of fingerprints of one token. The oldest goes first.
    pub const MOST: usize = MOST;

    /// Compares a token with the recorded one, by the fingerprint of its key.
    pub fn compare(&self, own: &Fingerprint) -> Comparison {
        let mut digests = self.digests.iter();
        let recorded = digests.find(|(key_id, _)| *key_id == own.key_id);
        recorded.map_or(Comparison::Incomparable, |(key_id, digest)| {
            let recorded = Fingerprint {
                key_id: *key_id,
                salt: self.salt,
                digest: *digest,
            };
            recorded.compare(own)
        })
    }

    /// Returns the fingerprints after a write of a token.
    ///
    /// The other fingerprints stay if this one is new or the same. They go if it shows that the token changed, because
    /// they are of the token before.
    #[must_use]
    pub fn with(&self, own: Fingerprint) -> Self {
        if self.salt != own.salt || self.compare(&own) == Comparison::Different {
            return own.into();
        }
        let others = self.digests.iter().copied();
        let mut digests: Vec<_> = others.filter(|(key, _)| *key != own.key_id).collect();
        digests.push((own.key_id, own.digest));
        digests.drain(..digests.len().saturating_sub(MOST));
        Self {
            salt: self.salt,
            digests,
        }
    }

    /// Returns no fingerprints, which still records that a token was set.
    #[must_use]
    pub const fn unverifiable(&self) -> Self {
        Self {
            salt: self.salt,
            digests: Vec::new(),
        }
    }

    /// Returns the salt, so that a comparable fingerprint can be made.
    pub const fn salt(&self) -> Salt {
        self.salt
    }
}

impl From<Fingerprint> for Fingerprints {
    fn from(only: Fingerprint) -> Self {
        Self {
            salt: only.salt,
            digests: vec![(only.key_id, only.digest)],
        }
    }
}

/// The stored form, which may be anything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    salt: Salt,
    digests: Vec<(KeyId, Digest<FINGERPRINT>)>,
}

impl TryFrom<Stored> for Fingerprints {
    type Error = InvalidFingerprints;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored { salt, digests } = stored;
        if digests.len() > MOST {
            return Err(InvalidFingerprints::TooMany);
        }
        let mut rest = digests.as_slice();
        while let Some(((key_id, _), later)) = rest.split_first() {
            if later.iter().any(|(other, _)| other == key_id) {
                return Err(InvalidFingerprints::SeveralOfOneKey);
            }
            rest = later;
        }
        Ok(Self { salt, digests })
    }
}

/// Stored fingerprints that no token has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFingerprints {
    /// There are more than [`Fingerprints::MOST`].
    #[error("a token has more than {MOST} fingerprints")]
    TooMany,
    /// A key has several.
    #[error("a token has several fingerprints of one key")]
    SeveralOfOneKey,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{FingerprintKey, Secret};

    fn of(api_key: &str, token: &str) -> Fingerprint {
        salted(1, api_key, token)
    }

    fn salted(salt: u8, api_key: &str, token: &str) -> Fingerprint {
        let secret = |text: &str| Secret::new(text.to_owned()).unwrap();
        FingerprintKey::derive(&secret(api_key)).fingerprint(Salt::new([salt; 16]), &secret(token))
    }

    /// Returns the fingerprints after these writes, one after the other.
    fn after(writes: &[Fingerprint]) -> Fingerprints {
        let (first, rest) = writes.split_first().unwrap();
        let first = Fingerprints::from(*first);
        rest.iter().fold(first, |all, one| all.with(*one))
    }

    #[test]
    fn each_key_compares_its_own() {
        let both = after(&[of("a", "t"), of("b", "t")]);
        for key in ["a", "b"] {
            assert_eq!(both.compare(&of(key, "t")), Comparison::Same);
            assert_eq!(both.compare(&of(key, "u")), Comparison::Different);
            let salted = salted(2, key, "t");
            assert_eq!(both.compare(&salted), Comparison::Incomparable);
        }
        assert_eq!(both.compare(&of("c", "t")), Comparison::Incomparable);
    }

    #[test]
    fn a_new_key_joins_and_a_changed_token_leaves_only_its_own() {
        let both = after(&[of("a", "t"), of("b", "t")]);
        assert_eq!(both.with(of("b", "t")), both);
        assert_eq!(both.with(of("a", "u")), of("a", "u").into());
        assert_eq!(both.with(salted(2, "c", "t")), salted(2, "c", "t").into());
    }

    #[test]
    fn the_oldest_of_more_than_four_goes() {
        let four = [of("a", "t"), of("b", "t"), of("c", "t"), of("d", "t")];
        let all = after(&four);
        assert_eq!(
            all.with(of("e", "t")),
            after(&[of("b", "t"), of("c", "t"), of("d", "t"), of("e", "t")])
        );
        // A write makes a fingerprint the newest.
        let again = all.with(of("a", "t")).with(of("e", "t"));
        assert_eq!(again.compare(&of("a", "t")), Comparison::Same);
        assert_eq!(again.compare(&of("b", "t")), Comparison::Incomparable);
    }

    #[test]
    fn what_cannot_be_verified_is_written_once_by_each_key() {
        let none = after(&[of("a", "t"), of("b", "t")]).unverifiable();
        assert_eq!(none.compare(&of("a", "t")), Comparison::Incomparable);
        assert_eq!(none.with(of("a", "t")), of("a", "t").into());
    }

    #[test]
    fn stored_fingerprints_are_read_only_as_they_are_written() {
        let both = after(&[of("a", "t"), of("b", "t")]);
        for kept in [both.clone(), both.unverifiable()] {
            let stored = serde_json::to_string(&kept).unwrap();
            assert_eq!(serde_json::from_str::<Fingerprints>(&stored).unwrap(), kept);
        }
        let refusal = |digests: &[(KeyId, Digest<FINGERPRINT>)]| {
            let stored = serde_json::json!({ "salt": both.salt, "digests": digests });
            let read: Result<Fingerprints, _> = serde_json::from_value(stored);
            read.unwrap_err().to_string()
        };
        let digest = |key: &str| (of(key, "t").key_id, of(key, "t").digest);
        let five = ["a", "b", "c", "d", "e"].map(digest);
        assert_eq!(refusal(&five), InvalidFingerprints::TooMany.to_string());
        let doubled = ["a", "b", "a"].map(digest);
        assert_eq!(
            refusal(&doubled),
            InvalidFingerprints::SeveralOfOneKey.to_string()
        );
        assert!(serde_json::from_str::<Fingerprints>("{}").is_err());
    }
}
