//! The sources of keys, so that no token shares one: a token is sent to the address in a file, and a key must never be.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::SecretSource;
use crate::path::normal;

/// The prefixes of variables that may hold API keys, whatever the files say, since they need no consent as the source
/// of one.
const RESERVED: [&str; 2] = ["INTERACTLY_", "HOOKCTL_"];
/// The prefix of those variables that hold public values.
const PUBLIC: &str = "HOOKCTL_VAR_";

/// What a token shares with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyConflict<'a> {
    /// The variable of this name.
    Variable(&'a str),
    /// The file.
    File,
    /// The secret of a provider.
    Provider,
}

/// The sources of the API keys and fingerprint keys of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySources {
    variables: BTreeSet<String>,
    files: BTreeSet<PathBuf>,
    sources: Vec<SecretSource>,
}

impl KeySources {
    /// Returns the sources of a configuration without keys. `INTERACTLY_*` and `HOOKCTL_*` are reserved nevertheless.
    pub const fn new() -> Self {
        Self {
            variables: BTreeSet::new(),
            files: BTreeSet::new(),
            sources: Vec::new(),
        }
    }

    /// Adds the source of a key.
    pub fn add(&mut self, source: &SecretSource) {
        match source {
            SecretSource::Env { .. } | SecretSource::Text { .. } => {
                let names = source.variables().into_iter().map(str::to_owned);
                self.variables.extend(names);
            }
            SecretSource::File { path, .. } => {
                self.files.insert(normal(path));
            }
            SecretSource::Command { .. } | SecretSource::Provider { .. } => {}
        }
        self.sources.push(source.clone());
    }

    /// Returns the sources, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &SecretSource> {
        self.sources.iter()
    }

    fn reserves(&self, name: &str) -> bool {
        let is_reserved = RESERVED.iter().any(|prefix| begins_with(name, prefix));
        let same =
            |known: &String| known == name || cfg!(windows) && known.eq_ignore_ascii_case(name);
        (is_reserved && !begins_with(name, PUBLIC)) || self.variables.iter().any(same)
    }

    /// Returns what a token shares with a key. A token must not use the variable or the file of a key.
    pub fn conflict<'a>(&self, token: &'a SecretSource) -> Option<KeyConflict<'a>> {
        let variables = token.variables();
        let variable = variables.into_iter().find(|name| self.reserves(name));
        match (variable, token) {
            (Some(name), _) => Some(KeyConflict::Variable(name)),
            (None, SecretSource::File { path, .. }) if self.files.contains(&normal(path)) => {
                Some(KeyConflict::File)
            }
            (None, SecretSource::Provider { .. }) if self.sources.contains(token) => {
                Some(KeyConflict::Provider)
            }
            _ => None,
        }
    }
}

/// Returns whether a variable may hold a key that this configuration does not name, such as that of another target.
pub fn may_hold_key(name: &str) -> bool {
    let ends = || name.to_ascii_uppercase().ends_with("_KEY");
    begins_with(name, "INTERACTLY_")
        || (begins_with(name, "HOOKCTL_") && !begins_with(name, PUBLIC) && ends())
}

/// Returns whether a name has a prefix, ignoring case, which has no meaning on some systems.
fn begins_with(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{ProviderName, SecretReference};
    use crate::template::Template;

    fn env(name: &str) -> SecretSource {
        SecretSource::Env { name: name.into() }
    }

    fn text(text: &str) -> SecretSource {
        SecretSource::Text {
            template: Template::parse(text).unwrap(),
        }
    }

    fn file(path: &str) -> SecretSource {
        SecretSource::File {
            path: path.into(),
            written: path.into(),
            confined_to: None,
        }
    }

    #[test]
    fn a_token_is_no_provided_key() {
        let provided = |reference: &str| SecretSource::Provider {
            name: ProviderName::parse("vault").unwrap(),
            reference: SecretReference::parse(reference.to_owned()).unwrap(),
        };
        let mut keys = KeySources::new();
        keys.add(&provided("key"));
        assert_eq!(keys.conflict(&provided("key")), Some(KeyConflict::Provider));
        assert_eq!(keys.conflict(&provided("token")), None);
    }

    #[test]
    fn a_token_comes_from_no_place_that_a_key_comes_from() {
        let mut keys = KeySources::new();
        for source in [env("QA_KEY"), text("${A:-${B}}"), file("/run/secrets/key")] {
            keys.add(&source);
        }
        let refused = |token: &SecretSource| keys.conflict(token).is_some();
        for token in [
            env("QA_KEY"),
            env("INTERACTLY_API_KEY"),
            env("INTERACTLY_ANYTHING"),
            env("interactly_api_key"),
            env("HOOKCTL_PROD_KEY"),
            text("${HOOKCTL_VAR_X:-${HOOKCTL_PROD_KEY}}"),
            text("${INTERACTLY_API_KEY}"),
            text("a${X:-${Y:-${B}}}"),
            file("/run/secrets/key"),
            file("/run/other/../secrets/./key"),
        ] {
            assert!(refused(&token), "{token:?}");
        }
        for token in [
            env("QA_TOKEN"),
            env("MY_INTERACTLY_KEY"),
            env("HOOKCTL_VAR_TOKEN"),
            env("qa_key"),
            text("${TOKEN:-}"),
            file("/run/secrets/token"),
            SecretSource::Command {
                program: "QA_KEY".into(),
                arguments: vec!["INTERACTLY_API_KEY".into()],
                directory: "/".into(),
            },
        ] {
            assert!(!refused(&token), "{token:?}");
        }
    }
}
