//! Where a secret comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::template::Template;

/// Where a secret comes from. It can be shown; what it leads to cannot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// An environment variable.
    Env {
        /// Its name.
        name: String,
    },
    /// A file; one trailing line break is dropped.
    File {
        /// The path, already joined to the folder of the declaring file.
        path: PathBuf,
        /// The path as it was written, for messages.
        written: String,
        /// The folder that the file may not leave, links resolved. None for a path that was written
        /// absolute.
        confined_to: Option<PathBuf>,
    },
    /// A program's standard output; one trailing line break is dropped. No shell is involved.
    Command {
        /// The program: a name to look up, or a path.
        program: String,
        /// Its arguments.
        arguments: Vec<String>,
        /// Where it runs: the folder of the declaring file.
        directory: PathBuf,
    },
    /// The text in the file itself, interpolated.
    Text {
        /// The text, parsed.
        template: Template,
    },
}

impl SecretSource {
    /// Whether any part of the secret may stand in the file in plain text: a text, or a default of a
    /// variable in it. What counts is where the bytes come from, not the form in which they are written.
    pub fn holds_plain_text(&self) -> bool {
        matches!(self, Self::Text { template } if template.holds_text() || template.is_literal())
    }

    /// Returns the names of the environment's variables that it reads, those inside defaults included.
    pub fn variables(&self) -> Vec<&str> {
        match self {
            Self::Env { name } => vec![name],
            Self::Text { template } => template.variables(),
            Self::File { .. } | Self::Command { .. } => Vec::new(),
        }
    }

    /// Returns the first of its variables that `vars` of hookctl.yaml also defines. A secret never reads
    /// `vars`, so its value stands there in plain text for nothing, or by mistake.
    pub fn defined_in<'a, V>(&'a self, vars: &BTreeMap<String, V>) -> Option<&'a str> {
        let Self::Text { template } = self else {
            return None;
        };
        let mut names = template.variables().into_iter();
        names.find(|name| vars.contains_key(*name))
    }
}

/// Names the source for a message; a plain text is not shown.
impl fmt::Display for SecretSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env { name } => write!(formatter, "the environment variable {name}"),
            Self::File { written, .. } => write!(formatter, "the file {written}"),
            // Arguments may hold anything, a secret included, so only the program is named.
            Self::Command { program, .. } => write!(formatter, "the command '{program}'"),
            Self::Text { .. } => formatter.write_str("the text in the file"),
        }
    }
}
