//! "Did you mean": the nearest known name, and how much of a text a message quotes.

use std::borrow::Cow;

/// The known name nearest to `written`, if one is near enough to be meant: at most a third of its
/// letters differ.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    let length = written.chars().count();
    known
        .into_iter()
        .filter_map(|name| {
            let most = name.chars().count().div_ceil(3);
            // Comparing takes time and memory with both lengths, and what was written may be very long.
            let may_be_near = length.abs_diff(name.chars().count()) <= most;
            let distance = may_be_near.then(|| strsim::damerau_levenshtein(&written, name))?;
            (distance <= most).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Whether a text is a word that a key could be: letters, digits, `.`, `_`, and `-`, and not too many. A
/// message quotes no other key, since what was pasted there may be a secret.
pub fn is_word(text: &str) -> bool {
    (1..=EXCERPT_LENGTH).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// A key that is not known, for a message: only if it [is a word](is_word).
pub fn excerpt_key(text: &str) -> &str {
    if is_word(text) { text } else { "…" }
}

/// The most characters of somebody's text that a message quotes.
const EXCERPT_LENGTH: usize = 60;

/// The beginning of a text, for a message that quotes it.
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
