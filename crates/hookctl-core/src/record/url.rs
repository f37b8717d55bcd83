//! The address of a shared record: an object store, a bucket, and a prefix in it.

use std::fmt;
use std::str::FromStr;

/// The address of a shared record, such as `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordUrl {
    store: ObjectStore,
    prefix: String,
}

/// An object store and a bucket in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ObjectStore {
    /// Amazon S3, or another store with its interface: `s3://BUCKET/PREFIX`.
    S3 {
        /// The bucket.
        bucket: String,
    },
    /// Azure Blob Storage: `az://ACCOUNT/CONTAINER/PREFIX`.
    Azure {
        /// The storage account.
        account: String,
        /// The container.
        container: String,
    },
    /// Google Cloud Storage: `gs://BUCKET/PREFIX`.
    Google {
        /// The bucket.
        bucket: String,
    },
}

/// Why a text is not the address of a shared record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecordUrl {
    /// The scheme is missing or unknown.
    #[error("must begin with s3://, az://, or gs://")]
    Scheme,
    /// The bucket, or the account and container, are missing or contain an invalid character.
    #[error(
        "must name a bucket: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, or az://ACCOUNT/CONTAINER/PREFIX"
    )]
    Bucket,
    /// The prefix is missing, so that the record would share the bucket's root with other objects.
    #[error("must name a prefix below the bucket, such as s3://BUCKET/hookctl")]
    Prefix,
    /// The prefix has an empty part, `.`, `..`, or a character other than letters, digits, `.`, `_`, `=`, and `-`.
    #[error(
        "has a prefix with other characters than letters, digits, '.', '_', '=', and '-', or with an empty part"
    )]
    PrefixCharacter,
    /// The text is too long for an object's name.
    #[error("is longer than 500 characters")]
    Length,
}

/// The most characters. The names of objects are limited to 1,024 bytes on each store.
const MAX_LENGTH: usize = 500;

impl RecordUrl {
    /// Parses an address.
    ///
    /// # Errors
    /// Returns [`InvalidRecordUrl`] for any other text, one with a query, a port, or user info among them.
    pub fn parse(text: &str) -> Result<Self, InvalidRecordUrl> {
        if text.len() > MAX_LENGTH {
            return Err(InvalidRecordUrl::Length);
        }
        let (scheme, rest) = text.split_once("://").ok_or(InvalidRecordUrl::Scheme)?;
        if !matches!(scheme, "s3" | "az" | "gs") {
            return Err(InvalidRecordUrl::Scheme);
        }
        let (first, rest) = split(rest);
        let bucket = named(first)?;
        let (store, prefix) = match scheme {
            "az" => {
                let (second, rest) = split(rest.ok_or(InvalidRecordUrl::Bucket)?);
                let container = named(second)?;
                let account = bucket;
                (ObjectStore::Azure { account, container }, rest)
            }
            "gs" => (ObjectStore::Google { bucket }, rest),
            _ => (ObjectStore::S3 { bucket }, rest),
        };
        let prefix = prefix.map(|prefix| prefix.strip_suffix('/').unwrap_or(prefix));
        let prefix = prefix
            .filter(|prefix| !prefix.is_empty())
            .ok_or(InvalidRecordUrl::Prefix)?;
        let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(is_plain);
        if !prefix.split('/').all(is_part) {
            return Err(InvalidRecordUrl::PrefixCharacter);
        }
        Ok(Self {
            store,
            prefix: prefix.to_owned(),
        })
    }

    /// Returns the store and the bucket.
    pub const fn store(&self) -> &ObjectStore {
        &self.store
    }

    /// Returns the prefix of the names of objects, without a slash at its ends.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// Splits at the first slash.
fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once('/')
        .map_or((text, None), |(first, rest)| (first, Some(rest)))
}

/// Returns the name of a bucket, a container, or an account, if it has only the characters that any store allows.
fn named(text: &str) -> Result<String, InvalidRecordUrl> {
    let is_name = !text.is_empty() && !text.starts_with('.') && text.chars().all(is_plain);
    if is_name && !text.contains('=') {
        Ok(text.to_owned())
    } else {
        Err(InvalidRecordUrl::Bucket)
    }
}

const fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '=' | '-')
}

impl FromStr for RecordUrl {
    type Err = InvalidRecordUrl;

    fn from_str(text: &str) -> Result<Self, InvalidRecordUrl> {
        Self::parse(text)
    }
}

impl fmt::Display for RecordUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.store, self.prefix)
    }
}

impl fmt::Display for ObjectStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket } => write!(formatter, "s3://{bucket}"),
            Self::Azure { account, container } => write!(formatter, "az://{account}/{container}"),
            Self::Google { bucket } => write!(formatter, "gs://{bucket}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_displays_as_it_was_written() {
        for text in [
            "s3://acme-iac/hookctl",
            "s3://acme.iac/team=a/hookctl_1",
            "gs://bucket/a/b/c",
            "az://account/container/prefix",
        ] {
            assert_eq!(RecordUrl::parse(text).unwrap().to_string(), text);
        }
        let parsed = RecordUrl::parse("s3://bucket/prefix/").unwrap();
        assert_eq!(parsed.to_string(), "s3://bucket/prefix");
    }

    #[test]
    fn other_texts_are_refused() {
        use InvalidRecordUrl::{Bucket, Length, Prefix, PrefixCharacter, Scheme};
        let long = format!("s3://bucket/{}", "a".repeat(MAX_LENGTH));
        for (text, error) in [
            ("", Scheme),
            ("bucket/prefix", Scheme),
            ("file:///tmp/x", Scheme),
            ("https://bucket/x", Scheme),
            ("S3://bucket/x", Scheme),
            ("s3://", Bucket),
            ("s3:///x", Bucket),
            ("s3://user:password@host/x", Bucket),
            ("s3://host:1/x", Bucket),
            ("az://account", Bucket),
            ("az://account/", Bucket),
            ("s3://bucket", Prefix),
            ("s3://bucket/", Prefix),
            ("az://account/container", Prefix),
            ("s3://bucket/a//b", PrefixCharacter),
            ("s3://bucket/../b", PrefixCharacter),
            ("s3://bucket/a?b", PrefixCharacter),
            ("s3://bucket/a b", PrefixCharacter),
            ("s3://bucket/ä", PrefixCharacter),
            (&long, Length),
        ] {
            assert_eq!(RecordUrl::parse(text), Err(error), "{text}");
        }
    }
}
