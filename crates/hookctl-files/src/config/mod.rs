//! `hookctl.yaml`: validated, with defaults filled in.
//!
//! Flags and environment variables are applied by callers. Secrets are not resolved here.

mod confirm;
mod file;
mod folder;
mod guards;
mod keys;
mod lints;
mod literal;
mod ranges;
mod reader;
mod record;
mod schema;
mod times;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::diagnostic::{Lints, Span};
use crate::secret_source::PlaintextSecrets;
use hookctl_core::plan::safety::SafetyLimits;
use hookctl_core::secret::KeySources;
use hookctl_core::secret::SecretSource;

pub use confirm::Confirm;
pub use file::{DiscoverError, FILE_NAMES, discover, git_root, load, load_text};
pub use guards::{Guard, Places};
pub use hookctl_core::api_url::{ApiBaseUrl, InvalidApiUrl};
pub use record::{RecordPlace, SharedPlace};
pub use schema::json_schema;
pub use times::{InvalidTime, parse_time};

/// The default of `webhooks_dir`.
pub const DEFAULT_WEBHOOKS_DIR: &str = "webhooks.d";
/// The default of `cache_dir`.
pub const DEFAULT_CACHE_DIR: &str = ".hookctl";
/// The default of `concurrency`. It is a ceiling; the number of concurrent requests adapts below it.
pub const DEFAULT_CONCURRENCY: usize = 16;

/// The default of `request_timeout`.
pub const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The default of `settle_horizon` is `request_timeout` and this margin.
pub const DEFAULT_SETTLE_MARGIN: Duration = Duration::from_secs(15);

/// The configuration file. Its values are literal: `${` is an error, except in a secret given as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The folder of declarations, joined to the folder of the file.
    pub webhooks_dir: PathBuf,
    /// The folder of the record, joined to the folder of the file.
    pub cache_dir: PathBuf,
    /// The default target, which is one of `targets`.
    pub default_target: Option<String>,
    /// The targets by name.
    pub targets: BTreeMap<String, Target>,
    /// Whether orphans are deleted.
    pub prune: bool,
    /// The limits on the size of a plan.
    pub safety: SafetyLimits,
    /// The most concurrent requests, 1 to 256.
    pub concurrency: usize,
    /// The most requests per second, greater than zero. `None` means no limit.
    pub requests_per_second: Option<f64>,
    /// The request time-out, 100 ms to 10 minutes.
    pub request_timeout: Duration,
    /// How long a request without a response may still take effect, 0 s to 1 hour. `None` means `request_timeout` and
    /// [`DEFAULT_SETTLE_MARGIN`].
    pub settle_horizon: Option<Duration>,
    /// Where the record is kept. `None` means on this machine.
    pub record: Option<RecordPlace>,
    /// How much history the record keeps.
    pub history: HistoryConfig,
    /// Before which plans a person is asked. `None` means the default.
    pub confirm: Option<Confirm>,
    /// How secrets in plain text are treated.
    pub plaintext_secrets: PlaintextSecrets,
    /// The levels of warnings.
    pub lints: Lints,
    /// The locations of the guards.
    pub places: Places,
}

/// How much history the record keeps. `None` means the record's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryConfig {
    /// The longest age of a change, a day to ten years.
    pub keep: Option<Duration>,
    /// The most changes of each account, 100 to 1,000,000.
    pub max_entries: Option<u64>,
}

/// A target: an API, and the keys and variables for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// The API's URL. `None` leaves it to a flag or an environment variable.
    pub api_url: Option<ApiBaseUrl>,
    /// The source of the API key. `None` leaves it to an environment variable.
    pub api_key: Option<SecretSource>,
    /// Sent as the header `teamid`.
    pub team_id: Option<String>,
    /// Sent as the header `uuid`.
    pub user_id: Option<String>,
    /// The variables of declarations.
    pub vars: BTreeMap<String, String>,
    /// The source of the fingerprint key. `None` means the API key.
    pub fingerprint_key: Option<SecretSource>,
    /// Overrides the horizon of the configuration.
    pub settle_horizon: Option<Duration>,
    /// Overrides the record of the configuration.
    pub record: Option<RecordPlace>,
    /// Overrides `confirm` of the configuration.
    pub confirm: Option<Confirm>,
    /// The locations of values that need consent.
    pub spans: TargetSpans,
}

/// The locations of the values that decide where a target's API key comes from and goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetSpans {
    /// `api_url`.
    pub api_url: Option<Span>,
    /// `api_key`.
    pub api_key: Option<Span>,
    /// `fingerprint_key`.
    pub fingerprint_key: Option<Span>,
}

/// Shows only the names of variables, since a value may be a token.
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
            record,
            confirm,
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
            .field("record", record)
            .field("confirm", confirm)
            .finish()
    }
}

impl Config {
    /// Returns the sources of the keys of all targets, which no token may share.
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
    /// Returns the defaults, with relative folders.
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
            record: None,
            history: HistoryConfig::default(),
            confirm: None,
            plaintext_secrets: PlaintextSecrets::default(),
            lints: Lints::default(),
            places: Places::default(),
        }
    }
}

#[cfg(test)]
mod tests;
