//! Masks the secrets of a run in displayed text, since an API may echo what it was sent.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use zeroize::Zeroizing;

use super::Secret;

/// The replacement for a secret.
const MASK: &str = "(secret)";

/// The replacement for a secret in the record. Files cannot declare control characters, so no declared text equals it.
pub const HIDDEN: &str = "\u{1}(secret)\u{1}";

/// The length of the prefix by which secrets are looked up, in bytes. A decoded secret of [`SHORTEST`] bytes is longer.
const BEGINNING: usize = 3;

/// Shorter secrets are not masked, since they occur in ordinary words.
const SHORTEST: usize = 8;

/// The secrets of a run. [`Filter::masked`] replaces them.
#[derive(Default)]
pub struct Filter {
    /// Secrets by prefix, so that a text is compared with few of thousands. The longest comes first, so that no rest of
    /// it remains.
    needles: BTreeMap<[u8; BEGINNING], Vec<Zeroizing<Vec<u8>>>>,
}

impl fmt::Debug for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Filter(***)")
    }
}

impl Filter {
    /// Returns a filter without secrets.
    pub const fn new() -> Self {
        Self {
            needles: BTreeMap::new(),
        }
    }

    /// Masks a secret from now on, if it has at least 8 bytes.
    pub fn follow(&mut self, secret: &Secret) {
        self.follow_text(secret.expose());
    }

    /// Masks the text of a secret from now on.
    pub fn follow_text(&mut self, value: &str) {
        if value.len() < SHORTEST {
            return;
        }
        // Texts are compared decoded, and a secret may look like an escape.
        let plain = Zeroizing::new(value.to_ascii_lowercase().into_bytes());
        let decoded = units(value).0;
        for needle in [plain, decoded] {
            let Some(beginning) = needle.first_chunk() else {
                continue;
            };
            let alike = self.needles.entry(*beginning).or_default();
            if !alike.contains(&needle) {
                let place = alike.partition_point(|known| known.len() > needle.len());
                alike.insert(place, needle);
            }
        }
    }

    /// Returns the text with every secret replaced, including forms that are percent-encoded, in whole or in part, or
    /// in another case.
    pub fn masked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.replaced(text, MASK)
    }

    /// Returns the text for the record, with every secret replaced by [`HIDDEN`]: see [`may_be`].
    pub fn hidden<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.replaced(text, HIDDEN)
    }

    fn replaced<'t>(&self, text: &'t str, mask: &str) -> Cow<'t, str> {
        if self.needles.is_empty() || text.len() < SHORTEST {
            return Cow::Borrowed(text);
        }
        let (bytes, places) = units(text);
        let place = |unit: usize| places.get(unit).copied().unwrap_or(text.len());
        let mut masked = String::new();
        let mut shown = 0;
        let mut unit = 0;
        while let Some(rest) = bytes.get(unit..).filter(|rest| rest.len() >= SHORTEST) {
            let alike = rest
                .first_chunk()
                .and_then(|beginning| self.needles.get(beginning));
            let found = alike
                .into_iter()
                .flatten()
                .find(|needle| rest.starts_with(needle));
            let Some(needle) = found else {
                unit += 1;
                continue;
            };
            masked += text.get(shown..place(unit)).unwrap_or_default();
            masked += mask;
            unit += needle.len();
            shown = place(unit);
        }
        if shown == 0 {
            return Cow::Borrowed(text);
        }
        Cow::Owned(masked + text.get(shown..).unwrap_or_default())
    }
}

/// The secrets of a process, for code that displays or stores text from outside.
#[derive(Clone, Default)]
pub struct Followed(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    filter: Filter,
    /// Secrets that are never forgotten.
    lasting: Vec<Secret>,
    lasting_texts: Vec<Zeroizing<String>>,
}

impl Followed {
    /// Masks a secret from now on.
    pub fn follow(&self, secret: &Secret) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.filter.follow(secret);
        known.lasting.push(secret.clone());
    }

    /// Hides a text that is secret, but not a [`Secret`], such as the credentials of a store.
    pub fn follow_text(&self, text: &str) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.filter.follow_text(text);
        known.lasting_texts.push(Zeroizing::new(text.to_owned()));
    }

    /// Masks a token until [`Followed::forget_tokens`] is called.
    pub fn follow_token(&self, token: &Secret) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.filter.follow(token);
    }

    /// Masks the tokens of a run, which are all that it has, until [`Followed::forget_tokens`] is called.
    pub fn follow_tokens<'a>(&self, tokens: impl IntoIterator<Item = &'a Secret>) -> KnownSecrets {
        tokens
            .into_iter()
            .for_each(|token| self.follow_token(token));
        KnownSecrets(self.clone())
    }

    /// Forgets the tokens, so that a waiting process holds none in memory. They must be added again before one is sent.
    pub fn forget_tokens(&self) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut filter = Filter::new();
        for secret in &known.lasting {
            filter.follow(secret);
        }
        for text in &known.lasting_texts {
            filter.follow_text(text);
        }
        known.filter = filter;
    }

    /// Returns the text for display. Replacements in the record are shown in the same way.
    pub fn masked(&self, text: &str) -> String {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.filter.masked(text).replace(HIDDEN, MASK)
    }

    /// Returns the text for storage, or `None` if it contains no secret.
    pub fn hidden(&self, text: &str) -> Option<String> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match known.filter.hidden(text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(hidden) => Some(hidden),
        }
    }
}

/// The secrets of a process after those of its run were resolved. What arrived before is read only with this value.
#[derive(Clone, Debug)]
pub struct KnownSecrets(Followed);

impl KnownSecrets {
    /// Returns the secrets.
    pub const fn followed(&self) -> &Followed {
        &self.0
    }
}

impl fmt::Debug for Followed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Followed(..)")
    }
}

/// Returns whether a stored text may stand for `text`, with each replacement matching any secret. Only called for
/// stored texts with a replacement.
pub fn may_be(stored: &str, text: &str) -> bool {
    let parts: Vec<&str> = stored.split(HIDDEN).collect();
    let [first, between_them @ .., last] = parts.as_slice() else {
        return false;
    };
    let between = text
        .strip_prefix(*first)
        .and_then(|rest| rest.strip_suffix(*last));
    let Some(mut rest) = between else {
        return false;
    };
    for part in between_them {
        match rest.split_once(*part) {
            Some((hidden, after)) if !hidden.is_empty() => rest = after,
            _ => return false,
        }
    }
    !rest.is_empty()
}

/// Returns the bytes of a text in lower case with percent-escapes decoded, and the offset of each.
fn units(text: &str) -> (Zeroizing<Vec<u8>>, Vec<usize>) {
    let bytes = text.as_bytes();
    let mut decoded = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut places = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        places.push(index);
        let escaped = match bytes.get(index..index + 3) {
            Some([b'%', high, low]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            decoded.push((high << 4 | low).to_ascii_lowercase());
            index += 3;
        } else {
            decoded.push(byte.to_ascii_lowercase());
            index += 1;
        }
    }
    (decoded, places)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(secrets: &[&str]) -> Filter {
        let mut filter = Filter::new();
        for secret in secrets {
            filter.follow(&Secret::new((*secret).to_owned()).unwrap());
        }
        filter
    }

    #[test]
    fn a_secret_is_hidden_in_every_form() {
        let filter = filter(&["Hunter2/=Hunter2", "a%41b%zz1234"]);
        for (text, expected) in [
            ("Hunter2/=Hunter2", "(secret)"),
            ("ä hunter2/=hunter2 ü", "ä (secret) ü"),
            ("x=Hunter2%2F%3DHunter2&y", "x=(secret)&y"),
            ("x=%48unter2%2f=hunter2", "x=(secret)"),
            ("Hunter2/=Hunter2Hunter2/=Hunter2", "(secret)(secret)"),
            ("a%41b%zz1234 a%2541b%25zz1234", "(secret) (secret)"),
            ("Hunter2/=Hunter", "Hunter2/=Hunter"),
            ("%", "%"),
            ("hunter2 %4", "hunter2 %4"),
        ] {
            assert_eq!(filter.masked(text), expected, "{text}");
        }
    }

    #[test]
    fn what_was_hidden_may_be_anything_and_the_rest_may_not() {
        let filter = filter(&["hunter2-hunter2"]);
        let stored = filter.hidden("a hunter2-hunter2 b HUNTER2-hunter2 c");
        assert!(!stored.contains("hunter"));
        for (text, expected) in [
            ("a hunter2-hunter2 b HUNTER2-hunter2 c", true),
            ("a x b y c", true),
            ("a x c", false),
            ("a x b  c", false),
            ("x b y c", false),
            ("a x b y", false),
            ("", false),
        ] {
            assert_eq!(may_be(&stored, text), expected, "{text}");
        }
        assert_eq!(
            Followed::default().masked(&stored),
            "a (secret) b (secret) c"
        );
        // Nothing is replaced there.
        assert!(!may_be("a (secret) b", "a (secret) b"));
    }

    #[test]
    fn a_longer_secret_leaves_no_rest_and_a_short_one_is_not_looked_for() {
        let filter = filter(&["abcdefgh", "abcdefgh-rest", "short"]);
        assert_eq!(filter.masked("abcdefgh-rest"), "(secret)");
        assert_eq!(filter.masked("a short abcdefgh."), "a short (secret).");
    }
}
