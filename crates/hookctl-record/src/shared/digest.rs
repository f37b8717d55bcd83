//! Digests of objects.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The first 16 bytes of a BLAKE3 hash, in lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Digest(u128);

impl Digest {
    /// Returns the digest of an object's content.
    pub(super) fn of(content: &[u8]) -> Self {
        let mut short = [0; 16];
        blake3::Hasher::new()
            .update(content)
            .finalize_xof()
            .fill(&mut short);
        Self(u128::from_be_bytes(short))
    }

    /// The digest before the first entry of a log.
    pub(super) const fn none() -> Self {
        Self(0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return Err("not a digest");
        }
        u128::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| "not a digest")
    }
}
