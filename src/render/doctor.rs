//! The checks of a set-up, as text and as JSON.

use serde::Serialize;

use super::human::plural;
use super::sanitize::sanitize;
use super::style::{Styles, paint};
use crate::outside::json;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Nothing to do.
    Ok,
    /// hookctl works, but not as well as it could.
    Warning,
    /// hookctl does not work.
    Problem,
    /// Not checked, because something else is missing.
    Skipped,
}

impl Health {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
            Self::Skipped => "skipped",
        }
    }
}

/// A check and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// The result.
    pub health: Health,
    /// What was found, on one line.
    pub message: String,
    /// What to do, one action each.
    pub hints: Vec<String>,
}

impl Check {
    /// Creates a check without hints.
    pub fn new(name: &'static str, health: Health, message: impl Into<String>) -> Self {
        Self {
            name,
            health,
            message: message.into(),
            hints: Vec::new(),
        }
    }

    /// Creates a check that found nothing to do.
    pub fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Health::Ok, message)
    }

    /// Creates a check that was not made. `lacks` is what it needs.
    pub fn skipped(name: &'static str, lacks: &str) -> Self {
        Self::new(name, Health::Skipped, format!("needs {lacks}"))
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// The document of `schemas/doctor-v1.schema.json`.
#[derive(Debug, Serialize)]
pub struct DoctorDocument<'a> {
    format_version: &'static str,
    target: Option<&'a str>,
    problems: usize,
    warnings: usize,
    checks: &'a [Check],
}

impl<'a> DoctorDocument<'a> {
    /// Creates the document of these checks. The target is `None` if the configuration is invalid.
    pub fn new(target: Option<&'a str>, checks: &'a [Check]) -> Self {
        let count = |health| checks.iter().filter(|check| check.health == health).count();
        Self {
            format_version: "1",
            target,
            problems: count(Health::Problem),
            warnings: count(Health::Warning),
            checks,
        }
    }

    /// Returns whether a check found a problem.
    pub const fn has_problems(&self) -> bool {
        self.problems > 0
    }

    /// Returns the document as text that ends with a line break.
    pub fn to_text(&self) -> String {
        json::text(self)
    }

    /// Renders a line for each check, its hints, and the count.
    pub fn to_human(&self, styles: &Styles) -> String {
        let names = self.checks.iter().map(|check| check.name.len());
        let width = names.max().unwrap_or_default();
        let mut text = String::new();
        for check in self.checks {
            let style = match check.health {
                Health::Ok => styles.create,
                Health::Warning => styles.warning,
                Health::Problem => styles.destroy,
                Health::Skipped => styles.aside,
            };
            let word = paint(style, &format!("{:7}", check.health.word()));
            let message = sanitize(&check.message);
            text += &format!("{word}  {:width$}  {message}\n", check.name);
            for hint in &check.hints {
                let hint = sanitize(hint);
                text += &format!("{:9}{}: {hint}\n", "", paint(styles.hint, "hint"));
            }
        }
        let line = match (self.problems, self.warnings) {
            (0, 0) => "Everything works.".to_owned(),
            (0, warnings) => format!("{}.", plural(warnings, "warning")),
            (problems, 0) => format!("{}.", plural(problems, "problem")),
            (problems, warnings) => format!(
                "{}, {}.",
                plural(problems, "problem"),
                plural(warnings, "warning")
            ),
        };
        text += &paint(styles.headline, &line);
        text.push('\n');
        text
    }
}
