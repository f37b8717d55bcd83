//! Fingerprints of secrets: keyed one-way digests.
//!
//! The key is derived from the API key (or from a separate secret), which is not in any file. So a reader of the record
//! cannot test candidate tokens, and a fast digest suffices. A key id is stored with the digest, so that after a
//! rotation of the API key fingerprints count as incomparable, not as different.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Secret;
use crate::secret::overwrite_stack;

/// BLAKE3's context strings, which separate the keys derived from one secret. They must never change.
const DIGEST_CONTEXT: &str = "hookctl 2026-11 bearer token fingerprint v1";
const SEAL_CONTEXT: &str = "hookctl 2026-11 plan seal v1";
const FILE_CONTEXT: &str = "hookctl 2026-11 plan file v2";
const KEY_ID_CONTEXT: &str = "hookctl 2026-11 fingerprint key id v1";

/// The length of a digest of a token in bytes: enough that no two tokens share one, and little to store.
pub(super) const FINGERPRINT: usize = 16;

/// The length of a seal in bytes.
const SEAL: usize = blake3::OUT_LEN;

/// Sixteen random bytes per webhook, so that equal tokens have different fingerprints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Salt([u8; 16]);

impl Salt {
    /// Creates a salt from random bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Draws a random salt.
    ///
    /// # Errors
    /// Returns [`NoRandomness`] if the system has no random bytes.
    pub fn draw() -> Result<Self, NoRandomness> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(NoRandomness)?;
        Ok(Self(bytes))
    }
}

/// The system returned no random bytes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("could not get random bytes from the system: {0}")]
pub struct NoRandomness(getrandom::Error);

/// A keyed one-way digest, stored in place of a secret.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    pub(super) key_id: KeyId,
    pub(super) salt: Salt,
    pub(super) digest: Digest<FINGERPRINT>,
}

/// The result of comparing two fingerprints of one webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same secret.
    Same,
    /// Another secret.
    Different,
    /// Unknown, since the keys or salts differ.
    Incomparable,
}

impl Fingerprint {
    /// Compares two fingerprints, in constant time.
    pub fn compare(&self, other: &Self) -> Comparison {
        if self.key_id != other.key_id || self.salt != other.salt {
            Comparison::Incomparable
        } else if self.digest == other.digest {
            Comparison::Same
        } else {
            Comparison::Different
        }
    }

    /// Returns the salt, so that a comparable fingerprint can be made.
    pub const fn salt(&self) -> Salt {
        self.salt
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Fingerprint({:?})", self.digest)
    }
}

/// The minimum length of a separate secret for fingerprints, in bytes.
const SHORTEST: usize = 16;

/// A secret that is too short for a fingerprint key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has fewer than {SHORTEST} characters and could be guessed")]
pub struct TooShort;

/// The key of fingerprints. Never stored.
pub struct FingerprintKey {
    key: zeroize::Zeroizing<[u8; 32]>,
    for_seals: zeroize::Zeroizing<[u8; 32]>,
    for_files: zeroize::Zeroizing<[u8; 32]>,
    id: KeyId,
}

impl FingerprintKey {
    /// Derives the key from a secret: the API key, or a separate one.
    pub fn derive(secret: &Secret) -> Self {
        let material = secret.expose().as_bytes();
        let id = blake3::derive_key(KEY_ID_CONTEXT, material);
        let mut short = [0; 8];
        short.copy_from_slice(&id[..8]);
        Self {
            key: zeroize::Zeroizing::new(blake3::derive_key(DIGEST_CONTEXT, material)),
            for_seals: zeroize::Zeroizing::new(blake3::derive_key(SEAL_CONTEXT, material)),
            for_files: zeroize::Zeroizing::new(blake3::derive_key(FILE_CONTEXT, material)),
            id: KeyId(short),
        }
    }

    /// Derives the key from a separate secret.
    ///
    /// # Errors
    /// Returns [`TooShort`] for a secret that a holder of the record could guess.
    pub fn of_own(secret: &Secret) -> Result<Self, TooShort> {
        if secret.expose().len() < SHORTEST {
            return Err(TooShort);
        }
        Ok(Self::derive(secret))
    }

    /// Returns an id that identifies the key, and does not reveal it.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the fingerprint of a secret: `BLAKE3-keyed(key, salt ‖ secret)`.
    pub fn fingerprint(&self, salt: Salt, secret: &Secret) -> Fingerprint {
        let digest = self.digest(salt, secret);
        overwrite_stack();
        Fingerprint {
            key_id: self.id,
            salt,
            digest,
        }
    }

    #[inline(never)]
    fn digest(&self, salt: Salt, secret: &Secret) -> Digest<FINGERPRINT> {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&salt.0);
        hasher.update(secret.expose().as_bytes());
        let mut digest = [0; FINGERPRINT];
        hasher.finalize_xof().fill(&mut digest);
        // The hasher holds the end of its input.
        zeroize::Zeroize::zeroize(&mut hasher);
        Digest(digest)
    }
}

impl FingerprintKey {
    /// Returns a keyed digest of content that may contain a secret.
    pub fn seal(&self, content: &[u8]) -> Seal {
        Seal(Digest(
            *blake3::keyed_hash(&self.for_seals, content).as_bytes(),
        ))
    }

    /// Returns a keyed digest of a whole file, given in parts. It never equals a seal of other content.
    pub fn seal_file(&self, parts: &[&[u8]]) -> Seal {
        let mut hasher = blake3::Hasher::new_keyed(&self.for_files);
        for part in parts {
            hasher.update(part);
        }
        Seal(Digest(*hasher.finalize().as_bytes()))
    }
}

/// A keyed one-way digest. Compared in constant time.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal(Digest<SEAL>);

impl Seal {
    /// The length of a seal as text, in bytes.
    pub const TEXT_LENGTH: usize = 2 * SEAL;

    /// Parses the text of a seal: lower-case hexadecimal.
    pub fn parse(text: &str) -> Option<Self> {
        lower_hex(text).map(|bytes| Self(Digest(bytes)))
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex(&self.0.0))
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Seal({:?})", self.0)
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FingerprintKey(***)")
    }
}

/// The id of a fingerprint key.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId([u8; 8]);

impl KeyId {
    /// The length of an id as text, in bytes.
    pub const TEXT_LENGTH: usize = 16;

    /// Parses the text of an id: lower-case hexadecimal.
    pub fn parse(text: &str) -> Option<Self> {
        lower_hex(text).map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyId({self})")
    }
}

/// A digest of at most [`blake3::OUT_LEN`] bytes.
#[derive(Clone, Copy, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Digest<const LENGTH: usize>([u8; LENGTH]);

impl<const LENGTH: usize> fmt::Debug for Digest<LENGTH> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = hex(&self.0).chars().take(8).collect();
        write!(formatter, "{shown}…")
    }
}

impl<const LENGTH: usize> PartialEq for Digest<LENGTH> {
    fn eq(&self, other: &Self) -> bool {
        // BLAKE3 compares its own hashes in constant time.
        let padded = |bytes: &[u8; LENGTH]| {
            let mut whole = [0; blake3::OUT_LEN];
            whole
                .iter_mut()
                .zip(bytes)
                .for_each(|(to, from)| *to = *from);
            blake3::Hash::from(whole)
        };
        padded(&self.0) == padded(&other.0)
    }
}

/// A stored text that is not the hexadecimal form of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {expected} bytes in hexadecimal")]
pub struct InvalidHex {
    expected: usize,
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| {
        if half < 10 {
            b'0' + half
        } else {
            b'a' + half - 10
        }
    };
    let mut text = Vec::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.extend([digit(byte >> 4), digit(byte & 0xf)]);
    }
    String::from_utf8(text).unwrap_or_default()
}

fn unhex<const N: usize>(text: &str) -> Result<[u8; N], InvalidHex> {
    let error = InvalidHex { expected: N };
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return Err(error);
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| error)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| error)?;
    }
    Ok(bytes)
}

/// Parses lower-case hexadecimal only, so that each value has a single text.
fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes = unhex(text).ok()?;
    (hex(&bytes) == text).then_some(bytes)
}

macro_rules! as_hex {
    ($type:ty $(, $length:ident)?) => {
        impl$(<const $length: usize>)? TryFrom<String> for $type {
            type Error = InvalidHex;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                unhex(&text).map(Self)
            }
        }

        impl$(<const $length: usize>)? From<$type> for String {
            fn from(value: $type) -> Self {
                hex(&value.0)
            }
        }
    };
}

as_hex!(Salt);
as_hex!(KeyId);
as_hex!(Digest<LENGTH>, LENGTH);

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(value: &str) -> Secret {
        Secret::new(value.to_owned()).unwrap()
    }

    #[test]
    fn tells_same_from_different_from_incomparable() {
        let key = FingerprintKey::derive(&secret("api-key-one"));
        let other_key = FingerprintKey::derive(&secret("api-key-two"));
        let salt = Salt::new([7; 16]);
        let token = key.fingerprint(salt, &secret("token"));
        assert_eq!(
            token.compare(&key.fingerprint(salt, &secret("token"))),
            Comparison::Same
        );
        assert_eq!(
            token.compare(&key.fingerprint(salt, &secret("other"))),
            Comparison::Different
        );
        assert_eq!(
            token.compare(&other_key.fingerprint(salt, &secret("token"))),
            Comparison::Incomparable
        );
        assert_eq!(
            token.compare(&key.fingerprint(Salt::new([8; 16]), &secret("token"))),
            Comparison::Incomparable
        );
    }

    #[test]
    fn survives_storage_and_holds_no_secret() {
        let key = FingerprintKey::derive(&secret("api-key-one"));
        let token = key.fingerprint(Salt::new([7; 16]), &secret("hunter2"));
        let stored = serde_json::to_string(&token).unwrap();
        assert_eq!(serde_json::from_str::<Fingerprint>(&stored).unwrap(), token);
        assert!(!stored.contains("hunter2"));
        assert!(serde_json::from_str::<Salt>("\"07\"").is_err());
        assert_eq!(format!("{key:?}"), "FingerprintKey(***)");
    }
}
