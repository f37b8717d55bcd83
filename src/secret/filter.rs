//! What hides the secrets of a run in texts that are shown: an API may echo what it was sent.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::Secret;

/// What stands in place of a secret.
const MASK: &str = "(secret)";

/// Shorter secrets are not looked for: their letters stand in other words too.
const SHORTEST: usize = 8;

/// The secrets of a run. Texts are shown with [`Filter::masked`].
#[derive(Default)]
pub struct Filter {
    needles: Vec<Zeroizing<Vec<u8>>>,
}

impl Filter {
    /// Returns a filter that knows no secret.
    pub const fn new() -> Self {
        Self {
            needles: Vec::new(),
        }
    }

    /// Hides this secret from now on, if it has at least 8 bytes.
    pub fn follow(&mut self, secret: &Secret) {
        self.follow_text(secret.expose());
    }

    /// The same of a secret whose text is at hand.
    pub(crate) fn follow_text(&mut self, value: &str) {
        if value.len() < SHORTEST {
            return;
        }
        // A text is compared decoded; a secret may hold what looks like an escape.
        let plain = Zeroizing::new(value.to_ascii_lowercase().into_bytes());
        let decoded = units(value).0;
        for needle in [plain, decoded] {
            if !self.needles.contains(&needle) {
                self.needles.push(needle);
            }
        }
        // The longest is hidden first, so that no rest of it is left.
        self.needles.sort_by_key(|needle| usize::MAX - needle.len());
    }

    /// Returns the text with every secret replaced, also where it is percent-encoded, in whole or in part, or in
    /// other letter case.
    pub fn masked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.needles.is_empty() || text.len() < SHORTEST {
            return Cow::Borrowed(text);
        }
        let (bytes, places) = units(text);
        let place = |unit: usize| places.get(unit).copied().unwrap_or(text.len());
        let mut masked = String::new();
        let mut shown = 0;
        let mut unit = 0;
        while let Some(rest) = bytes.get(unit..).filter(|rest| rest.len() >= SHORTEST) {
            let found = self.needles.iter().find(|needle| rest.starts_with(needle));
            let Some(needle) = found else {
                unit += 1;
                continue;
            };
            masked += text.get(shown..place(unit)).unwrap_or_default();
            masked += MASK;
            unit += needle.len();
            shown = place(unit);
        }
        if shown == 0 {
            return Cow::Borrowed(text);
        }
        Cow::Owned(masked + text.get(shown..).unwrap_or_default())
    }
}

/// The bytes of a text in lower case, percent-escapes decoded, and where each begins in the text.
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
    fn a_longer_secret_leaves_no_rest_and_a_short_one_is_not_looked_for() {
        let filter = filter(&["abcdefgh", "abcdefgh-rest", "short"]);
        assert_eq!(filter.masked("abcdefgh-rest"), "(secret)");
        assert_eq!(filter.masked("a short abcdefgh."), "a short (secret).");
    }
}
