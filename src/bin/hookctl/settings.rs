//! The settings of a run. Flags override environment variables, which override hookctl.yaml, which overrides defaults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hookctl::config::{
    ApiBaseUrl, Config, Confirm, DEFAULT_SETTLE_MARGIN, DiscoverError, RecordPlace, SharedPlace,
};
use hookctl::diagnostic::{Diagnostics, Lints, Location, SourceMap, Span, nearest};
use hookctl::plan::safety::SafetyLimits;
use hookctl::record::HistoryLimits;
use hookctl::secret::{KeySources, PlaintextSecrets, SecretSource};

use crate::args::{GlobalArgs, RecordArg};
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::guards::{Guards, Sought};
use crate::hints;

/// The default environment variable of the API key.
const API_KEY_VARIABLE: &str = "INTERACTLY_API_KEY";

/// The name of the target if none is configured.
const DEFAULT_TARGET: &str = "default";

/// The settings of a run.
pub(crate) struct Settings {
    /// The folder that displayed paths are relative to: that of hookctl.yaml, or the working directory. Without Git,
    /// `file:` secrets may not leave it.
    pub(crate) root: PathBuf,
    /// Whether there is a hookctl.yaml.
    pub(crate) has_file: bool,
    pub(crate) webhooks_dir: PathBuf,
    /// What named the folder of declarations.
    pub(crate) webhooks_dir_by: NamedBy,
    pub(crate) cache_dir: PathBuf,
    /// What named the folder of the record.
    pub(crate) cache_dir_by: NamedBy,
    /// Where the record is.
    pub(crate) record: RecordSettings,
    pub(crate) target: TargetSettings,
    /// The names of all targets.
    pub(crate) known_targets: Vec<String>,
    /// The sources of the keys of all targets.
    pub(crate) keys: KeySources,
    /// Whether orphans are deleted.
    pub(crate) prune: bool,
    /// The limits on the size of a plan.
    pub(crate) limits: SafetyLimits,
    /// The most concurrent requests.
    pub(crate) concurrency: usize,
    /// The most requests per second.
    pub(crate) requests_per_second: Option<f64>,
    pub(crate) request_timeout: Duration,
    /// How long a request without a response may still take effect.
    pub(crate) settle_horizon: Duration,
    /// How much history the record keeps.
    pub(crate) history: HistoryLimits,
    /// How secrets in plain text are treated.
    pub(crate) plaintext_secrets: PlaintextSecrets,
    /// Before which plans a person is asked.
    pub(crate) confirm: Confirm,
    /// The levels of warnings.
    pub(crate) lints: Lints,
    /// How long to wait for another process that writes the record. `None` leaves it to the kind of the record.
    pub(crate) lock_timeout: Option<Duration>,
    /// Whether plain HTTP to another host is allowed.
    pub(crate) insecure_http: bool,
    /// The settings of hookctl.yaml that make plans more or less careful.
    pub(crate) guards: Guards,
    /// Warnings about hookctl.yaml, until they are shown.
    pub(crate) remarks: Option<(SourceMap, Diagnostics)>,
}

/// What named a folder. Only the user may name a folder by a link that leads elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamedBy {
    /// A flag or an environment variable.
    Person,
    /// hookctl.yaml, or the default.
    Repository,
}

impl NamedBy {
    fn of(flag: Option<&PathBuf>) -> Self {
        flag.map_or(Self::Repository, |_| Self::Person)
    }
}

/// Where the record is.
pub(crate) struct RecordSettings {
    /// The place.
    pub(crate) place: RecordPlace,
    /// Whether a flag or the environment named it, rather than a file.
    pub(crate) is_given: bool,
    /// The location in hookctl.yaml.
    pub(crate) location: Option<Location>,
}

impl RecordSettings {
    /// Applies the flag over the file. If both name the same record, what else the file says about it holds.
    fn of(
        given: Option<&RecordArg>,
        config: &Config,
        target: &str,
        sources: Option<&SourceMap>,
    ) -> Self {
        let of_target = config.targets.get(target);
        let configured = of_target.and_then(|target| target.record.as_ref());
        let configured = configured.or(config.record.as_ref());
        let place = match (given, configured) {
            (None, None) | (Some(RecordArg::Local), _) => RecordPlace::Local,
            (None, Some(place)) => place.clone(),
            (Some(RecordArg::Shared(url)), Some(RecordPlace::Shared(place)))
                if place.url == *url =>
            {
                RecordPlace::Shared(place.clone())
            }
            (Some(RecordArg::Shared(url)), _) => {
                RecordPlace::Shared(Box::new(SharedPlace::at(url.clone())))
            }
        };
        let location = match &place {
            RecordPlace::Shared(place) => place.span.and_then(|span| Some(sources?.location(span))),
            RecordPlace::Local => None,
        };
        Self {
            place,
            is_given: given.is_some(),
            location,
        }
    }

    /// Returns the shared record; `None` if the record is local.
    pub(crate) const fn shared(&self) -> Option<&SharedPlace> {
        match &self.place {
            RecordPlace::Shared(place) => Some(place),
            RecordPlace::Local => None,
        }
    }
}

/// The settings of the target.
pub(crate) struct TargetSettings {
    pub(crate) name: String,
    /// The API's base URL, if configured.
    pub(crate) api_url: Option<ApiBaseUrl>,
    /// The source of the API key.
    pub(crate) api_key: SecretSource,
    /// The source of the fingerprint key, unless fingerprints use the API key.
    pub(crate) fingerprint_key: Option<SecretSource>,
    /// Sent as the header `teamid`.
    pub(crate) team_id: Option<String>,
    /// Sent as the header `uuid`.
    pub(crate) user_id: Option<String>,
    /// The variables of declarations.
    pub(crate) vars: BTreeMap<String, String>,
    /// The locations in hookctl.yaml.
    pub(crate) places: Places,
    /// What flags and the environment gave.
    pub(crate) given: Given,
}

/// The locations in hookctl.yaml that decide where a target's keys come from and go to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pub(crate) api_url: Option<Location>,
    pub(crate) api_key: Option<Location>,
    pub(crate) fingerprint_key: Option<Location>,
}

/// What flags and the environment gave, rather than a file. It needs no further consent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Given {
    /// Whether the API's URL was given.
    pub(crate) url: bool,
    /// Whether the variable of the API key was given.
    pub(crate) key: bool,
}

/// Why the settings could not be resolved.
pub(crate) enum SettingsError {
    /// hookctl.yaml is invalid.
    Diagnostics(SourceMap, Diagnostics),
    /// Any other error.
    Command(CommandError),
}

impl From<CommandError> for SettingsError {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}

impl Settings {
    /// Reads hookctl.yaml, if present, and applies flags and environment variables over it.
    pub(crate) fn resolve(global: &GlobalArgs) -> Result<Self, SettingsError> {
        let here = std::env::current_dir().map_err(|error| {
            CommandError::new(
                "working-directory",
                format!("could not read the working directory: {error}"),
            )
        })?;
        let path = match &global.config {
            Some(path) => Some(here.join(path)),
            None => hookctl::config::discover(&here).map_err(|error| not_discovered(&error))?,
        };
        let root = path
            .as_deref()
            .and_then(Path::parent)
            .map_or_else(|| here.clone(), Path::to_owned);
        let (config, remarks) = match &path {
            Some(path) => {
                let shown = path.strip_prefix(&here).unwrap_or(path);
                let (sources, diagnostics, config) = hookctl::config::load(shown);
                let denied = Lints::default().deny_warnings(global.deny_warnings);
                let diagnostics = denied.apply(diagnostics);
                match config {
                    Some(config) if !diagnostics.has_errors() => {
                        (config, Some((sources, diagnostics)))
                    }
                    _ => return Err(SettingsError::Diagnostics(sources, diagnostics)),
                }
            }
            None => (Config::default(), None),
        };
        let known_targets: Vec<String> = config.targets.keys().cloned().collect();
        let webhooks_dir = match &global.dir {
            Some(folder) => here.join(folder),
            None => root.join(&config.webhooks_dir),
        };
        let cache_dir = match &global.cache_dir {
            // Links are resolved once: the user may name a folder by a link, a file may not.
            Some(folder) => {
                let folder = here.join(folder);
                std::fs::canonicalize(&folder).unwrap_or(folder)
            }
            None => root.join(&config.cache_dir),
        };
        let sources = remarks.as_ref().map(|(sources, _)| sources);
        let target = target(global, &config, sources)?;
        let record = RecordSettings::of(global.record.as_ref(), &config, &target.name, sources);
        let request_timeout = global.request_timeout.unwrap_or(config.request_timeout);
        let of_target = config.targets.get(&target.name);
        let settle_horizon = global
            .settle_horizon
            .or_else(|| of_target.and_then(|target| target.settle_horizon))
            .or(config.settle_horizon)
            .unwrap_or(request_timeout + DEFAULT_SETTLE_MARGIN);
        let usual = HistoryLimits::default();
        let horizon_is_given = global.settle_horizon.is_some()
            || global.request_timeout.is_some()
                && config.settle_horizon.is_none()
                && of_target.is_none_or(|target| target.settle_horizon.is_none());
        let has_file = path.is_some();
        let guards = Guards::new(
            config.clone(),
            match (&global.config, path) {
                (Some(_), Some(path)) => Sought::At(path),
                _ => Sought::From(here),
            },
            sources,
            &target.name,
            Vec::from_iter(horizon_is_given.then_some("settle_horizon")),
        );
        Ok(Self {
            webhooks_dir,
            webhooks_dir_by: NamedBy::of(global.dir.as_ref()),
            cache_dir,
            cache_dir_by: NamedBy::of(global.cache_dir.as_ref()),
            record,
            confirm: config.confirm_in(&target.name),
            target,
            known_targets,
            keys: config.key_sources(),
            prune: config.prune,
            limits: config.safety,
            concurrency: config.concurrency,
            requests_per_second: config.requests_per_second,
            request_timeout,
            settle_horizon,
            history: HistoryLimits {
                keep: config.history.keep.unwrap_or(usual.keep),
                max_entries: config.history.max_entries.unwrap_or(usual.max_entries),
            },
            plaintext_secrets: config.plaintext_secrets,
            lints: config.lints.deny_warnings(global.deny_warnings),
            lock_timeout: global.lock_timeout,
            insecure_http: global.insecure_http,
            guards,
            remarks,
            root,
            has_file,
        })
    }
}

fn not_discovered(error: &DiscoverError) -> CommandError {
    match error {
        DiscoverError::NotOurs { .. } | DiscoverError::Elsewhere { .. } => {
            CommandError::caused("config-not-ours", error)
        }
        _ => CommandError::caused("config-unreadable", error),
    }
}

fn target(
    global: &GlobalArgs,
    config: &Config,
    sources: Option<&SourceMap>,
) -> Result<TargetSettings, CommandError> {
    let usage = |message: String| CommandError::new("usage", message).status(ExitStatus::Usage);
    let api_url = global
        .api_url
        .as_deref()
        .map(ApiBaseUrl::parse)
        .transpose()
        .map_err(|error| {
            let error = usage(format!("--api-url (or HOOKCTL_API_URL) {error}"));
            match global.api_url.as_deref().and_then(hints::with_scheme) {
                Some(url) => error.hint(format!("did you mean {url}?")),
                None => error,
            }
        })?;
    let given = Given {
        url: api_url.is_some(),
        key: false,
    };
    let default_key = || SecretSource::Env {
        name: API_KEY_VARIABLE.to_owned(),
    };
    let asked_for = global.target.as_ref().or(config.default_target.as_ref());
    let name = match (asked_for, config.targets.len()) {
        (Some(name), _) => name.clone(),
        (None, 0) => DEFAULT_TARGET.to_owned(),
        (None, 1) => config.targets.keys().next().cloned().unwrap_or_default(),
        (None, _) => {
            let message = format!(
                "hookctl.yaml has several targets ({}) and no default_target",
                known(config)
            );
            return Err(usage(message).hint("select one with --target"));
        }
    };
    let Some(target) = config.targets.get(&name) else {
        if config.targets.is_empty() && name == DEFAULT_TARGET {
            return Ok(TargetSettings {
                name,
                api_url,
                api_key: default_key(),
                fingerprint_key: None,
                team_id: None,
                user_id: None,
                vars: BTreeMap::new(),
                places: Places::default(),
                given,
            });
        }
        return Err(unknown_target(&name, config));
    };
    let place = |span: Option<Span>| Some(sources?.location(span?));
    Ok(TargetSettings {
        name,
        api_url: api_url.or_else(|| target.api_url.clone()),
        api_key: target.api_key.clone().unwrap_or_else(default_key),
        fingerprint_key: target.fingerprint_key.clone(),
        team_id: target.team_id.clone(),
        user_id: target.user_id.clone(),
        vars: target.vars.clone(),
        places: Places {
            api_url: place(target.spans.api_url),
            api_key: place(target.spans.api_key),
            fingerprint_key: place(target.spans.fingerprint_key),
        },
        given,
    })
}

/// Returns the error for a target that is not configured. Without configured targets only the default one is allowed,
/// since another name would start a separate record.
fn unknown_target(name: &str, config: &Config) -> CommandError {
    let error = if config.targets.is_empty() {
        CommandError::new(
            "usage",
            format!(
                "unknown target '{name}': no targets are configured, so only '{DEFAULT_TARGET}' exists"
            ),
        )
    } else {
        CommandError::new(
            "usage",
            format!(
                "unknown target '{name}'; the targets of hookctl.yaml are {}",
                known(config)
            ),
        )
    };
    let names = config.targets.keys().map(String::as_str);
    let default = config.targets.is_empty().then_some(DEFAULT_TARGET);
    let help = match nearest(name, names.chain(default)) {
        Some(near) => format!("did you mean '{near}'?"),
        None => "add it under `targets` in hookctl.yaml".to_owned(),
    };
    error.hint(help).status(ExitStatus::Usage)
}

fn known(config: &Config) -> String {
    config
        .targets
        .keys()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}
