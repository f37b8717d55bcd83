//! The comparable fields of a webhook, as a closed set.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{EndpointUrl, WorkflowActions};

/// A comparable field of a webhook. The token is not one: it cannot be read back, so it has a table of
/// its own in the plan. A field added here does not compile until every comparison, request, and
/// rendering knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// `name`
    Name,
    /// `url`
    Url,
    /// `actions`
    Actions,
    /// `enabled`
    Enabled,
    /// `timeout_seconds`
    TimeoutSeconds,
    /// `max_retries`
    MaxRetries,
    /// `retry_backoff_seconds`
    RetryBackoffSeconds,
}

impl Field {
    /// All fields, in the order in which they are sent and shown.
    pub const ALL: [Self; 7] = [
        Self::Name,
        Self::Url,
        Self::Actions,
        Self::Enabled,
        Self::TimeoutSeconds,
        Self::MaxRetries,
        Self::RetryBackoffSeconds,
    ];

    /// The API's and the declaration's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Url => "url",
            Self::Actions => "actions",
            Self::Enabled => "enabled",
            Self::TimeoutSeconds => "timeout_seconds",
            Self::MaxRetries => "max_retries",
            Self::RetryBackoffSeconds => "retry_backoff_seconds",
        }
    }

    /// The field of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == name)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The value of one [`Field`]. Serializes as the API spells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// A name.
    Text(String),
    /// An address.
    Url(EndpointUrl),
    /// A set of events.
    Actions(WorkflowActions),
    /// A switch.
    Flag(bool),
    /// A count or a number of seconds.
    Number(i64),
}

impl fmt::Display for FieldValue {
    /// As YAML would write it, on one line, a password in a URL masked.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(formatter, "{text:?}"),
            Self::Url(url) => write!(formatter, "{:?}", url.masked()),
            Self::Actions(actions) => write!(formatter, "{actions}"),
            Self::Flag(flag) => write!(formatter, "{flag}"),
            Self::Number(number) => write!(formatter, "{number}"),
        }
    }
}
