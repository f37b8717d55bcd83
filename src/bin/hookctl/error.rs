//! The error of a command: message, hints, code, and exit status.

use std::error::Error;
use std::fmt::Write as _;

use hookctl::render::Message;
use serde_json::json;

use crate::exit_status::ExitStatus;
use crate::{hints, mask};

/// A failed command.
#[derive(Clone, Debug)]
pub(crate) struct CommandError {
    pub(crate) status: ExitStatus,
    /// The stable code, for scripts.
    pub(crate) code: &'static str,
    /// The message, including its causes.
    pub(crate) message: String,
    /// What to do, one action each.
    pub(crate) hints: Vec<String>,
}

impl CommandError {
    /// Creates an error that exits with 1.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: ExitStatus::Error,
            code,
            message: message.into(),
            hints: Vec::new(),
        }
    }

    /// Creates an error from another one and its causes, with the hints for them.
    pub(crate) fn caused(code: &'static str, error: &(dyn Error + 'static)) -> Self {
        Self::new(code, chain(error)).hints(hints::of(error))
    }

    /// Sets the exit status.
    pub(crate) fn status(mut self, status: ExitStatus) -> Self {
        self.status = status;
        self
    }

    /// Adds a hint, unless the error has it already.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
        self
    }

    /// Adds several hints.
    pub(crate) fn hints(self, hints: impl IntoIterator<Item = String>) -> Self {
        hints.into_iter().fold(self, Self::hint)
    }

    /// Returns the hints as the one text that documents hold.
    pub(crate) fn help(&self) -> Option<String> {
        (!self.hints.is_empty()).then(|| self.hints.join("\n"))
    }

    /// Converts the error to a message of a document.
    pub(crate) fn into_message(self) -> Message {
        let help = self.help();
        mask::message(Message::error(self.code, self.message, help))
    }
}

/// Returns an error and its causes on one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a `String` cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// Returns the error as the JSON document on standard output.
pub(crate) fn error_json(error: &CommandError) -> String {
    let Message {
        code,
        message,
        help,
        ..
    } = error.clone().into_message();
    let document = json!({
        "format_version": "1",
        "error": { "code": code, "message": message, "help": help },
    });
    hookctl::outside::json::text(&document)
}
