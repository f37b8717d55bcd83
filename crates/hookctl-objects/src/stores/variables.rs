//! The variables of an environment, as given by the caller.

use hookctl_core::secret::Filter;

use crate::options::ObjectError;

/// Variables, by name.
#[derive(Clone, Copy)]
pub(super) struct Variables<'a>(pub(super) &'a [(String, String)]);

impl<'a> Variables<'a> {
    /// Returns the first of these variables that is set. An empty one counts as unset.
    pub(super) fn first(self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| {
            let mut values = self.0.iter();
            let (_, value) = values.find(|(known, value)| known == name && !value.is_empty())?;
            Some(value.as_str())
        })
    }

    /// Returns the first of these variables that is set, and keeps its value out of messages.
    pub(super) fn secret(self, names: &[&str], mask: &mut Filter) -> Option<&'a str> {
        let value = self.first(names)?;
        mask.follow_text(value);
        Some(value)
    }
}

/// The prefixes of variables whose values become headers, addresses, or parts of a signature.
const SENT: [&str; 5] = ["AWS_", "AZURE_", "GOOGLE_", "GCE_", "IDENTITY_"];
/// The variable that holds a document.
const DOCUMENT: &str = "GOOGLE_SERVICE_ACCOUNT_KEY";

/// Checks that no value has a line break or another character that no request can carry, as CI systems add them.
///
/// # Errors
/// Returns [`ObjectError::Variable`] with the name of the variable, but not its value.
pub(super) fn check(variables: &[(String, String)]) -> Result<(), ObjectError> {
    let is_sent = |name: &str| SENT.iter().any(|prefix| name.starts_with(prefix));
    let is_bad = |value: &str| {
        let is_blank = value.starts_with(' ') || value.ends_with(' ');
        is_blank
            || !value
                .bytes()
                .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    };
    let mut sent = variables
        .iter()
        .filter(|(name, _)| is_sent(name) && name != DOCUMENT);
    match sent.find(|(_, value)| is_bad(value)) {
        Some((name, _)) => Err(ObjectError::Variable { name: name.clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_unset_and_secrets_are_masked() {
        let given = [("A", ""), ("B", "hunter2-hunter2")];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = Variables(&given);
        assert_eq!(variables.first(&["A"]), None);
        assert_eq!(variables.first(&["A", "B"]), Some("hunter2-hunter2"));
        let mut mask = Filter::new();
        assert!(variables.secret(&["B"], &mut mask).is_some());
        assert_eq!(mask.masked("x hunter2-hunter2"), "x (secret)");
    }

    #[test]
    fn a_value_that_no_request_can_carry_is_refused_by_name() {
        for value in ["token\n", "to\rken", " token", "t\u{f6}ken", "a\0b"] {
            let given = [("AWS_SESSION_TOKEN".to_owned(), value.to_owned())];
            let refused = check(&given).unwrap_err().to_string();
            assert!(refused.contains("AWS_SESSION_TOKEN"), "{refused}");
            assert!(!refused.contains("ken"), "{refused}");
        }
        // Other variables are not sent, and an empty one is unset.
        for (name, value) in [
            ("PS1", "\u{1b}[0m"),
            ("GOOGLE_SERVICE_ACCOUNT_KEY", "{\n}"),
            ("AWS_REGION", ""),
        ] {
            check(&[(name.to_owned(), value.to_owned())]).unwrap();
        }
    }
}
