//! Why a source could not be resolved.

use std::io;
use std::path::PathBuf;

use hookctl_core::outside::Outside;
use hookctl_core::secret::{InvalidSecret, ProviderName};
use hookctl_core::template::ExpandError;

/// Why a source could not be resolved. No variant contains the source's content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The environment variable is unset or empty.
    #[error("the environment variable {name} is {}", if *.empty { "empty" } else { "not set" })]
    Env {
        /// Its name.
        name: String,
        /// Whether it is set to an empty value.
        empty: bool,
    },
    /// A variable in the text has no value, or too large a value.
    #[error(transparent)]
    Variable(#[from] ExpandError),
    /// The file could not be read.
    #[error("could not read the file {}", Outside::path(path))]
    File {
        /// Its path.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file is outside the folder that it may not leave.
    #[error("the file {} is outside {}", Outside::path(path), Outside::path(root))]
    Escapes {
        /// Its path.
        path: PathBuf,
        /// The folder.
        root: PathBuf,
    },
    /// The file or output exceeds the size of any token.
    #[error("{what}: the value exceeds 64 KiB, the limit of a token")]
    TooLarge {
        /// The source.
        what: String,
    },
    /// The file or output is not UTF-8.
    #[error("{what}: the value is not UTF-8 text")]
    NotText {
        /// The source.
        what: String,
    },
    /// The program has no consent.
    #[error("no consent to run '{}'", Outside::text(program))]
    NoConsent {
        /// The program.
        program: String,
    },
    /// The program was not found.
    #[error(
        "could not find '{}' for {}; relative and repository folders in PATH are ignored",
        Outside::text(program),
        Outside::path(directory)
    )]
    NotFound {
        /// The program.
        program: String,
        /// The folder of the declaring file.
        directory: PathBuf,
    },
    /// The program has changed since consent was given.
    #[error(
        "{} changed since consent was given to run '{}'",
        Outside::path(path),
        Outside::text(program)
    )]
    Changed {
        /// The program.
        program: String,
        /// The file that changed.
        path: PathBuf,
    },
    /// The program could not be started.
    #[error(
        "could not run '{}' in {}",
        Outside::text(program),
        Outside::path(directory)
    )]
    Spawn {
        /// The program.
        program: String,
        /// The working directory: the folder of the declaring file.
        directory: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The program failed. The last lines of its standard error are shown, masked.
    #[error(
        "'{}' exited with {status} in {}{}",
        Outside::text(program),
        Outside::path(directory),
        quoted(said)
    )]
    Failed {
        /// The program.
        program: String,
        /// The working directory: the folder of the declaring file.
        directory: PathBuf,
        /// Its exit status.
        status: String,
        /// The last lines of its standard error, masked.
        said: Vec<String>,
    },
    /// The program exceeded the time limit.
    #[error("'{}' did not exit within 30 seconds", Outside::text(program))]
    TimedOut {
        /// The program.
        program: String,
    },
    /// The program has no provider of this name.
    #[error("no secret provider '{name}' is registered")]
    NoProvider {
        /// The name.
        name: ProviderName,
    },
    /// The provider failed. Its error and the causes are shown on one line, masked.
    #[error("the secret provider '{name}' failed: {}", Outside::text(said))]
    Provider {
        /// The provider.
        name: ProviderName,
        /// What it said, masked.
        said: String,
    },
    /// The provider exceeded the time limit.
    #[error("the secret provider '{name}' did not answer within 30 seconds")]
    ProviderTimedOut {
        /// The provider.
        name: ProviderName,
    },
    /// The token is or contains a key.
    #[error("{what} contains the API key or the fingerprint key, which is never sent as a token")]
    IsKey {
        /// The source.
        what: String,
    },
    /// The value must not be sent.
    #[error("{what} has an unusable value: {reason}")]
    Invalid {
        /// The source.
        what: String,
        /// Why.
        reason: InvalidSecret,
    },
}

/// Quotes the output of a program on one line.
fn quoted(said: &[String]) -> String {
    if said.is_empty() {
        return "; its standard error is empty".to_owned();
    }
    let lines: Vec<String> = said
        .iter()
        .map(|line| Outside::text(line).to_string())
        .collect();
    format!("; standard error: {}", lines.join(" | "))
}
