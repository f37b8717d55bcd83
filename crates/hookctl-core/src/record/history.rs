//! The history of applied changes.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::webhook::{Key, RemoteId};

/// One applied change. It contains no secret: a token is only ever `(none)`, `(secret)`, or `(unknown)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The time of the API's confirmation.
    pub at: Timestamp,
    /// The same time by the API's clock, for comparison with events. `None` if nothing was sent, or the API's clock is
    /// unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_at: Option<Timestamp>,
    /// The webhook's key.
    pub key: Key,
    /// The webhook's id.
    pub id: RemoteId,
    /// What was done.
    pub action: HistoryAction,
    /// The changed fields.
    pub changes: Vec<HistoryChange>,
    /// The Git commit of the files; `None` outside a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Box<Provenance>>,
    /// The run: the URL of a CI job, or the user, host, and process. `None` if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// Defines an enum of names. A name that is not among them, written by another version, stays as it is.
macro_rules! names {
    ($(#[doc = $doc:literal])+ $type:ident { $($(#[doc = $about:literal])+ $variant:ident = $name:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $type {
            $($(#[doc = $about])+ $variant,)+
            /// A name that another version wrote.
            Unknown(String),
        }

        impl $type {
            /// Returns the name.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Unknown(name) => name,
                }
            }
        }

        impl From<Cow<'_, str>> for $type {
            fn from(name: Cow<'_, str>) -> Self {
                match &*name {
                    $($name => Self::$variant,)+
                    _ => Self::Unknown(name.into_owned()),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<str>::deserialize(deserializer).map(Self::from)
            }
        }
    };
}

names! {
    /// What was done to a webhook or its binding.
    HistoryAction {
        /// The webhook was created.
        Create = "create",
        /// The webhook was patched.
        Update = "update",
        /// The webhook was deleted.
        Delete = "delete",
        /// An existing webhook was bound.
        Adopt = "adopt",
        /// The webhook was created again.
        Recreate = "recreate",
        /// The binding was dropped.
        Forget = "forget",
        /// The binding moved to another key.
        Rename = "rename",
    }
}

names! {
    /// Why a field changed.
    HistoryCause {
        /// The file was edited.
        Edited = "edited",
        /// The remote webhook was edited.
        Drift = "drift",
        /// Both were edited.
        Conflict = "conflict",
        /// Unknown, since there was no record.
        Unrecorded = "unrecorded",
        /// Unknown, since the secret could not be compared.
        Unverified = "unverified",
    }
}

/// One changed field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryChange {
    /// The field's name.
    pub field: Cow<'static, str>,
    /// The old value on one line; `None` if the webhook did not exist.
    pub from: Option<String>,
    /// The new value on one line.
    pub to: String,
    /// Why the field changed.
    pub cause: HistoryCause,
}

/// The Git commit of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The commit's hash.
    pub commit: String,
    /// Its author's name.
    pub author: String,
    /// Whether the files differed from the commit.
    pub modified: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_another_version_stays_as_it_is() {
        let read = |text: &str| serde_json::from_str::<HistoryAction>(text).unwrap();
        assert_eq!(read("\"rename\""), HistoryAction::Rename);
        let unknown = read("\"re\\u0061rrange\"");
        assert_eq!(unknown, HistoryAction::Unknown("rearrange".to_owned()));
        assert_eq!(serde_json::to_string(&unknown).unwrap(), "\"rearrange\"");
        assert_eq!(
            HistoryCause::from(Cow::Borrowed("drift")),
            HistoryCause::Drift
        );
    }
}
