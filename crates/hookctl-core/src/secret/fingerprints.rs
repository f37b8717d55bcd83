//! What the record keeps of a token that hookctl set: a fingerprint for each of the last keys.
//!
//! Machines with different API keys may share a record. Each compares only the fingerprint of its own key, so each adds
//! one when it writes the token. If it replaced the others instead, the machines would write the token in turn for ever.
//!
//! No machine can tell whether the fingerprint of another key is of its token. So one that finds a later write of another key
//! writes the token once more, and the fingerprints since its own count as confirmed: otherwise a change that only other keys
//! applied, and that was undone since, would stay at the API.

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
    /// The digests with their keys, in the order of the last writes.
    digests: Vec<(KeyId, Digest<FINGERPRINT>)>,
    /// How many of the last are confirmed.
    confirmed: usize,
}

impl Fingerprints {
    /// The maximum number of fingerprints of one token. The oldest goes first.
    pub const MOST: usize = MOST;

    /// Compares a token with the recorded one, by the fingerprint of its key. If that is the same, but another key wrote
    /// since, the result is [`Comparison::Incomparable`].
    pub fn compare(&self, own: &Fingerprint) -> Comparison {
        match self.of_key(own) {
            None | Some((_, Comparison::Same, false)) => Comparison::Incomparable,
            Some((_, compared, _)) => compared,
        }
    }

    /// Returns the place of the fingerprint of a key, how it compares, and whether it is confirmed.
    fn of_key(&self, own: &Fingerprint) -> Option<(usize, Comparison, bool)> {
        let mut digests = self.digests.iter();
        let place = digests.position(|(key_id, _)| *key_id == own.key_id)?;
        let (key_id, digest) = *self.digests.get(place)?;
        let recorded = Fingerprint {
            key_id,
            salt: self.salt,
            digest,
        };
        let is_confirmed = place + self.confirmed >= self.digests.len();
        Some((place, recorded.compare(own), is_confirmed))
    }

    /// Returns the fingerprints after a write of a token.
    ///
    /// The other fingerprints stay if this one is new or the same. They go if it shows that the token changed, because
    /// they are of the token before.
    #[must_use]
    pub fn with(&self, own: Fingerprint) -> Self {
        if self.salt != own.salt {
            return own.into();
        }
        let confirmed = match self.of_key(&own) {
            None => 1,
            Some((_, Comparison::Same, true)) => self.confirmed,
            Some((place, Comparison::Same, false)) => self.digests.len() - place,
            Some((_, Comparison::Different | Comparison::Incomparable, _)) => return own.into(),
        };
        let others = self.digests.iter().copied();
        let mut digests: Vec<_> = others.filter(|(key, _)| *key != own.key_id).collect();
        digests.push((own.key_id, own.digest));
        digests.drain(..digests.len().saturating_sub(MOST));
        Self {
            salt: self.salt,
            digests,
            confirmed,
        }
    }

    /// Returns no fingerprints, which still records that a token was set.
    #[must_use]
    pub const fn unverifiable(&self) -> Self {
        Self {
            salt: self.salt,
            digests: Vec::new(),
            confirmed: 0,
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
            confirmed: 1,
        }
    }
}

/// The stored form, which may be anything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    salt: Salt,
    digests: Vec<(KeyId, Digest<FINGERPRINT>)>,
    confirmed: usize,
}

impl TryFrom<Stored> for Fingerprints {
    type Error = InvalidFingerprints;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored {
            salt,
            digests,
            confirmed,
        } = stored;
        if digests.len() > MOST {
            return Err(InvalidFingerprints::TooMany);
        }
        if confirmed > digests.len() || (confirmed == 0) != digests.is_empty() {
            return Err(InvalidFingerprints::Confirmed);
        }
        let mut rest = digests.as_slice();
        while let Some(((key_id, _), later)) = rest.split_first() {
            if later.iter().any(|(other, _)| other == key_id) {
                return Err(InvalidFingerprints::SeveralOfOneKey);
            }
            rest = later;
        }
        Ok(Self {
            salt,
            digests,
            confirmed,
        })
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
    /// More are confirmed than there are, or none.
    #[error("a token has an impossible number of confirmed fingerprints")]
    Confirmed,
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
        let both = after(&[of("a", "t"), of("b", "t"), of("a", "t")]);
        for key in ["a", "b"] {
            assert_eq!(both.compare(&of(key, "t")), Comparison::Same);
            assert_eq!(both.compare(&of(key, "u")), Comparison::Different);
            let salted = salted(2, key, "t");
            assert_eq!(both.compare(&salted), Comparison::Incomparable);
        }
        assert_eq!(both.compare(&of("c", "t")), Comparison::Incomparable);
    }

    /// The fingerprints that are reachable from one, by any writes of these.
    fn reachable(writes: &[Fingerprint]) -> Vec<Fingerprints> {
        let mut found: Vec<Fingerprints> = Vec::new();
        let mut next: Vec<Fingerprints> = writes.iter().map(|first| (*first).into()).collect();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(all) = next.pop() {
            if seen.insert(serde_json::to_string(&all).unwrap()) {
                let unwritten = |own: &&Fingerprint| all.compare(own) != Comparison::Same;
                next.extend(writes.iter().filter(unwritten).map(|own| all.with(*own)));
                found.push(all);
            }
        }
        found
    }

    /// The maximum number of writes by the last of these keys, if they all apply the token of `writes`.
    fn most_writes(
        all: &Fingerprints,
        writes: &[Fingerprint],
        known: &mut std::collections::BTreeMap<String, Option<usize>>,
    ) -> usize {
        let name = serde_json::to_string(all).unwrap();
        if let Some(most) = known.get(&name) {
            return most.expect("the keys write in turn for ever");
        }
        known.insert(name.clone(), None);
        let mut most = 0;
        for (place, own) in writes.iter().enumerate() {
            if all.compare(own) != Comparison::Same {
                let rest = most_writes(&all.with(*own), writes, known);
                most = most.max(rest + usize::from(place + 1 == writes.len()));
            }
        }
        known.insert(name, Some(most));
        most
    }

    #[test]
    fn after_a_change_each_of_up_to_four_keys_writes_a_bounded_number_of_times() {
        let mut bounds = Vec::new();
        for keys in 1..=Fingerprints::MOST {
            let names = ["a", "b", "c", "d"].into_iter().take(keys);
            let writes: Vec<_> = names.clone().map(|key| of(key, "t")).collect();
            let before = names.map(|key| of(key, "s"));
            let known = &mut std::collections::BTreeMap::new();
            let any: Vec<_> = writes.iter().copied().chain(before).collect();
            let most = reachable(&any)
                .iter()
                .map(|all| most_writes(all, &writes, known))
                .max();
            bounds.push(most.unwrap());
        }
        assert_eq!(bounds, [1, 2, 4, 6]);
    }

    #[test]
    fn a_later_write_of_another_key_confirms_what_was_written_since() {
        let (a, b, c) = (of("a", "t"), of("b", "u"), of("c", "u"));
        let is_same =
            |all: &Fingerprints| [a, b, c].map(|own| all.compare(&own) == Comparison::Same);
        let written = after(&[a, b, c]);
        assert_eq!(is_same(&written), [false, false, true]);
        // What `a` wrote before is not confirmed by `b`.
        let by_b = written.with(b);
        assert_eq!(is_same(&by_b), [false, true, true]);
        assert_eq!(by_b.with(c), after(&[a, b, c, b, c]));
        assert_eq!(is_same(&by_b.with(a)), [true; 3]);
        assert_eq!(by_b.compare(&of("a", "u")), Comparison::Different);
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
        let has = |key: &str| again.of_key(&of(key, "t")).is_some();
        assert_eq!(["a", "b", "e"].map(has), [true, false, true]);
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
            let stored =
                serde_json::json!({ "salt": both.salt, "digests": digests, "confirmed": 1 });
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
        let counted = |confirmed: usize| {
            let stored = serde_json::json!({
                "salt": both.salt, "digests": [digest("a")], "confirmed": confirmed
            });
            serde_json::from_value::<Fingerprints>(stored).is_ok()
        };
        assert_eq!([0, 1, 2].map(counted), [false, true, false]);
        assert!(serde_json::from_str::<Fingerprints>("{}").is_err());
    }
}
