//! Determines which values of a file may be shown: only those of public fields.
//!
//! The decision depends on the path of a key from the root of the document. Values of unknown keys are never shown.

use super::secret_key::is_secret_key;

/// Keys at the root or among fields whose values are public: single values, or lists of them.
const PUBLIC: [&str; 26] = [
    "name",
    "url",
    "actions",
    "enabled",
    "timeout_seconds",
    "max_retries",
    "retry_backoff_seconds",
    "id",
    "previously",
    "targets",
    "ignore_changes",
    "prevent_destroy",
    "state",
    "webhooks_dir",
    "cache_dir",
    "default_target",
    "prune",
    "concurrency",
    "requests_per_second",
    "confirm",
    "plaintext_secrets",
    "api_url",
    "max_delete_percent",
    "max_delete_count",
    "max_update_percent",
    "max_update_count",
];

/// Keys of a target's ids, which are public too.
const PUBLIC_IDS: [&str; 2] = ["team_id", "user_id"];

/// What may be shown of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exposure {
    /// The root of a document.
    Root,
    /// A mapping with user-defined keys: webhooks, targets.
    Named,
    /// The fields of a webhook or a target.
    Fields,
    /// Values of public keys: `lints`.
    Words,
    /// A public value, or a list of public values.
    Public,
    /// A secret, of which references may be shown.
    Secret,
    /// Nothing may be shown.
    Hidden,
}

impl Exposure {
    /// Returns what may be shown of the value of a key.
    pub(super) fn of_key(self, key: &str, value_is_mapping: bool) -> Self {
        match self {
            Self::Root | Self::Named | Self::Fields if key == "<<" => self,
            Self::Root => match key {
                "webhooks" | "targets" => Self::Named,
                "defaults" | "safety" => Self::Fields,
                "lints" => Self::Words,
                _ if key.starts_with("x-") => Self::Fields,
                _ => Self::of_field(key),
            },
            Self::Named if value_is_mapping => Self::Fields,
            Self::Fields => match key {
                "targets" if value_is_mapping => Self::Named,
                _ => Self::of_field(key),
            },
            Self::Words => Self::Public,
            Self::Secret => Self::Secret,
            Self::Named | Self::Public | Self::Hidden => Self::Hidden,
        }
    }

    fn of_field(key: &str) -> Self {
        if is_public(key) {
            Self::Public
        } else if is_secret_key(key) {
            Self::Secret
        } else {
            Self::Hidden
        }
    }

    /// Returns what may be shown of the entries of a collection.
    pub(super) fn of_collection(self, is_mapping: bool) -> Self {
        match self {
            Self::Public if is_mapping => Self::Hidden,
            Self::Named | Self::Fields | Self::Words if !is_mapping => Self::Hidden,
            other => other,
        }
    }

    /// Returns whether a scalar is shown.
    pub(super) fn shows_scalar(self) -> bool {
        self == Self::Public
    }

    /// Returns whether keys of the mapping may contain a secret.
    pub(super) fn hides_keys(self) -> bool {
        matches!(self, Self::Secret | Self::Hidden)
    }
}

/// Returns whether the values of a key are public.
pub(super) fn is_public(key: &str) -> bool {
    PUBLIC.contains(&key) || PUBLIC_IDS.contains(&key)
}

/// Returns whether a key holds an address, which may have private parts.
pub(super) fn is_address(key: &str) -> bool {
    matches!(key, "url" | "api_url")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_is_known_is_public_or_a_secret() {
        // A new field is not shown until it is listed.
        let fields = crate::declaration::FIELDS.iter();
        for field in fields {
            let exposure = Exposure::Fields.of_key(field, false);
            let expected = match *field {
                "bearer_token" => Exposure::Secret,
                _ => Exposure::Public,
            };
            assert_eq!(exposure, expected, "{field}");
        }
        for key in ["api_key", "fingerprint_key", "bearer_tokn"] {
            assert_eq!(Exposure::Fields.of_key(key, false), Exposure::Secret);
        }
        for key in ["vars", "headers", "timeout", "key"] {
            assert_eq!(Exposure::Fields.of_key(key, false), Exposure::Hidden);
        }
    }
}
