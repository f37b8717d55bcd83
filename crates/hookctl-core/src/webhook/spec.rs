//! All fields of one webhook but its token.

use serde::{Deserialize, Serialize};

use super::{EndpointUrl, Field, FieldValue, WorkflowActions};

/// All comparable fields of one webhook, defaults filled in.
///
/// One type for what is desired, what was sent, what was stored, and what was observed, because the
/// three-way comparison is between equals. Only the declaration module makes one that is desired, so
/// that one is always within the documented limits; an observed one may hold whatever the API holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookSpec {
    /// The display name.
    pub name: String,
    /// Where events are delivered.
    pub url: EndpointUrl,
    /// The events delivered.
    pub actions: WorkflowActions,
    /// Whether events are delivered at all.
    pub enabled: bool,
    /// How long the receiver may take to answer, in seconds (documented: 1 to 60).
    pub timeout_seconds: i64,
    /// Retries after the first try (documented: 0 to 10).
    pub max_retries: i64,
    /// Base of the exponential backoff between retries, in seconds (documented: 1 to 300).
    pub retry_backoff_seconds: i64,
}

impl WebhookSpec {
    /// Whether two webhooks have the same name and address, but for what an API may change about them:
    /// what a create that was sent twice would leave.
    pub fn looks_like(&self, other: &Self) -> bool {
        names_match(&self.name, &other.name) && self.url.is_equivalent_to(&other.url)
    }

    /// The value of one field.
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

    /// Whether a field has the same value in both: before a write as after one, names are compared in their
    /// normal form, and addresses as a parser takes them.
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

    /// Takes one field's value over from another spec.
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

/// Whether two names are the same in their normal form.
pub fn names_match(one: &str, other: &str) -> bool {
    one == other || normal_name(one) == normal_name(other)
}

/// Returns the normal form of a name: without white space around it, and with one space for each run of
/// white space in it. Case counts. Everything that asks whether two names are the same goes by it.
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
