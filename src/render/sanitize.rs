//! Texts from files and from the API, made harmless for a terminal.

use std::borrow::Cow;

/// The text with control characters and characters that turn the direction of writing shown by their
/// code, so that no name can move the cursor, colour a line, or hide what follows.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .flat_map(|character| {
                let (shown, code) = if is_harmful(character) {
                    (None, Some(character.escape_unicode()))
                } else {
                    (Some(character), None)
                };
                shown.into_iter().chain(code.into_iter().flatten())
            })
            .collect(),
    )
}

fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_move_a_cursor_is_shown_by_its_code() {
        assert_eq!(sanitize("Münster ✓"), "Münster ✓");
        assert_eq!(
            sanitize("a\x1b[31m\u{202e}b\n"),
            "a\\u{1b}[31m\\u{202e}b\\u{a}"
        );
    }
}
