//! Suggestions of similar names, and excerpts of text in messages.

use std::borrow::Cow;

/// Returns the known name closest to `written`, if at most a third of its letters differ.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    let length = written.chars().count();
    known
        .into_iter()
        .filter_map(|name| {
            let most = name.chars().count().div_ceil(3);
            // The comparison is quadratic in the lengths, and the input may be very long.
            let may_be_near = length.abs_diff(name.chars().count()) <= most;
            let distance = may_be_near.then(|| strsim::damerau_levenshtein(&written, name))?;
            (distance <= most).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Returns whether a text could be a key: letters, digits, `.`, `_`, and `-`, and not too long. Messages quote no other
/// keys, since a pasted text may be a secret.
pub fn is_word(text: &str) -> bool {
    (1..=EXCERPT_LENGTH).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// Returns an unknown key for a message, if it [is a word](is_word).
pub fn excerpt_key(text: &str) -> &str {
    if is_word(text) { text } else { "…" }
}

/// The most characters of a text that a message quotes.
const EXCERPT_LENGTH: usize = 60;

/// Returns the beginning of a text, for a message.
pub fn excerpt(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(EXCERPT_LENGTH) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let known = ["timeout_seconds", "max_retries", "url"];
        assert_eq!(nearest("timeout_second", known), Some("timeout_seconds"));
        assert_eq!(nearest("Max_Retires", known), Some("max_retries"));
        assert_eq!(nearest("headers", known), None);
    }

    #[test]
    fn messages_quote_a_beginning_only() {
        assert_eq!(excerpt("äb"), "äb");
        assert_eq!(excerpt(&"ä".repeat(60)), "ä".repeat(60));
        assert_eq!(excerpt(&"ä".repeat(61)), "ä".repeat(60) + "…");
        assert_eq!(nearest(&"x".repeat(4_000_000), ["url"]), None);
    }
}
