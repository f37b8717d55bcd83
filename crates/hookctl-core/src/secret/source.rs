//! The source of a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::{ProviderName, SecretReference};
use crate::outside::Outside;
use crate::template::Template;

/// The source of a secret. It may be shown; the secret may not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// An environment variable.
    Env {
        /// Its name.
        name: String,
    },
    /// A file. One trailing line break is removed.
    File {
        /// The path, joined to the folder of the declaring file.
        path: PathBuf,
        /// The path as written, for messages.
        written: String,
        /// The real path of the folder that the file may not leave. `None` if the path was absolute.
        confined_to: Option<PathBuf>,
    },
    /// The standard output of a program, run without a shell. One trailing line break is removed.
    Command {
        /// The program: a name to look up, or a path.
        program: String,
        /// Its arguments.
        arguments: Vec<String>,
        /// The working directory: the folder of the declaring file.
        directory: PathBuf,
    },
    /// A text in the file itself, with variables.
    Text {
        /// The parsed text.
        template: Template,
    },
    /// A secret of a provider that the program has registered.
    Provider {
        /// The provider.
        name: ProviderName,
        /// What the provider is asked for.
        reference: SecretReference,
    },
}

impl SecretSource {
    /// Returns whether the file may contain any part of the secret in plain text: a text, or a default of a variable in
    /// it.
    pub fn holds_plain_text(&self) -> bool {
        matches!(self, Self::Text { template } if template.holds_text() || template.is_literal())
    }

    /// Returns the names of the environment variables that it reads, including those in defaults.
    pub fn variables(&self) -> Vec<&str> {
        match self {
            Self::Env { name } => vec![name],
            Self::Text { template } => template.variables(),
            Self::File { .. } | Self::Command { .. } | Self::Provider { .. } => Vec::new(),
        }
    }

    /// Returns whether it leads outside the environment and the files of the repository: to a program, a provider, or a
    /// file with an absolute path.
    pub const fn is_outside(&self) -> bool {
        match self {
            Self::Command { .. } | Self::Provider { .. } => true,
            Self::File { confined_to, .. } => confined_to.is_none(),
            Self::Env { .. } | Self::Text { .. } => false,
        }
    }

    /// Returns the first of its variables that `vars` of hookctl.yaml also defines. A secret never reads `vars`, so
    /// that value is unused plain text.
    pub fn defined_in<'a, V>(&'a self, vars: &BTreeMap<String, V>) -> Option<&'a str> {
        let Self::Text { template } = self else {
            return None;
        };
        let mut names = template.variables().into_iter();
        names.find(|name| vars.contains_key(*name))
    }
}

/// Names the source in messages, without showing a plain text.
impl fmt::Display for SecretSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env { name } => write!(formatter, "the environment variable {name}"),
            Self::File { written, .. } => write!(formatter, "the file {}", Outside::text(written)),
            // Arguments may contain a secret, so only the program is named.
            Self::Command { program, .. } => {
                write!(formatter, "the command '{}'", Outside::text(program))
            }
            Self::Text { .. } => formatter.write_str("the text in the file"),
            // A token may be in place of the reference.
            Self::Provider { name, .. } => write!(formatter, "the secret provider '{name}'"),
        }
    }
}
