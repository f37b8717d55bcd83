//! Errors and counts, as the results of checks.

use hookctl::render::{Check, Health};

use crate::error::CommandError;

/// Returns the check that an error of a command fails.
pub(super) fn problem(name: &'static str, error: &CommandError) -> Check {
    let check = Check::new(name, Health::Problem, &error.message);
    error.hints.iter().fold(check, Check::hint)
}

/// Returns a count with its noun.
pub(super) fn count(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
