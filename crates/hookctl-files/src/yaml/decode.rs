//! Decodes bytes as UTF-8 text, without a byte order mark or control characters, and with uniform line ends.

/// Why bytes are not the text of a YAML file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Undecodable {
    /// The text is not UTF-8 from this byte on.
    Utf8 {
        /// The offset of the first invalid byte.
        offset: usize,
        /// Whether the file begins like UTF-16.
        looks_like_utf16: bool,
    },
    /// A control character that YAML does not allow.
    ControlCharacter {
        /// Its offset.
        offset: usize,
        character: char,
    },
}

/// Decodes bytes, up to the first problem. Offsets are those of the text: without a byte order mark, and with each line
/// end as one `\n`.
pub(super) fn decode(bytes: Vec<u8>) -> (String, Option<Undecodable>) {
    let looks_like_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let (mut text, mut problem) = match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(valid);
            let text = String::from_utf8(bytes).unwrap_or_default();
            (text, Some(looks_like_utf16))
        }
    };
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    // YAML treats all three line ends alike. With one form, every consumer of the text counts the same lines.
    if text.contains('\r') {
        text = text.replace("\r\n", "\n").replace('\r', "\n");
    }
    let forbidden = text
        .char_indices()
        .find(|(_, character)| is_forbidden(*character));
    let problem = match (forbidden, problem.take()) {
        (Some((offset, character)), _) => {
            text.truncate(offset);
            Some(Undecodable::ControlCharacter { offset, character })
        }
        (None, Some(looks_like_utf16)) => Some(Undecodable::Utf8 {
            offset: text.len(),
            looks_like_utf16,
        }),
        (None, None) => None,
    };
    (text, problem)
}

/// Returns whether YAML calls a character not printable, except line breaks and tabs.
fn is_forbidden(character: char) -> bool {
    match character {
        '\t' | '\n' | '\u{85}' => false,
        '\u{fffe}' | '\u{ffff}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_dropped() {
        assert_eq!(
            decode("\u{feff}a: ä\r\n".into()),
            ("a: ä\n".to_owned(), None)
        );
    }

    #[test]
    fn every_line_end_is_one() {
        assert_eq!(decode(b"a\rb\r\nc\n\rd\r".to_vec()).0, "a\nb\nc\n\nd\n");
    }

    #[test]
    fn what_is_not_text_names_the_byte() {
        let wrong = |bytes: &[u8]| decode(bytes.to_vec());
        assert_eq!(
            wrong(b"a: \xe4\n"),
            (
                "a: ".to_owned(),
                Some(Undecodable::Utf8 {
                    offset: 3,
                    looks_like_utf16: false
                })
            )
        );
        assert_eq!(
            wrong(b"\xff\xfea\0").1,
            Some(Undecodable::Utf8 {
                offset: 0,
                looks_like_utf16: true
            })
        );
        assert_eq!(
            wrong(b"a: \0b \xe4").1,
            Some(Undecodable::ControlCharacter {
                offset: 3,
                character: '\0'
            })
        );
        assert_eq!(
            wrong("a: \u{1b}[31m".as_bytes()).1,
            Some(Undecodable::ControlCharacter {
                offset: 3,
                character: '\u{1b}'
            })
        );
    }
}
