//! Messages that accompany a plan, in one form for every source.

use std::path::PathBuf;

use serde::Serialize;

use crate::diagnostic::{Diagnostic, Location, SourceMap};
use crate::outside::Outside;
use crate::plan::{Notice, PlanProblem};

/// A message: a diagnostic of the files, a notice or a problem of the plan, or an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// `error`, `warning`, or `notice`.
    pub severity: &'static str,
    /// The stable code, in kebab case.
    pub code: &'static str,
    /// The text, without location and hints.
    pub message: String,
    /// The file. Documents replace parts of its name that are not UTF-8.
    #[serde(serialize_with = "lossy")]
    pub file: Option<PathBuf>,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The column, from 1.
    pub column: Option<usize>,
    /// The line and column after the last character, from 1. For annotations.
    #[serde(skip)]
    pub end: Option<(usize, usize)>,
    /// The hints, one per line.
    pub help: Option<String>,
}

impl Message {
    /// Creates an error without a location.
    pub fn error(code: &'static str, message: impl Into<String>, help: Option<String>) -> Self {
        Self {
            severity: "error",
            code,
            message: message.into(),
            file: None,
            line: None,
            column: None,
            end: None,
            help,
        }
    }

    /// Creates a notice without a location.
    pub fn notice(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: "notice",
            ..Self::error(code, message, None)
        }
    }

    pub(super) fn at(self, location: Option<&Location>) -> Self {
        Self {
            file: location.map(|location| location.path.to_path_buf()),
            line: location.map(|location| location.line),
            column: location.map(|location| location.column),
            ..self
        }
    }

    /// Converts a diagnostic of the files.
    pub fn of_diagnostic(diagnostic: &Diagnostic, sources: &SourceMap) -> Self {
        let location = diagnostic
            .primary
            .as_ref()
            .map(|label| sources.location(label.span));
        let message = match diagnostic.primary.as_ref().map(|label| label.text.as_str()) {
            None | Some("") => diagnostic.message.clone(),
            Some(label) => format!("{}: {label}", diagnostic.message),
        };
        let shown = Self {
            severity: diagnostic.severity.as_str(),
            code: diagnostic.code.as_str(),
            message,
            file: diagnostic.path.clone(),
            line: None,
            column: None,
            end: diagnostic.primary.as_ref().map(|label| {
                let end = sources.end_location(label.span);
                (end.line, end.column)
            }),
            help: diagnostic.help.clone(),
        };
        match &location {
            Some(location) => shown.at(Some(location)),
            None => shown,
        }
    }

    /// Converts a notice of a plan.
    pub fn of_notice(notice: &Notice) -> Self {
        let help = match notice {
            Notice::ForeignToken { .. } => Some(
                "write `bearer_token: null` to clear it\ndeclare its source to manage it\nadd `ignore_changes: \
                [bearer_token]` to silence this notice",
            ),
            Notice::UnverifiedTokenKept {
                unresolved: false, ..
            } => Some(
                "add --unverified-secrets=assert to write it once; it can be compared from then on",
            ),
            Notice::UnverifiedTokenKept {
                unresolved: true, ..
            } => Some("provide its source before an apply"),
            Notice::Duplicate { .. } => {
                Some("delete one of them in the dashboard, or declare both")
            }
            Notice::Unreadable { .. } => {
                Some("correct it in the dashboard; until then, no webhook of its name is created")
            }
            Notice::Held { .. } => {
                Some("change the declaration, or add --retry-held to apply it again")
            }
            Notice::UnknownActionDropped { .. } => {
                Some("add `ignore_changes: [actions]` to leave the actions alone")
            }
            _ => None,
        };
        Self {
            help: help.map(str::to_owned),
            ..Self::notice(notice.code(), notice.to_string())
        }
        .at(notice.location())
    }

    /// Converts a reason why no plan can be made.
    pub fn of_problem(problem: &PlanProblem, hints: &[String]) -> Self {
        let help = (!hints.is_empty()).then(|| hints.join("\n"));
        Self::error(problem.code(), problem.to_string(), help).at(problem.location())
    }

    /// Returns the location as `path:line:column`.
    pub fn place(&self) -> Option<String> {
        let path = Outside::path(self.file.as_ref()?);
        Some(match (self.line, self.column) {
            (Some(line), Some(column)) => format!("{path}:{line}:{column}"),
            _ => path.to_string(),
        })
    }
}

/// Serializes a path, lossily if it is not UTF-8.
#[expect(clippy::ref_option, reason = "serde calls it so")]
fn lossy<S: serde::Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => serializer.serialize_some(&path.to_string_lossy()),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_file_name_that_is_not_unicode_is_shown_lossily() {
        use std::os::unix::ffi::OsStrExt as _;

        let name = std::ffi::OsStr::from_bytes(b"a\xff.yaml");
        let message = Message {
            file: Some(PathBuf::from(name)),
            ..Message::notice("code", "text")
        };
        let document = serde_json::to_value(&message).unwrap();
        assert_eq!(document["file"], "a\u{fffd}.yaml");
        assert_eq!(message.place().as_deref(), Some("a\u{fffd}.yaml"));
    }
}
