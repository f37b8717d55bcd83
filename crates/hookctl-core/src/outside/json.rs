//! JSON for users and logs, escaped so that it is safe on a terminal.
//!
//! Invisible characters and bidirectional controls are written as `\u` escapes. Two `#` never follow each other, since
//! `##[` and `##vso[` begin commands of CI systems anywhere in a line.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, PrettyFormatter};

use super::is_harmful;

/// Writes an indented document that ends with a line break.
///
/// # Errors
/// Returns the error of the writer, or [`io::ErrorKind::InvalidData`] if the document cannot be serialized.
pub fn write(document: &impl Serialize, out: &mut dyn io::Write) -> io::Result<()> {
    formatted(document, &mut *out, PrettyFormatter::new())?;
    out.write_all(b"\n")
}

/// Returns an indented document that ends with a line break.
///
/// ```
/// let text = hookctl_core::outside::json::text(&["a\u{202e}", "##[error]"]);
/// assert_eq!(text, "[\n  \"a\\u202e\",\n  \"#\\u0023[error]\"\n]\n");
/// ```
pub fn text(document: &impl Serialize) -> String {
    in_memory(document, PrettyFormatter::new())
}

/// Returns a document on one line that ends with a line break.
pub fn line(document: &impl Serialize) -> String {
    in_memory(document, CompactFormatter)
}

fn in_memory(document: &impl Serialize, formatter: impl Formatter) -> String {
    let mut bytes = Vec::new();
    let written = formatted(document, &mut bytes, formatter).map(|()| String::from_utf8(bytes));
    // Documents of this program always serialize; the fallback is a document too.
    match written {
        Ok(Ok(text)) => text + "\n",
        _ => "{\"error\":\"the document cannot be written as JSON\"}\n".to_owned(),
    }
}

fn formatted(
    document: &impl Serialize,
    out: impl io::Write,
    formatter: impl Formatter,
) -> io::Result<()> {
    let formatter = Escaping {
        inner: formatter,
        after_hash: false,
    };
    let mut serializer = serde_json::Serializer::with_formatter(out, formatter);
    document.serialize(&mut serializer).map_err(io::Error::from)
}

/// Escapes harmful characters in JSON text. Its values do not change.
pub fn escape(text: &str) -> Cow<'_, str> {
    escape_after(text, &mut false)
}

/// Escapes a piece of text. `after_hash` is whether the previous piece ended in `#`.
fn escape_after<'t>(text: &'t str, after_hash: &mut bool) -> Cow<'t, str> {
    let is_white = |character| matches!(character, '\n' | '\r' | '\t');
    let mut escaped = String::new();
    let mut copied = 0;
    for (index, character) in text.char_indices() {
        let doubled = *after_hash && character == '#';
        let harmful = doubled || is_harmful(character) && !is_white(character);
        *after_hash = character == '#' && !doubled;
        if !harmful {
            continue;
        }
        escaped += text.get(copied..index).unwrap_or_default();
        copied = index + character.len_utf8();
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a `String` cannot fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    Cow::Owned(escaped + text.get(copied..).unwrap_or_default())
}

/// A JSON formatter that escapes strings.
struct Escaping<F> {
    inner: F,
    /// Whether the string so far ends in `#`, since a string may be written in pieces.
    after_hash: bool,
}

/// Forwards everything except strings to the inner formatter.
macro_rules! handed_on {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {$(
        fn $name<W: ?Sized + io::Write>(&mut self, out: &mut W $(, $argument: $kind)*) -> io::Result<()> {
            self.inner.$name(out $(, $argument)*)
        }
    )*};
}

impl<F: Formatter> Formatter for Escaping<F> {
    handed_on! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }

    fn begin_string<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.after_hash = false;
        self.inner.begin_string(out)
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let escaped = escape_after(fragment, &mut self.after_hash);
        self.inner.write_string_fragment(out, &escaped)
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        self.after_hash = false;
        self.inner.write_char_escape(out, escape)
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        self.after_hash = false;
        let escaped = escape_after(fragment, &mut self.after_hash);
        self.inner.write_raw_fragment(out, &escaped)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use serde_json::{Value, json};

    use super::*;

    /// A text written in pieces, as by `collect_str`.
    struct Pieces(&'static [&'static str]);

    impl fmt::Display for Pieces {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0
                .iter()
                .try_for_each(|piece| formatter.write_str(piece))
        }
    }

    impl Serialize for Pieces {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }

    #[test]
    fn what_cannot_be_seen_is_escaped_and_means_the_same() {
        let harmful =
            "a\u{202e}\u{1b}\u{2028}\u{85}\u{ad}\u{7f}\u{200b}\u{e0041}b\n::error::x ###[x]";
        let document = json!({ harmful: [harmful, { "plain": "Ärzte # ✓", "n": 1.5, "e": [] }] });
        for text in [text(&document), line(&document)] {
            assert!(
                !text
                    .trim_end()
                    .chars()
                    .any(|it| is_harmful(it) && it != '\n'),
                "{text:?}"
            );
            assert!(!text.contains("##") && text.contains("Ärzte # ✓"), "{text}");
            assert!(text.contains("\\udb40\\udc41"), "{text}");
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document);
        }
        assert_eq!(line(&document).matches('\n').count(), 1);
    }

    #[test]
    fn what_is_harmless_is_written_as_ever() {
        let document = json!({ "b": [1, null, true, "x\"\\\n"], "a": {} });
        assert_eq!(text(&document), format!("{document:#}\n"));
        assert_eq!(line(&document), format!("{document}\n"));
        let mut streamed = Vec::new();
        write(&document, &mut streamed).unwrap();
        assert_eq!(streamed, text(&document).into_bytes());
    }

    #[test]
    fn no_command_is_put_together_from_pieces() {
        let pieces = Pieces(&["#", "#[error]", "#", "#vso[", "\n", "#"]);
        assert_eq!(line(&pieces), "\"#\\u0023[error]#\\u0023vso[\\n#\"\n");
        assert_eq!(escape("\"##[x] ##[x]\""), "\"#\\u0023[x] #\\u0023[x]\"");
    }
}
