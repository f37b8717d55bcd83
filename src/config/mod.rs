//! `hookctl.yaml`: what it says, checked, with the documented defaults filled in.
//!
//! What a flag or an environment variable says instead is the business of whoever asks; this module
//! knows the file only. It resolves no secret and reads no environment.

mod api_url;
mod file;
mod folder;
mod lints;
mod reader;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::diagnostic::Lints;
use crate::plan::safety::SafetyLimits;
use crate::secret::{PlaintextSecrets, SecretSource};

pub use api_url::{ApiBaseUrl, InvalidApiUrl};
pub use file::{DiscoverError, FILE_NAMES, discover, load, load_text};

/// The default of `webhooks_dir`.
pub const DEFAULT_WEBHOOKS_DIR: &str = "webhooks.d";
/// The default of `cache_dir`.
pub const DEFAULT_CACHE_DIR: &str = ".hookctl";
/// The default of `concurrency`: a ceiling; the number of requests at a time adapts below it.
pub const DEFAULT_CONCURRENCY: usize = 16;

/// What the configuration file says. Its values are literal: variables have no meaning there, so a `${`
/// is an error, but for a secret that is given as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The folder of the declarations, joined to the folder of the file.
    pub webhooks_dir: PathBuf,
    /// The folder of the cache, joined to the folder of the file.
    pub cache_dir: PathBuf,
    /// The target that is meant where none is named. It is one of `targets`.
    pub default_target: Option<String>,
    /// The targets by name.
    pub targets: BTreeMap<String, Target>,
    /// Whether orphans are deleted.
    pub prune: bool,
    /// How much one plan may change.
    pub safety: SafetyLimits,
    /// The most requests at a time, 1 to 256.
    pub concurrency: usize,
    /// The most requests in a second; None for no limit. Greater than zero.
    pub requests_per_second: Option<f64>,
    /// What is said of a secret in plain text.
    pub plaintext_secrets: PlaintextSecrets,
    /// What becomes of each warning.
    pub lints: Lints,
}

/// One API, with the key and the variables for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Where the API is. None if it is left to a flag or an environment variable.
    pub api_url: Option<ApiBaseUrl>,
    /// Where the API key comes from. None if it is left to an environment variable.
    pub api_key: Option<SecretSource>,
    /// Sent as `teamid`.
    pub team_id: Option<String>,
    /// Sent as `uuid`.
    pub user_id: Option<String>,
    /// The variables for declarations.
    pub vars: BTreeMap<String, String>,
    /// Where the secret comes from that fingerprints are made with; the API key if there is none.
    pub fingerprint_key: Option<SecretSource>,
}

/// Shows the names of the variables only: a value may be a token that somebody put there.
impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            api_url,
            api_key,
            team_id,
            user_id,
            vars,
            fingerprint_key,
        } = self;
        formatter
            .debug_struct("Target")
            .field("api_url", api_url)
            .field("api_key", api_key)
            .field("team_id", team_id)
            .field("user_id", user_id)
            .field("vars", &vars.keys())
            .field("fingerprint_key", fingerprint_key)
            .finish()
    }
}

impl Default for Config {
    /// What holds without a file; the two folders are relative then.
    fn default() -> Self {
        Self {
            webhooks_dir: PathBuf::from(DEFAULT_WEBHOOKS_DIR),
            cache_dir: PathBuf::from(DEFAULT_CACHE_DIR),
            default_target: None,
            targets: BTreeMap::new(),
            prune: false,
            safety: SafetyLimits::default(),
            concurrency: DEFAULT_CONCURRENCY,
            requests_per_second: None,
            plaintext_secrets: PlaintextSecrets::default(),
            lints: Lints::default(),
        }
    }
}

#[cfg(test)]
mod tests;
