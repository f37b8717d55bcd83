//! The variables of an environment, as given by the caller.

use hookctl_core::secret::Filter;

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
}
