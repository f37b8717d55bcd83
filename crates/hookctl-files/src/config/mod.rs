//! `hookctl.yaml`: what it says, checked, with the documented defaults filled in.
//!
//! What a flag or an environment variable says instead is the business of whoever asks; this module
//! knows the file only. It resolves no secret and reads no environment.

mod file;
mod folder;
mod guards;
mod keys;
mod lints;
mod literal;
mod ranges;
mod reader;
mod times;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::diagnostic::{Lints, Span};
use crate::secret_source::PlaintextSecrets;
use hookctl_core::plan::safety::SafetyLimits;
use hookctl_core::secret::SecretSource;
use hookctl_secrets::KeySources;

pub use file::{DiscoverError, FILE_NAMES, discover, git_root, load, load_text};
pub use guards::{Guard, Places};
pub use hookctl_core::api_url::{ApiBaseUrl, InvalidApiUrl};
pub use times::{InvalidTime, parse_time};

/// The default of `webhooks_dir`.
pub const DEFAULT_WEBHOOKS_DIR: &str = "webhooks.d";
/// The default of `cache_dir`.
pub const DEFAULT_CACHE_DIR: &str = ".hookctl";
/// The default of `concurrency`: a ceiling; the number of requests at a time adapts below it.
pub const DEFAULT_CONCURRENCY: usize = 16;

/// The default of `request_timeout`.
pub const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How much longer than a request may take its effect may, where no `settle_horizon` says otherwise.
pub const DEFAULT_SETTLE_MARGIN: Duration = Duration::from_secs(15);

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
    /// How long a request may take, 100 ms to 10 minutes.
    pub request_timeout: Duration,
    /// How long a request without an answer may still take effect, 0 s to 1 hour. `None` for
    /// `request_timeout` and [`DEFAULT_SETTLE_MARGIN`].
    pub settle_horizon: Option<Duration>,
    /// How much of the history the record keeps.
    pub history: HistoryConfig,
    /// What is said of a secret in plain text.
    pub plaintext_secrets: PlaintextSecrets,
    /// What becomes of each warning.
    pub lints: Lints,
    /// Where the settings stand that decide how careful a plan is.
    pub places: Places,
}

/// How much of the history the record keeps; `None` for the record's own default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryConfig {
    /// How long a change is kept, a day to ten years.
    pub keep: Option<Duration>,
    /// The most changes that are kept of each account, 100 to 1,000,000.
    pub max_entries: Option<u64>,
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
    /// What holds for this target in place of the whole file's.
    pub settle_horizon: Option<Duration>,
    /// Where what needs consent stands in the file.
    pub spans: TargetSpans,
}

/// Where the values of a target stand that say where its API key comes from and where it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetSpans {
    /// `api_url`.
    pub api_url: Option<Span>,
    /// `api_key`.
    pub api_key: Option<Span>,
    /// `fingerprint_key`.
    pub fingerprint_key: Option<Span>,
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
            settle_horizon,
            spans: _,
        } = self;
        formatter
            .debug_struct("Target")
            .field("api_url", api_url)
            .field("api_key", api_key)
            .field("team_id", team_id)
            .field("user_id", user_id)
            .field("vars", &vars.keys())
            .field("fingerprint_key", fingerprint_key)
            .field("settle_horizon", settle_horizon)
            .finish()
    }
}

impl Config {
    /// Returns where the keys of all targets come from: what no token may name.
    pub fn key_sources(&self) -> KeySources {
        let mut keys = KeySources::new();
        for target in self.targets.values() {
            for source in target.api_key.iter().chain(&target.fingerprint_key) {
                keys.add(source);
            }
        }
        keys
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
            request_timeout: DEFAULT_REQUEST_TIMEOUT,
            settle_horizon: None,
            history: HistoryConfig::default(),
            plaintext_secrets: PlaintextSecrets::default(),
            lints: Lints::default(),
            places: Places::default(),
        }
    }
}

#[cfg(test)]
mod tests;
