//! Digests of grants, which identify them by 32 bytes.

use std::fmt;
use std::path::Path;

/// The digest of a grant or of an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// A text that is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a digest: 64 characters of 0-9 and a-f")]
pub struct InvalidDigest;

impl Digest {
    /// Parses the output of [`Digest`]'s `Display`.
    ///
    /// # Errors
    /// Returns [`InvalidDigest`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidDigest> {
        let lower = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
        if text.len() != 64 || !text.bytes().all(lower) {
            return Err(InvalidDigest);
        }
        let hash = blake3::Hash::from_hex(text).map_err(|_| InvalidDigest)?;
        Ok(Self(*hash.as_bytes()))
    }

    /// Returns the bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

/// Hashes values with length prefixes, so that different lists never have the same bytes. A domain separates the
/// digests of different kinds of things.
pub(super) struct Encoder(blake3::Hasher);

impl Encoder {
    pub(super) fn new(domain: &'static str) -> Self {
        Self(blake3::Hasher::new_derive_key(domain))
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len());
        self.0.update(bytes);
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    pub(super) fn path(&mut self, path: &Path) -> &mut Self {
        self.bytes(path.as_os_str().as_encoded_bytes())
    }

    /// Adds a count of the following values.
    pub(super) fn number(&mut self, number: usize) -> &mut Self {
        self.0.update(&(number as u64).to_le_bytes());
        self
    }

    pub(super) fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[Vec<u8>]) -> Digest {
        let mut encoder = Encoder::new("a test");
        for value in values {
            encoder.bytes(value);
        }
        encoder.finish()
    }

    proptest! {
        #[test]
        fn two_lists_of_values_have_one_digest_only_if_they_are_the_same(
            one: Vec<Vec<u8>>, other: Vec<Vec<u8>>,
        ) {
            prop_assert_eq!(of(&one) == of(&other), one == other);
            // The same bytes, split elsewhere.
            let joined = vec![one.concat()];
            prop_assert_eq!(of(&one) == of(&joined), one == joined);
        }

        #[test]
        fn a_digest_is_read_back(bytes: [u8; 32]) {
            prop_assert_eq!(Digest::parse(&Digest(bytes).to_string()), Ok(Digest(bytes)));
        }
    }

    #[test]
    fn a_domain_makes_another_digest_of_the_same_values() {
        let of = |domain| Encoder::new(domain).text("a").finish();
        assert_ne!(of("one"), of("other"));
    }

    #[test]
    fn only_64_lower_hex_digits_are_a_digest() {
        let digit = "0123456789abcdef".repeat(4);
        assert!(Digest::parse(&digit).is_ok());
        for wrong in [
            "",
            "1",
            &digit[1..],
            &digit.to_uppercase(),
            &format!("{digit}0"),
            &format!(" {}", &digit[1..]),
        ] {
            assert_eq!(Digest::parse(wrong), Err(InvalidDigest), "{wrong}");
        }
    }
}
