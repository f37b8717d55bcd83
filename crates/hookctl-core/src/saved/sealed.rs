//! Files of saved plans: a fixed head with a seal, followed by the content.
//!
//! A file is one JSON document, but its head has a single valid spelling and is compared byte by byte. The seal covers
//! every byte of the file except its own. So nothing is parsed before the writer is authenticated.

use std::fmt;

use super::{Content, SANDBOX, SavedPlan};
use crate::outside::json;
use crate::secret::{FingerprintKey, KeyId, Seal};

/// The version of the file format.
pub const FORMAT_VERSION: &str = "2";

/// The fixed parts of a file, between its values.
const TO_VERSION: &str = "{\n  \"format_version\": \"";
const TO_KEY: &str = "\",\n  \"key_id\": \"";
const TO_SANDBOX: &str = "\",\n  \"sandbox\": ";
const TO_SEAL: &str = ",\n  \"seal\": \"";
const TO_CONTENT: &str = "\",\n  \"content\": ";
const END: &str = "\n}\n";

/// A file in the format of a plan, with a seal that is not checked yet.
///
/// Whether it is for the sandbox is read before the seal is checked, since the key depends on it. The sealed content
/// repeats it.
pub struct SealedPlan {
    bytes: Vec<u8>,
    head: Head,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    key_id: KeyId,
    is_for_sandbox: bool,
    seal: Seal,
    /// The offset of the seal's text, in bytes.
    seal_at: usize,
}

/// Why a file is not a plan of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoPlan {
    /// It does not begin like a plan.
    #[error("it is not a plan that `--out` wrote")]
    Form,
    /// It has the format of another version.
    #[error("it is a plan in the format of another version of hookctl")]
    Version,
}

/// Why a sealed plan does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It was sealed with another key.
    #[error("it was sealed with another key than this API key or `fingerprint_key`")]
    OtherKey,
    /// It was modified after it was sealed.
    #[error("it was modified: its seal does not match")]
    Changed,
    /// It was saved by this other version.
    #[error("it was saved by hookctl {0}, and this is hookctl {ours}", ours = env!("CARGO_PKG_VERSION"))]
    OtherVersion(String),
    /// The sealed content is not a plan.
    #[error("its sealed content is not a plan")]
    Content(#[source] serde_json::Error),
}

impl SavedPlan {
    /// Seals the plan, and returns the content of its file.
    ///
    /// # Errors
    /// Returns [`serde_json::Error`] if the plan cannot be serialized.
    pub fn to_file(&self, key: &FingerprintKey) -> Result<String, serde_json::Error> {
        // JSON strings contain no line breaks, so this changes only the indentation.
        let content = serde_json::to_string_pretty(&self.content)?;
        // CI jobs print the file to their log.
        let content = json::escape(&content).replace('\n', "\n  ");
        let key_id = key.id();
        let sandbox = self.terms().api == SANDBOX;
        let before =
            format!("{TO_VERSION}{FORMAT_VERSION}{TO_KEY}{key_id}{TO_SANDBOX}{sandbox}{TO_SEAL}");
        let after = format!("{TO_CONTENT}{content}{END}");
        let seal = key.seal_file(&[before.as_bytes(), after.as_bytes()]);
        Ok(format!("{before}{seal}{after}"))
    }
}

impl fmt::Debug for SealedPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SealedPlan")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

impl SealedPlan {
    /// Reads the content of a file, without checking its seal.
    ///
    /// # Errors
    /// Returns [`NoPlan`] if it is not in the format of this version.
    pub fn read(bytes: Vec<u8>) -> Result<Self, NoPlan> {
        let head = Cursor::new(&bytes).head()?;
        Ok(Self { bytes, head })
    }

    /// Returns whether the file claims to be for the built-in emulator.
    pub const fn is_for_sandbox(&self) -> bool {
        self.head.is_for_sandbox
    }

    /// Checks the seal, and returns the plan.
    ///
    /// # Errors
    /// Returns [`OpenError`] unless a holder of this key wrote the file, with this version.
    pub fn open(&self, key: &FingerprintKey) -> Result<SavedPlan, OpenError> {
        if self.head.key_id != key.id() {
            return Err(OpenError::OtherKey);
        }
        let before = self.bytes.get(..self.head.seal_at).unwrap_or_default();
        let content_at = self.head.seal_at + Seal::TEXT_LENGTH;
        let after = self.bytes.get(content_at..).unwrap_or_default();
        if key.seal_file(&[before, after]) != self.head.seal {
            return Err(OpenError::Changed);
        }
        let content = after
            .strip_prefix(TO_CONTENT.as_bytes())
            .and_then(|rest| rest.strip_suffix(END.as_bytes()))
            .ok_or(OpenError::Changed)?;
        let version: Version = serde_json::from_slice(content).map_err(OpenError::Content)?;
        if version.tool_version != env!("CARGO_PKG_VERSION") {
            return Err(OpenError::OtherVersion(version.tool_version));
        }
        let content: Content = serde_json::from_slice(content).map_err(OpenError::Content)?;
        Ok(SavedPlan { content })
    }
}

/// The part of the content that is the same in every version.
#[derive(serde::Deserialize)]
struct Version {
    tool_version: String,
}

/// A reader of the head.
struct Cursor<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    fn head(mut self) -> Result<Head, NoPlan> {
        self.skip(TO_VERSION).ok_or(NoPlan::Form)?;
        self.skip(FORMAT_VERSION).ok_or(NoPlan::Version)?;
        self.skip(TO_KEY).ok_or(NoPlan::Version)?;
        self.rest_of_head().ok_or(NoPlan::Form)
    }

    fn rest_of_head(&mut self) -> Option<Head> {
        let key_id = KeyId::parse(self.take(KeyId::TEXT_LENGTH)?)?;
        self.skip(TO_SANDBOX)?;
        let is_for_sandbox = match self.skip("true") {
            Some(()) => true,
            None => self.skip("false").map(|()| false)?,
        };
        self.skip(TO_SEAL)?;
        let seal_at = self.at;
        let seal = Seal::parse(self.take(Seal::TEXT_LENGTH)?)?;
        Some(Head {
            key_id,
            is_for_sandbox,
            seal,
            seal_at,
        })
    }

    fn skip(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text.as_bytes())?;
        self.at += text.len();
        Some(())
    }

    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        self.at += length;
        std::str::from_utf8(taken).ok()
    }
}
