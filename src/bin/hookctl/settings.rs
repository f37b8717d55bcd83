//! What holds for this run: flag, then variable, then hookctl.yaml, then default.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hookctl::config::{ApiBaseUrl, Config};
use hookctl::diagnostic::{Diagnostics, SourceMap};
use hookctl::plan::safety::SafetyLimits;
use hookctl::secret::{PlaintextSecrets, SecretSource};

use crate::args::GlobalArgs;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;

/// The variable that the API key comes from where no file says otherwise.
const API_KEY_VARIABLE: &str = "INTERACTLY_API_KEY";

/// What holds for this run.
pub(crate) struct Settings {
    /// The folder that paths are shown relative to, and that `file:` secrets may not leave: where
    /// hookctl.yaml is, or the working directory.
    pub(crate) root: PathBuf,
    /// The folder of declarations.
    pub(crate) webhooks_dir: PathBuf,
    /// The folder of the local record.
    pub(crate) cache_dir: PathBuf,
    /// The target.
    pub(crate) target: TargetSettings,
    /// All targets of hookctl.yaml.
    pub(crate) known_targets: Vec<String>,
    /// Whether orphans are deleted.
    pub(crate) prune: bool,
    /// How much a plan may change.
    pub(crate) limits: SafetyLimits,
    /// The most requests at once.
    pub(crate) concurrency: usize,
    /// The most requests per second.
    pub(crate) requests_per_second: Option<f64>,
    /// What a secret in plain text is.
    pub(crate) plaintext_secrets: PlaintextSecrets,
    /// How long to wait for the local record.
    pub(crate) lock_timeout: Duration,
    /// Whether plain http to another machine is allowed.
    pub(crate) insecure_http: bool,
}

/// The target of this run.
pub(crate) struct TargetSettings {
    /// Its name.
    pub(crate) name: String,
    /// The API's base URL, if one is given.
    pub(crate) api_url: Option<ApiBaseUrl>,
    /// Where its API key comes from.
    pub(crate) api_key: SecretSource,
    /// Where the key of its fingerprints comes from, if not from the API key.
    pub(crate) fingerprint_key: Option<SecretSource>,
    /// Sent as `teamid`.
    pub(crate) team_id: Option<String>,
    /// Sent as `uuid`.
    pub(crate) user_id: Option<String>,
    /// Its variables.
    pub(crate) vars: BTreeMap<String, String>,
}

/// Why there are no settings.
pub(crate) enum SettingsError {
    /// hookctl.yaml does not validate.
    Diagnostics(SourceMap, Diagnostics),
    /// Anything else.
    Command(CommandError),
}

impl From<CommandError> for SettingsError {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}

impl Settings {
    /// Reads hookctl.yaml, if there is one, and lays the arguments over it.
    pub(crate) fn resolve(global: &GlobalArgs) -> Result<Self, SettingsError> {
        let here = std::env::current_dir().map_err(|error| {
            CommandError::new(
                "working-directory",
                format!("could not tell the working directory: {error}"),
            )
        })?;
        let path = match &global.config {
            Some(path) => Some(here.join(path)),
            None => hookctl::config::discover(&here)
                .map_err(|error| CommandError::caused("config-unreadable", &error))?,
        };
        let root = path
            .as_deref()
            .and_then(Path::parent)
            .map_or_else(|| here.clone(), Path::to_owned);
        let config = match &path {
            Some(path) => {
                let shown = path.strip_prefix(&here).unwrap_or(path);
                let (sources, diagnostics, config) = hookctl::config::load(shown);
                config.ok_or(SettingsError::Diagnostics(sources, diagnostics))?
            }
            None => Config::default(),
        };
        let known_targets: Vec<String> = config.targets.keys().cloned().collect();
        let webhooks_dir = match &global.dir {
            Some(folder) => here.join(folder),
            None => root.join(&config.webhooks_dir),
        };
        let cache_dir = match &global.cache_dir {
            Some(folder) => here.join(folder),
            None => root.join(&config.cache_dir),
        };
        let target = target(global, &config)?;
        Ok(Self {
            webhooks_dir,
            cache_dir,
            target,
            known_targets,
            prune: config.prune,
            limits: config.safety,
            concurrency: config.concurrency,
            requests_per_second: config.requests_per_second,
            plaintext_secrets: config.plaintext_secrets,
            lock_timeout: global.lock_timeout,
            insecure_http: global.insecure_http,
            root,
        })
    }
}

fn target(global: &GlobalArgs, config: &Config) -> Result<TargetSettings, CommandError> {
    let usage = |message: String| CommandError::new("usage", message).status(ExitStatus::Usage);
    let api_url = global
        .api_url
        .as_deref()
        .map(ApiBaseUrl::parse)
        .transpose()
        .map_err(|error| usage(format!("--api-url (or HOOKCTL_API_URL) {error}")))?;
    let default_key = || SecretSource::Env {
        name: API_KEY_VARIABLE.to_owned(),
    };
    let asked_for = global.target.as_ref().or(config.default_target.as_ref());
    let name = match (asked_for, config.targets.len()) {
        (Some(name), _) => name.clone(),
        (None, 0) => "default".to_owned(),
        (None, 1) => config.targets.keys().next().cloned().unwrap_or_default(),
        (None, _) => {
            return Err(usage(format!(
                "hookctl.yaml has several targets ({}) and no default_target: name one with --target",
                known(config)
            )));
        }
    };
    let Some(target) = config.targets.get(&name) else {
        if config.targets.is_empty() {
            return Ok(TargetSettings {
                name,
                api_url,
                api_key: default_key(),
                fingerprint_key: None,
                team_id: None,
                user_id: None,
                vars: BTreeMap::new(),
            });
        }
        return Err(usage(format!(
            "hookctl.yaml has no target '{name}'; it has {}",
            known(config)
        )));
    };
    Ok(TargetSettings {
        name,
        api_url: api_url.or_else(|| target.api_url.clone()),
        api_key: target.api_key.clone().unwrap_or_else(default_key),
        fingerprint_key: target.fingerprint_key.clone(),
        team_id: target.team_id.clone(),
        user_id: target.user_id.clone(),
        vars: target.vars.clone(),
    })
}

fn known(config: &Config) -> String {
    config
        .targets
        .keys()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}
