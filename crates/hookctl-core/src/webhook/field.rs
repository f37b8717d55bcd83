//! The comparable fields of a webhook.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{EndpointUrl, WorkflowActions};

/// A comparable field of a webhook.
///
/// The token is not one: it cannot be read back, so the plan has a table of its own for it. The compiler finds every
/// comparison, request, and rendering that a new field has to be added to.
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
    /// All fields, in the order of requests and output.
    pub const ALL: [Self; 7] = [
        Self::Name,
        Self::Url,
        Self::Actions,
        Self::Enabled,
        Self::TimeoutSeconds,
        Self::MaxRetries,
        Self::RetryBackoffSeconds,
    ];

    /// Returns the spelling of the API and of declarations.
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

    /// Returns the field with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == name)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The value of a [`Field`]. Serializes to the JSON of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// The value of `name`.
    Text(String),
    /// The value of `url`.
    Url(EndpointUrl),
    /// The value of `actions`.
    Actions(WorkflowActions),
    /// The value of `enabled`.
    Flag(bool),
    /// A count, or a number of seconds.
    Number(i64),
}

impl FieldValue {
    /// Removes secrets from the value: `mask` receives each text of it and returns it without secrets. A known action
    /// is never masked.
    pub fn redact(&mut self, mask: impl Fn(&str) -> String) {
        match self {
            Self::Text(text) => *text = mask(text),
            Self::Url(url) => *url = EndpointUrl::from_remote(mask(url.as_str())),
            Self::Actions(actions) => {
                let masked = |name: &str| Some(mask(name)).filter(|masked| masked != name);
                if let Some(masked) = actions.with_unknown(masked) {
                    *actions = masked;
                }
            }
            Self::Flag(_) | Self::Number(_) => {}
        }
    }
}

impl fmt::Display for FieldValue {
    /// Writes the value as YAML on one line, with a masked URL.
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
