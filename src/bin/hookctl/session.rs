//! A session: the API client, the emulator if requested, and the record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookctl::apply::RunContext;
use hookctl::clock::{Clock, SystemClock};
use hookctl::declaration::Declarations;
use hookctl::plan::Policy;
use hookctl::reconcile::{PlanInputs, fresh_evidence};
use hookctl::record::shared::{SharedError, SharedRecord};
use hookctl::record::{
    Account, Horizon, MemoryRecord, OpenRecord, Record, RecordError, RecordErrorKind, Remembered,
};
use hookctl::remote::http::{HttpApi, HttpOptions, OnHttpEvent, ProxyUse, check_proxy};
use hookctl::render::RunStats;
use hookctl::sandbox::{DeliveryOptions, Sandbox};
use hookctl::secret::{
    FingerprintKey, KeyValues, Permits, Salt, Secret, SecretSource, Secrets, TooShort,
};
use hookctl::state::DesiredState;
use hookctl::trust::Consent;
use hookctl::webhook::Key;
use tokio_util::sync::CancellationToken;

use crate::emulator::{self, SANDBOX_KEY};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::progress::{self, Phase};
use crate::record_ahead::{RecordAhead, account, record};
use crate::secrets::resolve_key;
use crate::settings::Settings;
use crate::shared_record::Renewal;
use crate::signals::interrupted;
use crate::trust::{Cleared, no_api_url};
use crate::{hints, mask};

/// A client for the API, with the keys of its target.
pub(crate) struct Client {
    api: Arc<HttpApi>,
    fingerprint_key: FingerprintKey,
    /// The keys, which no token may contain.
    keys: KeyValues,
    clock: Arc<dyn Clock>,
}

impl Client {
    /// Sets up a client for the API, with consent. Sends nothing.
    pub(crate) async fn connect(
        settings: &Settings,
        environment: &Environment,
        consent: &Consent,
    ) -> Result<Self, CommandError> {
        let access = consent.access().ok_or_else(no_api_url)?;
        let url = access.url();
        if !url.is_https() && !url.is_loopback() && !settings.insecure_http {
            return Err(CommandError::new(
                "insecure-http",
                format!("{url} uses plain http, which would expose the API key and the tokens"),
            )
            .hint("use https, or add --insecure-http if the network is trusted"));
        }
        if !url.is_loopback() {
            check_proxy(&url.to_string(), |name| environment.get_lossy(name))
                .map_err(|error| CommandError::caused("invalid-proxy", &error))?;
        }
        if url.is_https() {
            crate::certificates::check(environment)?;
        }
        let (source, permits) = (access.api_key(), consent.permits());
        let key = resolve_key("API key", source, environment, permits).await?;
        let mut keys = KeyValues::none();
        keys.add(&key);
        let fingerprint_key = match access.fingerprint_key() {
            Some(source) => {
                let secret = resolve_key("fingerprint key", source, environment, permits).await?;
                keys.add(&secret);
                FingerprintKey::of_own(&secret).map_err(|error| too_short(source, error))?
            }
            None => FingerprintKey::derive(&key),
        };
        let options = HttpOptions {
            https_only: url.is_https(),
            proxy: if url.is_loopback() {
                ProxyUse::None
            } else {
                ProxyUse::System
            },
            ..options(settings, url.to_string(), key, source.to_string())
        };
        Ok(Self {
            api: Arc::new(client(options)?),
            fingerprint_key,
            keys,
            clock: SystemClock::shared(),
        })
    }

    /// Returns the client.
    pub(crate) const fn api(&self) -> &Arc<HttpApi> {
        &self.api
    }

    pub(crate) const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}

/// The API client, the emulator if requested, and the location of the record.
pub(crate) struct Session {
    api: Arc<HttpApi>,
    record: Record,
    /// The same record, if it is a shared one.
    shared: Option<SharedRecord>,
    /// The credentials of a shared record, if they come from a program.
    renewal: Option<Renewal>,
    fingerprint_key: FingerprintKey,
    /// The keys, which no token may contain.
    keys: KeyValues,
    clock: Arc<dyn Clock>,
    horizon: Horizon,
    // Stops the emulator when dropped.
    sandbox: Option<Sandbox>,
}

impl Session {
    /// Sets up a client for the API, with consent, or for the emulator. Sends nothing.
    pub(crate) async fn open(
        settings: &Settings,
        environment: &Environment,
        cleared: &Cleared,
    ) -> Result<Self, CommandError> {
        let record = record(settings, cleared.is_sandbox())?;
        Self::over(record, None, settings, environment, cleared).await
    }

    /// Sets up a session like [`Self::open`]. The emulator delivers events.
    pub(crate) async fn delivering(
        settings: &Settings,
        environment: &Environment,
        cleared: &Cleared,
        delivery: DeliveryOptions,
    ) -> Result<Self, CommandError> {
        let record = record(settings, cleared.is_sandbox())?;
        if !cleared.is_sandbox() {
            return Self::over(record, None, settings, environment, cleared).await;
        }
        let reaching = record.reach(settings, environment, cleared.permits());
        Self::over_sandbox(reaching.await?.record, settings, Some(delivery)).await
    }

    /// Sets up the session over a record that may be loaded already, and a client that may be in use already.
    pub(crate) async fn over(
        record: RecordAhead,
        client: Option<Client>,
        settings: &Settings,
        environment: &Environment,
        cleared: &Cleared,
    ) -> Result<Self, CommandError> {
        let consent = match cleared {
            Cleared::Sandbox(_) => {
                let reaching = record.reach(settings, environment, cleared.permits());
                return Self::over_sandbox(reaching.await?.record, settings, None).await;
            }
            Cleared::Api(consent) => consent,
        };
        let Client {
            api,
            fingerprint_key,
            keys,
            clock,
        } = match client {
            Some(client) => client,
            None => Client::connect(settings, environment, consent).await?,
        };
        let permits = consent.permits();
        let reached = record.reach(settings, environment, permits).await?;
        Ok(Self {
            api,
            record: reached.record,
            shared: reached.shared,
            renewal: reached.renewal,
            fingerprint_key,
            keys,
            clock,
            horizon: Horizon(settings.settle_horizon),
            sandbox: None,
        })
    }

    /// Sets up a client for the API without the record, with consent. Sends nothing.
    pub(crate) async fn without_record(
        settings: &Settings,
        environment: &Environment,
        cleared: &Cleared,
    ) -> Result<Self, CommandError> {
        let record = Record::new(MemoryRecord::new(), account(settings, false));
        Self::over(
            RecordAhead::Local(record),
            None,
            settings,
            environment,
            cleared,
        )
        .await
    }

    /// Sets up the session over the emulator, which delivers events if `delivery` says how.
    async fn over_sandbox(
        record: Record,
        settings: &Settings,
        delivery: Option<DeliveryOptions>,
    ) -> Result<Self, CommandError> {
        let running = emulator::start(settings, delivery).await?;
        let key = Secret::new(SANDBOX_KEY.to_owned())
            .map_err(|error| CommandError::caused("api-key", &error))?;
        let fingerprint_key = FingerprintKey::derive(&key);
        let options = HttpOptions {
            https_only: false,
            proxy: ProxyUse::None,
            ..options(settings, running.base_url(), key, "the sandbox".to_owned())
        };
        Ok(Self {
            api: Arc::new(client(options)?),
            record,
            shared: None,
            renewal: None,
            fingerprint_key,
            // The emulator's key is not secret.
            keys: KeyValues::none(),
            clock: SystemClock::shared(),
            // Requests within one process take effect before they are answered.
            horizon: Horizon(Duration::ZERO),
            sandbox: Some(running),
        })
    }

    /// Returns the inputs of a plan. `force` and `allow_empty` are off.
    pub(crate) fn plan_inputs<'a>(
        &'a self,
        settings: &Settings,
        desired: &'a DesiredState,
        policy: Policy,
        cancellation: &CancellationToken,
    ) -> PlanInputs<'a, HttpApi> {
        PlanInputs {
            policy,
            limits: settings.limits,
            context: RunContext {
                horizon: self.horizon,
                cancellation: cancellation.clone(),
                ..RunContext::new(&self.clock)
            },
            ..PlanInputs::new(self.api(), desired, &self.clock)
        }
    }

    pub(crate) const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) const fn horizon(&self) -> Horizon {
        self.horizon
    }

    pub(crate) fn api(&self) -> &HttpApi {
        &self.api
    }

    /// Returns the client for a task beside the passes.
    pub(crate) fn shared_api(&self) -> Arc<HttpApi> {
        Arc::clone(&self.api)
    }

    /// Returns the emulator, if it runs in this process.
    pub(crate) const fn sandbox(&self) -> Option<&Sandbox> {
        self.sandbox.as_ref()
    }

    pub(crate) fn account(&self) -> &Account {
        self.record.account()
    }

    pub(crate) const fn fingerprint_key(&self) -> &FingerprintKey {
        &self.fingerprint_key
    }

    /// Renews the credentials of the record, if they expire soon.
    pub(crate) async fn renew(
        &self,
        environment: &Environment,
        permits: &Permits,
    ) -> Result<(), CommandError> {
        match &self.renewal {
            Some(renewal) => renewal.renew(environment, permits).await,
            None => Ok(()),
        }
    }

    pub(crate) const fn record(&self) -> &Record {
        &self.record
    }

    /// Returns the record if it is a shared one.
    pub(crate) const fn shared(&self) -> Option<&SharedRecord> {
        self.shared.as_ref()
    }

    /// Returns the desired state: the declarations, with the evidence about their tokens. A token without a record is
    /// salted with the given salt, or a new one.
    pub(crate) fn desired(
        &self,
        declarations: Declarations,
        secrets: &Secrets,
        remembered: &Remembered,
        given: &BTreeMap<Key, Salt>,
    ) -> Result<DesiredState, CommandError> {
        self.spares_keys(secrets)?;
        let evidence = fresh_evidence(secrets, remembered, &self.fingerprint_key, given)
            .map_err(|error| CommandError::caused("randomness", &error))?;
        Ok(declarations.into_desired(&evidence))
    }

    /// Checks that no token contains a key of this session, including tokens from programs.
    pub(crate) fn spares_keys(&self, secrets: &Secrets) -> Result<(), CommandError> {
        let mut all = secrets.iter();
        let Some((key, _)) = all.find(|(_, token)| self.keys.are_in(token)) else {
            return Ok(());
        };
        let message = format!(
            "the token of '{key}' contains the API key or the fingerprint key, which is never sent as a token"
        );
        Err(CommandError::new("key-as-token", message).hint(hints::SEPARATE_TOKEN))
    }

    /// Returns the statistics of a run since `started`.
    pub(crate) fn stats(&self, started: Instant) -> RunStats {
        RunStats {
            requests: self.api.stats().requests,
            duration: started.elapsed(),
        }
    }

    /// Reads the record. Does not open it for writing.
    pub(crate) async fn remembered(&self) -> Result<Arc<Remembered>, CommandError> {
        let read = self.record.remembered().await;
        read.map_err(|error| record_error(&error))
    }

    /// Opens the record. A dry run reads a copy.
    pub(crate) async fn access(&self, dry_run: bool) -> Result<RecordAccess, CommandError> {
        if !dry_run {
            return self.write().await.map(RecordAccess::Writing);
        }
        progress::begin(Phase::Record);
        let read = self.remembered().await.map(RecordAccess::Reading);
        progress::begin(Phase::List);
        read
    }

    /// Opens the record for writing. The list is read next.
    pub(crate) async fn write(&self) -> Result<OpenRecord, CommandError> {
        progress::begin(Phase::Record);
        let opened = self.record.open_late().await;
        progress::begin(Phase::List);
        opened.map_err(|error| record_error(&error))
    }
}

/// Access to the record.
pub(crate) enum RecordAccess {
    /// For a dry run: the content of a copy.
    Reading(Arc<Remembered>),
    /// For writing.
    Writing(OpenRecord),
}

impl RecordAccess {
    pub(crate) async fn remembered(&self) -> Result<Arc<Remembered>, CommandError> {
        match self {
            Self::Reading(remembered) => Ok(Arc::clone(remembered)),
            Self::Writing(open) => open
                .remembered()
                .await
                .map_err(|error| record_error(&error)),
        }
    }
}

fn too_short(source: &SecretSource, error: TooShort) -> CommandError {
    let message = format!("{source} is not a fingerprint key: {error}");
    CommandError::new("fingerprint-key", message).hints(hints::of(&error))
}

pub(crate) fn record_error(error: &RecordError) -> CommandError {
    if error.kind() == RecordErrorKind::Interrupted {
        return interrupted();
    }
    match error.cause().downcast_ref() {
        Some(SharedError::Missing) => CommandError::caused("record-missing", error),
        Some(SharedError::Held { .. }) => CommandError::caused("record-held", error),
        Some(SharedError::Fenced) => CommandError::caused("lease-lost", error),
        Some(SharedError::Unsafe { .. }) => {
            CommandError::caused("record-unsafe", error).status(ExitStatus::Refused)
        }
        _ => CommandError::caused("record", error),
    }
}

fn options(settings: &Settings, base_url: String, key: Secret, source: String) -> HttpOptions {
    HttpOptions {
        team_id: settings.target.team_id.clone(),
        user_id: settings.target.user_id.clone(),
        concurrency: settings.concurrency,
        requests_per_second: settings.requests_per_second,
        connect_timeout: Horizon(settings.settle_horizon).connect(),
        request_timeout: settings.request_timeout,
        followed: mask::followed(),
        on_event: OnHttpEvent::new(progress::on_http),
        ..HttpOptions::new(base_url, key, source)
    }
}

fn client(options: HttpOptions) -> Result<HttpApi, CommandError> {
    HttpApi::new(options).map_err(|error| CommandError::caused("api-client", &error))
}
