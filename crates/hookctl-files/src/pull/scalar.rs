//! Writes a scalar in the notation of the one that it replaces.

use crate::yaml::{Style, is_printable, quoted, scalar, single_quoted};

/// The notation of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quotes {
    None,
    Single,
    Double,
}

impl Quotes {
    /// Returns the quotes of a scalar as written.
    pub(super) fn of(written: &str) -> Self {
        match written.as_bytes().first() {
            Some(b'\'') => Self::Single,
            Some(b'"') => Self::Double,
            _ => Self::None,
        }
    }

    /// Writes a text with these quotes, or with double ones if only those can hold it.
    pub(super) fn write(self, text: &str) -> String {
        match self {
            Self::None => scalar(text).into_owned(),
            Self::Single => single_quoted(text).unwrap_or_else(|| quoted(text)),
            Self::Double => quoted(text),
        }
    }
}

/// Returns what replaces a scalar as written, so that it has another text. Returns `None` if the notation cannot hold it.
///
/// The range of a block is its content, so its first line and its indentation stay.
pub(super) fn rewritten(style: Style, written: &str, text: &str) -> Option<String> {
    match style {
        Style::Block => {
            (is_printable(text) && !text.starts_with([' ', '\t'])).then(|| text.to_owned())
        }
        Style::Plain | Style::Quoted => Some(Quotes::of(written).write(text)),
    }
}
