//! The values of keys, so that no token equals one: many paths and names may lead to the same bytes.

use std::fmt;
use std::path::Path;

use zeroize::{Zeroize as _, Zeroizing};

use crate::limits::MAX_SECRET_BYTES;
use hookctl_core::secret::{KeySources, Secret, SecretSource, may_hold_key};
use hookctl_system::input::{FileId, open_regular, read, real_path};

/// The shortest key that is searched inside tokens, in bytes. A shorter one may occur in any text by chance.
const SHORTEST_INSIDE: usize = 8;

/// The values of API keys and fingerprint keys. Its `Debug` shows how many there are.
#[derive(Default)]
pub struct KeyValues {
    values: Vec<Zeroizing<String>>,
    files: Vec<FileId>,
}

impl fmt::Debug for KeyValues {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyValues")
            .field("len", &self.values.len())
            .finish_non_exhaustive()
    }
}

impl KeyValues {
    /// Returns an empty collection.
    pub const fn none() -> Self {
        Self {
            values: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Reads the values of keys, except those of programs and providers. `names` are the names of all variables. Files
    /// outside the repository are read only with `outside`. An unreadable key cannot equal a token.
    pub fn of<'a>(
        keys: &KeySources,
        lookup: &dyn Fn(&str) -> Option<String>,
        names: impl Iterator<Item = &'a str>,
        outside: bool,
    ) -> Self {
        let mut values = Self::none();
        for name in names.filter(|name| may_hold_key(name)) {
            values.extend(lookup(name));
        }
        for source in keys.iter() {
            match source {
                SecretSource::Env { name } => values.extend(lookup(name)),
                SecretSource::Text { template } => {
                    values.extend(template.expand(&|name| lookup(name)).ok());
                }
                SecretSource::File {
                    path, confined_to, ..
                } if outside || confined_to.is_some() => values.read(path),
                SecretSource::File { .. }
                | SecretSource::Command { .. }
                | SecretSource::Provider { .. } => {}
            }
        }
        values
    }

    /// Adds a key.
    pub fn add(&mut self, key: &Secret) {
        self.extend(Some(key.expose().to_owned()));
    }

    pub(super) fn extend(&mut self, value: Option<String>) {
        let Some(mut value) = value else { return };
        let trimmed = trimmed(&value);
        if !trimmed.is_empty() {
            self.values.push(Zeroizing::new(trimmed.to_owned()));
        }
        value.zeroize();
    }

    /// Adds the key in a file. An unreadable file has no key.
    pub(super) fn read(&mut self, path: &Path) {
        let Ok(path) = real_path(path) else { return };
        let Ok(file) = open_regular(&path) else {
            return;
        };
        self.files.extend(FileId::of(&file, &path));
        if let Ok(bytes) = read(file, MAX_SECRET_BYTES).map(Zeroizing::new)
            && let Ok(text) = std::str::from_utf8(&bytes)
        {
            self.extend(Some(text.to_owned()));
        }
    }

    /// Returns whether one of the keys comes from a file.
    pub(super) fn come_from(&self, file: &FileId) -> bool {
        self.files.contains(file)
    }

    /// Returns whether a token is or contains one of the keys. The time depends only on the lengths of keys.
    pub fn are_in(&self, token: &Secret) -> bool {
        let token = trimmed(token.expose()).as_bytes();
        let mut found = false;
        for key in &self.values {
            let key = key.as_bytes();
            if key.len() == token.len() || key.len() >= SHORTEST_INSIDE {
                for part in token.windows(key.len()) {
                    found |= are_equal(part, key);
                }
            }
        }
        found
    }
}

/// Compares two texts of the same length in constant time.
fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let pairs = one.iter().zip(other);
    let difference = pairs.fold(0, |all, (one, other)| {
        std::hint::black_box(all | (one ^ other))
    });
    difference == 0
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Permits, ResolveError, Resolver};

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned()).unwrap()
    }

    #[test]
    fn debug_output_contains_no_key() {
        let mut keys = KeyValues::none();
        keys.add(&secret("long-key-5f1d"));
        assert_eq!(format!("{keys:?}"), "KeyValues { len: 1, .. }");
    }

    #[test]
    fn a_key_is_found_in_whatever_holds_it() {
        let mut keys = KeyValues::none();
        for key in ["long-key-5f1d", " padded-key\r\n", "\u{feff}short\n", "\n"] {
            keys.extend(Some(key.to_owned()));
        }
        for token in [
            "long-key-5f1d",
            "Bearer long-key-5f1d",
            "long-key-5f1dx",
            "padded-key",
            "short",
        ] {
            assert!(keys.are_in(&secret(token)), "{token}");
        }
        for token in ["long-key-5f1", "LONG-KEY-5F1D", "shorter", "shor", "x"] {
            assert!(!keys.are_in(&secret(token)), "{token}");
        }
        assert!(!KeyValues::none().are_in(&secret("x")));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn no_path_and_no_copy_of_a_key_gives_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("key"), "the-key-of-prod\n").unwrap();
        std::fs::write(path("copy"), "the-key-of-prod").unwrap();
        std::fs::write(path("within"), "Bearer the-key-of-prod").unwrap();
        std::fs::write(path("token"), "another").unwrap();
        // The file is too large for a key, so only its identity is compared.
        std::fs::write(path("odd"), [b"a".repeat(70_000), vec![b'\n']].concat()).unwrap();
        std::fs::hard_link(path("key"), path("hard")).unwrap();
        std::fs::hard_link(path("odd"), path("hard-odd")).unwrap();
        std::os::unix::fs::symlink("key", path("link")).unwrap();
        let file = |path: std::path::PathBuf| SecretSource::File {
            written: path.to_string_lossy().into_owned(),
            path,
            confined_to: None,
        };
        let mut sources = KeySources::new();
        sources.add(&file(path("key")));
        sources.add(&file(path("odd")));
        sources.add(&SecretSource::Env {
            name: "PROD".to_owned(),
        });
        let lookup = |name: &str| match name {
            "PROD" => Some("key-in-a-variable ".to_owned()),
            "INTERACTLY_X" | "COPY_X" => Some("a-reserved-key".to_owned()),
            "COPY" => Some("key-in-a-variable".to_owned()),
            "HOOKCTL_STAGING_KEY" | "COPY_Y" => Some("a-key-that-no-target-names".to_owned()),
            "HOOKCTL_VAR_PUBLIC_KEY" | "PUBLIC" => Some("a-public-text".to_owned()),
            _ => None,
        };
        let names = [
            "INTERACTLY_X",
            "HOOKCTL_STAGING_KEY",
            "HOOKCTL_VAR_PUBLIC_KEY",
            "COPY",
        ];
        let values = KeyValues::of(&sources, &lookup, names.into_iter(), true);
        let permits = Permits::none();
        let resolver = Resolver::new(&lookup, &permits, &values);
        let root = Path::new("/proc/self/root").join(path("key").strip_prefix("/").unwrap());
        let refused = [
            file(path("key")),
            file(path("hard")),
            file(path("link")),
            file(path("copy")),
            file(path("within")),
            file(path("hard-odd")),
            file(folder.path().join(".").join("key")),
        ];
        let refused = refused.into_iter().chain(root.exists().then(|| file(root)));
        let variables =
            ["COPY", "COPY_X", "COPY_Y"].map(|name| SecretSource::Env { name: name.into() });
        for source in refused.chain(variables) {
            let found = resolver.resolve(&source).await;
            let error = found.unwrap_err();
            assert!(
                matches!(error, ResolveError::IsKey { .. }),
                "{source}: {error}"
            );
            assert!(!error.to_string().contains("the-key-of-prod"));
        }
        let token = resolver.resolve(&file(path("token"))).await;
        assert_eq!(token.unwrap().expose(), "another");
        let public = SecretSource::Env {
            name: "PUBLIC".to_owned(),
        };
        let token = resolver.resolve(&public).await;
        assert_eq!(token.unwrap().expose(), "a-public-text");
        let unread = KeyValues::of(&sources, &lookup, std::iter::empty(), false);
        let resolver = Resolver::new(&lookup, &permits, &unread);
        let copy = resolver.resolve(&file(path("copy"))).await;
        assert!(copy.is_ok(), "no file outside the repository was read");
    }
}
