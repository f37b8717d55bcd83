//! What a run that talks to the API is made of: the client, the emulator behind it if asked for, the
//! record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookctl::apply::ApplyOptions;
use hookctl::cache::{Account, CacheError, CacheOptions};
use hookctl::clock::SystemClock;
use hookctl::declaration::Declarations;
use hookctl::reconcile::{Remembered, fresh_evidence};
use hookctl::record::Horizon;
use hookctl::remote::http::{HttpApi, HttpOptions, ProxyUse, check_proxy};
use hookctl::render::Cost;
use hookctl::sandbox::{Dialect, Sandbox, SandboxOptions, Storage};
use hookctl::secret::{FingerprintKey, Salt, Secret, Secrets};
use hookctl::state::DesiredState;
use hookctl::store::{OpenStore, Store};
use hookctl::webhook::Key;
use tokio_util::sync::CancellationToken;

use crate::environment::Environment;
use crate::error::CommandError;
use crate::secrets::resolve_key;
use crate::settings::Settings;

/// The key that the sandbox takes in process: it is no secret, it only has to be one.
pub(crate) const SANDBOX_KEY: &str = "sandbox-api-key";

/// The API, the emulator behind it if asked for, and where the record is.
pub(crate) struct Session {
    api: HttpApi,
    store: Store,
    fingerprint_key: FingerprintKey,
    clock: SystemClock,
    horizon: Horizon,
    // Stops when the session ends.
    _sandbox: Option<Sandbox>,
}

impl Session {
    /// Sets up the API of a target, or the emulator in its place. Sends nothing.
    pub(crate) async fn open(
        settings: &Settings,
        environment: &Environment,
        sandbox: bool,
    ) -> Result<Self, CommandError> {
        Self::over(store(settings, sandbox)?, settings, environment, sandbox).await
    }

    /// The same over a record that may be in memory already.
    pub(crate) async fn over(
        store: Store,
        settings: &Settings,
        environment: &Environment,
        sandbox: bool,
    ) -> Result<Self, CommandError> {
        let target = &settings.target;
        if sandbox {
            let running = start_sandbox(settings).await?;
            let key = Secret::new(SANDBOX_KEY.to_owned())
                .map_err(|error| CommandError::caused("api-key", &error))?;
            let options = HttpOptions {
                https_only: false,
                proxy: ProxyUse::None,
                ..options(settings, running.base_url(), key, "the sandbox".to_owned())
            };
            return Ok(Self {
                api: client(options)?,
                store,
                fingerprint_key: fingerprint_key(settings, environment, None).await?,
                clock: SystemClock::new(),
                // What this process sends to itself takes effect before it is answered.
                horizon: Horizon(Duration::ZERO),
                _sandbox: Some(running),
            });
        }
        let url = target.api_url.as_ref().ok_or_else(|| {
            CommandError::new("no-api-url", "there is no API URL").help(
                "give the target an `api_url` in hookctl.yaml, or use --api-url or \
                 HOOKCTL_API_URL (such as https://api-prod.interactly.ai); to try things out \
                 without an account, use --sandbox",
            )
        })?;
        if !url.is_https() && !url.is_loopback() && !settings.insecure_http {
            return Err(CommandError::new(
                "insecure-http",
                format!(
                    "{url} is plain http: the API key and the tokens would be readable on the way"
                ),
            )
            .help("use https, or add --insecure-http if the way is safe"));
        }
        if !url.is_loopback() {
            check_proxy(&url.to_string(), |name| environment.get_lossy(name)).map_err(|error| {
                CommandError::caused("invalid-proxy", &error)
                    .help("write it as http://proxy.example.com:3128, or unset it")
            })?;
        }
        let key = resolve_key("API key", &target.api_key, environment).await?;
        let fingerprint_key = fingerprint_key(settings, environment, Some(&key)).await?;
        let options = HttpOptions {
            https_only: url.is_https(),
            proxy: if url.is_loopback() {
                ProxyUse::None
            } else {
                ProxyUse::System
            },
            ..options(settings, url.to_string(), key, target.api_key.to_string())
        };
        Ok(Self {
            api: client(options)?,
            store,
            fingerprint_key,
            clock: SystemClock::new(),
            horizon: Horizon(settings.settle_horizon),
            _sandbox: None,
        })
    }

    /// How a plan is applied.
    pub(crate) fn apply_options(
        &self,
        settings: &Settings,
        grace: Duration,
        cancellation: &CancellationToken,
    ) -> ApplyOptions<'_> {
        ApplyOptions {
            concurrency: settings.concurrency,
            clock: &self.clock,
            horizon: self.horizon,
            grace,
            provenance: None,
            cancellation: cancellation.clone(),
        }
    }

    pub(crate) const fn clock(&self) -> &SystemClock {
        &self.clock
    }

    pub(crate) const fn horizon(&self) -> Horizon {
        self.horizon
    }

    pub(crate) const fn api(&self) -> &HttpApi {
        &self.api
    }

    pub(crate) const fn account(&self) -> &Account {
        self.store.account()
    }

    pub(crate) const fn fingerprint_key(&self) -> &FingerprintKey {
        &self.fingerprint_key
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// What is desired: the declarations, with what a plan may know of their tokens. A token of which
    /// nothing is remembered gets the salt that is given for it, or a fresh one.
    pub(crate) fn desired(
        &self,
        declarations: Declarations,
        secrets: &Secrets,
        remembered: &Remembered,
        given: &BTreeMap<Key, Salt>,
    ) -> Result<DesiredState, CommandError> {
        let evidence = fresh_evidence(secrets, remembered, &self.fingerprint_key, given)
            .map_err(|error| CommandError::caused("randomness", &error))?;
        Ok(declarations.into_desired(&evidence))
    }

    /// What a run that began then has cost by now.
    pub(crate) fn cost(&self, started: Instant) -> Cost {
        Cost {
            requests: self.api.stats().requests,
            duration: started.elapsed(),
        }
    }

    /// Opens the record: for a dry run a copy, if there is one.
    pub(crate) fn records(&self, dry_run: bool) -> Result<RecordAccess<'_>, CommandError> {
        let opened = if dry_run {
            self.store.remembered().map(RecordAccess::Reading)
        } else {
            self.store.open().map(RecordAccess::Writing)
        };
        opened.map_err(|error| record_error(&error))
    }
}

/// The record, as a run may use it.
pub(crate) enum RecordAccess<'a> {
    /// A dry run: what was read from a copy.
    Reading(Arc<Remembered>),
    /// Anything else.
    Writing(OpenStore<'a>),
}

impl RecordAccess<'_> {
    pub(crate) fn remembered(&self) -> Result<Arc<Remembered>, CommandError> {
        match self {
            Self::Reading(remembered) => Ok(Arc::clone(remembered)),
            Self::Writing(store) => store.remembered().map_err(|error| record_error(&error)),
        }
    }
}

pub(crate) fn record_error(error: &CacheError) -> CommandError {
    let shown = CommandError::caused("record", error);
    if error.is_damage() {
        shown.help("`hookctl cache repair` puts it aside and makes another one from the API")
    } else {
        shown
    }
}

/// The record of a target, or of the emulator in its place. Nothing is read yet.
pub(crate) fn store(settings: &Settings, sandbox: bool) -> Result<Store, CommandError> {
    let target = &settings.target;
    let options = CacheOptions {
        directory: crate::place::of_record(settings)?,
        lock_timeout: settings.lock_timeout,
        history: settings.history,
    };
    let url = target.api_url.as_ref().map(ToString::to_string);
    let api = match (sandbox, &url) {
        (true, _) => "sandbox",
        (false, Some(url)) => url,
        // Whoever needs one says so.
        (false, None) => "",
    };
    Ok(Store::new(options, Account::new(&target.name, api)))
}

async fn start_sandbox(settings: &Settings) -> Result<Sandbox, CommandError> {
    let file = format!("{}.json", settings.target.name);
    let options = SandboxOptions {
        api_key: SANDBOX_KEY.to_owned(),
        storage: Storage::File(settings.cache_dir.join("sandbox").join(file)),
        dialect: Dialect::default(),
        latency: std::time::Duration::ZERO,
    };
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    Sandbox::start(options, address)
        .await
        .map_err(|error| CommandError::caused("sandbox", &error))
}

async fn fingerprint_key(
    settings: &Settings,
    environment: &Environment,
    api_key: Option<&Secret>,
) -> Result<FingerprintKey, CommandError> {
    match (&settings.target.fingerprint_key, api_key) {
        (Some(source), Some(_)) => {
            let secret = resolve_key("fingerprint key", source, environment).await?;
            Ok(FingerprintKey::derive(&secret))
        }
        (None, Some(api_key)) => Ok(FingerprintKey::derive(api_key)),
        (_, None) => {
            let secret = Secret::new(SANDBOX_KEY.to_owned())
                .map_err(|error| CommandError::caused("api-key", &error))?;
            Ok(FingerprintKey::derive(&secret))
        }
    }
}

fn options(settings: &Settings, base_url: String, key: Secret, source: String) -> HttpOptions {
    HttpOptions {
        team_id: settings.target.team_id.clone(),
        user_id: settings.target.user_id.clone(),
        concurrency: settings.concurrency,
        requests_per_second: settings.requests_per_second,
        request_timeout: settings.request_timeout,
        ..HttpOptions::new(base_url, key, source)
    }
}

fn client(options: HttpOptions) -> Result<HttpApi, CommandError> {
    HttpApi::new(options).map_err(|error| CommandError::caused("api-client", &error))
}
