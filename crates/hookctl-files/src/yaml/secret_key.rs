//! Detects keys of secrets, by their names.

/// The keys of secrets. Similar keys count as misspellings.
const SECRET_KEYS: [Word; 3] = [
    Word::new("bearer_token"),
    Word::new("api_key"),
    Word::new("fingerprint_key"),
];

/// Words that mark any key as that of a secret.
const SECRET_WORDS: [Word; 9] = [
    Word::new("token"),
    Word::new("secret"),
    Word::new("password"),
    Word::new("passwd"),
    Word::new("bearer"),
    Word::new("api_key"),
    Word::new("apikey"),
    Word::new("fingerprint_key"),
    Word::new("credential"),
];

/// Returns whether a key holds a secret, or looks as if it did.
pub(super) fn is_secret_key(key: &str) -> bool {
    // Called for every key: a letter mask rules out most before the edit distance is computed.
    let letters = Letters::of(key);
    let mut words = SECRET_WORDS
        .iter()
        .filter(|word| word.letters.missing_in(letters) == 0)
        .peekable();
    let mut known = SECRET_KEYS
        .iter()
        .filter(|known| known.letters.missing_in(letters) <= most_edits(known.text))
        .peekable();
    if words.peek().is_none() && known.peek().is_none() {
        return false;
    }
    let key = normal(key);
    words.any(|word| key.contains(word.text)) || known.any(|known| is_misspelling(&key, known.text))
}

fn normal(key: &str) -> String {
    key.to_lowercase().replace('-', "_")
}

/// Returns whether at most every fourth letter differs.
fn is_misspelling(written: &str, known: &str) -> bool {
    let most = most_edits(known);
    let is_near = || {
        written.chars().count().abs_diff(known.len()) <= most
            && strsim::damerau_levenshtein(written, known) <= most
    };
    written == known || is_near()
}

const fn most_edits(known: &str) -> usize {
    known.len() / 4
}

/// A word with its letters.
struct Word {
    text: &'static str,
    letters: Letters,
}

impl Word {
    const fn new(text: &'static str) -> Self {
        Self {
            text,
            letters: Letters::of(text),
        }
    }
}

/// The letters of a key, as a bit mask over ASCII without case.
#[derive(Clone, Copy)]
struct Letters {
    ascii: u128,
    /// Whether there are other characters, which may be ASCII in lower case.
    others: bool,
}

impl Letters {
    const fn of(text: &str) -> Self {
        let mut bytes = text.as_bytes();
        let mut letters = Self {
            ascii: 0,
            others: false,
        };
        while let [byte, rest @ ..] = bytes {
            match byte.to_ascii_lowercase() {
                b'-' => letters.ascii |= 1 << b'_',
                letter if letter.is_ascii() => letters.ascii |= 1 << letter,
                _ => letters.others = true,
            }
            bytes = rest;
        }
        letters
    }

    /// Returns a lower bound of how many of these letters a text lacks. An edit of one letter changes it by at most
    /// one.
    const fn missing_in(self, text: Self) -> usize {
        if text.others {
            0
        } else {
            (self.ascii & !text.ascii).count_ones() as usize
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letters_of_a_key_never_hide_that_it_is_a_secrets() {
        let at_length = |key: &str| {
            let key = normal(key);
            SECRET_WORDS.iter().any(|word| key.contains(word.text))
                || SECRET_KEYS
                    .iter()
                    .any(|known| is_misspelling(&key, known.text))
        };
        let edits = |key: &str| {
            let mut edited = vec![key.to_uppercase(), key.replace('_', "-")];
            for (index, _) in key.char_indices() {
                let (before, after) = (&key[..index], &key[index + 1..]);
                edited.push(format!("{before}{after}"));
                for letter in ["x", "E", "ſ", "\u{212a}"] {
                    edited.push(format!("{before}{letter}{after}"));
                    edited.push(format!("{before}{letter}{}", &key[index..]));
                }
                let mut letters: Vec<_> = key.chars().collect();
                let next = (index + 1) % letters.len();
                letters.swap(index, next);
                edited.push(letters.into_iter().collect());
            }
            edited
        };
        let (mut asked, mut secret) = (0, 0);
        for word in SECRET_KEYS.iter().chain(&SECRET_WORDS) {
            let once = edits(word.text);
            let twice = once.iter().filter(|key| key.is_ascii());
            let twice: Vec<_> = twice.flat_map(|key| edits(key)).collect();
            for key in once.iter().chain(&twice) {
                assert_eq!(is_secret_key(key), at_length(key), "{key}");
                asked += 1;
                secret += u32::from(is_secret_key(key));
            }
        }
        assert!(
            secret > 1_000 && asked - secret > 1_000,
            "{secret} of {asked}"
        );
    }
}
