//! What went wrong, for people: what, why, what to do, and the exit code.

use std::error::Error;
use std::fmt::Write as _;

use hookctl::render::Message;
use serde_json::json;

use crate::exit_status::ExitStatus;
use crate::mask;

/// A failed command.
#[derive(Clone, Debug)]
pub(crate) struct CommandError {
    /// The exit code.
    pub(crate) status: ExitStatus,
    /// The stable code, for machines.
    pub(crate) code: &'static str,
    /// What went wrong, the causes included.
    pub(crate) message: String,
    /// What to do.
    pub(crate) help: Option<String>,
}

impl CommandError {
    /// An error of the outside world; nothing, or nothing certain, was written.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: ExitStatus::Error,
            code,
            message: message.into(),
            help: None,
        }
    }

    /// The same from an error and its causes.
    pub(crate) fn caused(code: &'static str, error: &(dyn Error + 'static)) -> Self {
        Self::new(code, chain(error))
    }

    /// With another exit code.
    pub(crate) fn status(mut self, status: ExitStatus) -> Self {
        self.status = status;
        self
    }

    /// With what to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The error as one of the messages of a document.
    pub(crate) fn into_message(self) -> Message {
        mask::message(Message::error(self.code, self.message, self.help))
    }
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// An error as the one document that standard output is.
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
