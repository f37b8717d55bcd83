//! All fields of a webhook except its token.

use serde::{Deserialize, Serialize};

use super::{EndpointUrl, Field, FieldValue, WorkflowActions};

/// All comparable fields of a webhook, with defaults.
///
/// Desired, sent, stored, and observed values share this type, so that the three-way comparison compares like with
/// like. A desired spec is within the documented limits, since it comes from validated declarations. An observed one may
/// contain anything that the API returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookSpec {
    /// The display name.
    pub name: String,
    /// Where events are delivered.
    pub url: EndpointUrl,
    /// The events delivered.
    pub actions: WorkflowActions,
    /// Whether events are delivered.
    pub enabled: bool,
    /// The time limit for the receiver's response, in seconds (documented: 1 to 60).
    pub timeout_seconds: i64,
    /// Retries after the first attempt (documented: 0 to 10).
    pub max_retries: i64,
    /// Base of the exponential backoff between retries, in seconds (documented: 1 to 300).
    pub retry_backoff_seconds: i64,
}

impl WebhookSpec {
    /// Returns whether two webhooks have equivalent names and addresses, as after a create that was sent twice.
    pub fn looks_like(&self, other: &Self) -> bool {
        names_match(&self.name, &other.name) && self.url.is_equivalent_to(&other.url)
    }

    /// Returns the value of a field.
    pub fn get(&self, field: Field) -> FieldValue {
        match field {
            Field::Name => FieldValue::Text(self.name.clone()),
            Field::Url => FieldValue::Url(self.url.clone()),
            Field::Actions => FieldValue::Actions(self.actions.clone()),
            Field::Enabled => FieldValue::Flag(self.enabled),
            Field::TimeoutSeconds => FieldValue::Number(self.timeout_seconds),
            Field::MaxRetries => FieldValue::Number(self.max_retries),
            Field::RetryBackoffSeconds => FieldValue::Number(self.retry_backoff_seconds),
        }
    }

    /// Returns whether a field has the same value in both. Names are compared in normal form, and addresses as parsed.
    pub fn field_equals(&self, other: &Self, field: Field) -> bool {
        match field {
            Field::Name => names_match(&self.name, &other.name),
            Field::Url => self.url.is_same_as(&other.url),
            Field::Actions => self.actions == other.actions,
            Field::Enabled => self.enabled == other.enabled,
            Field::TimeoutSeconds => self.timeout_seconds == other.timeout_seconds,
            Field::MaxRetries => self.max_retries == other.max_retries,
            Field::RetryBackoffSeconds => self.retry_backoff_seconds == other.retry_backoff_seconds,
        }
    }

    /// Copies the value of a field from another spec.
    pub fn copy_field(&mut self, from: &Self, field: Field) {
        match field {
            Field::Name => self.name.clone_from(&from.name),
            Field::Url => self.url.clone_from(&from.url),
            Field::Actions => self.actions.clone_from(&from.actions),
            Field::Enabled => self.enabled = from.enabled,
            Field::TimeoutSeconds => self.timeout_seconds = from.timeout_seconds,
            Field::MaxRetries => self.max_retries = from.max_retries,
            Field::RetryBackoffSeconds => {
                self.retry_backoff_seconds = from.retry_backoff_seconds;
            }
        }
    }
}

/// Returns whether two names are equal in normal form.
pub fn names_match(one: &str, other: &str) -> bool {
    one == other || normal_name(one) == normal_name(other)
}

/// Returns the normal form of a name: trimmed, with one space for each run of white space. Case is significant. Every
/// comparison of names uses this form.
pub fn normal_name(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_but_for_white_space() {
        for name in ["Billing run", " Billing run\n", "Billing\t \u{a0} run"] {
            assert!(names_match("Billing run", name), "{name:?}");
        }
        for name in ["billing run", "Billingrun", "Billing run 2", ""] {
            assert!(!names_match("Billing run", name), "{name:?}");
        }
    }
}
