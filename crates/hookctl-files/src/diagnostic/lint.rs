//! Lint levels: each warning is kept, dropped, or turned into an error.

use std::collections::BTreeMap;

use super::{Code, Diagnostics, Severity};

/// The level of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Drops it.
    Allow,
    /// Keeps it as a warning.
    Warn,
    /// Turns it into an error.
    Deny,
}

impl Level {
    /// All levels by name, most lenient first.
    pub const ALL: [(&'static str, Self); 3] = [
        ("allow", Self::Allow),
        ("warn", Self::Warn),
        ("deny", Self::Deny),
    ];
}

/// The levels of warnings, by code. By default all of them stay warnings. Errors are not affected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lints {
    levels: BTreeMap<Code, Level>,
    deny_warnings: bool,
}

impl Lints {
    /// Sets the level of a code.
    pub fn set(&mut self, code: Code, level: Level) {
        self.levels.insert(code, level);
    }

    /// Turns every warning that is not allowed into an error, if `deny`.
    #[must_use]
    pub fn deny_warnings(mut self, deny: bool) -> Self {
        self.deny_warnings = deny;
        self
    }

    /// Returns the levels that were set.
    pub fn levels(&self) -> impl Iterator<Item = (Code, Level)> {
        self.levels.iter().map(|(code, level)| (*code, *level))
    }

    /// Applies the levels to diagnostics, and keeps their order.
    #[must_use]
    pub fn apply(&self, diagnostics: Diagnostics) -> Diagnostics {
        if self.levels.is_empty() && !self.deny_warnings {
            return diagnostics;
        }
        let mut kept = Diagnostics::default();
        for mut diagnostic in diagnostics {
            if diagnostic.severity == Severity::Warning {
                match self.levels.get(&diagnostic.code) {
                    Some(Level::Allow) => continue,
                    Some(Level::Deny) => diagnostic.severity = Severity::Error,
                    Some(Level::Warn) | None if self.deny_warnings => {
                        diagnostic.severity = Severity::Error;
                    }
                    Some(Level::Warn) | None => {}
                }
            }
            kept.push(diagnostic);
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::super::Diagnostic;
    use super::*;

    #[test]
    fn levels_change_warnings_and_nothing_else() {
        let mut found = Diagnostics::default();
        for code in [Code::PlainHttp, Code::PrivateHost, Code::SharedToken] {
            found.push(Diagnostic::new(code, "x"));
        }
        found.push(Diagnostic::new(Code::Syntax, "x"));
        let mut lints = Lints::default();
        let codes = |lints: &Lints| {
            let applied = lints.apply(found.clone());
            let shown = applied
                .iter()
                .map(|one| format!("{} {}", one.severity, one.code));
            shown.collect::<Vec<_>>()
        };
        let unchanged = [
            "warning plain-http",
            "warning private-host",
            "warning shared-token",
            "error syntax",
        ];
        assert_eq!(codes(&lints), unchanged);
        for code in [Code::PlainHttp, Code::Syntax] {
            lints.set(code, Level::Allow);
        }
        lints.set(Code::PrivateHost, Level::Deny);
        lints.set(Code::SharedToken, Level::Warn);
        assert_eq!(
            codes(&lints),
            ["error private-host", "warning shared-token", "error syntax"]
        );
        assert_eq!(
            codes(&lints.deny_warnings(true)),
            ["error private-host", "error shared-token", "error syntax"]
        );
    }
}
