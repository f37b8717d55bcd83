//! The shared record of a run: its store, its credentials, and its lease.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hookctl::clock::SystemClock;
use hookctl::config::SharedPlace;
use hookctl::record::Account;
use hookctl::record::objects::{Credentials, ObjectBlobs, ObjectOptions, folder};
use hookctl::record::shared::{SharedEvent, SharedOptions, SharedRecord, Times, replica_file};
use hookctl::secret::{KeyValues, Permits, Resolver, SecretSource};
use zeroize::Zeroizing;

use crate::environment::Environment;
use crate::error::{CommandError, chain};
use crate::place::of_record;
use crate::settings::Settings;
use crate::signals::cancellation;
use crate::{hints, mask};

/// How long to wait for another holder: longer than the lease of a dead one.
const LOCK_TIMEOUT: Duration = Duration::from_mins(2);
/// The default lease.
const LEASE: Duration = Duration::from_mins(1);
/// How long one operation of the store may take.
const OPERATION: Duration = Duration::from_secs(10);
/// The time-out of a connection to the store.
const CONNECT: Duration = Duration::from_secs(5);

/// The prefixes of variables that are none of an object store's.
const OWN: [&str; 2] = ["INTERACTLY_", "HOOKCTL_"];
/// The variables whose values are secret.
const SECRETS: [&str; 14] = [
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_SAS_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_TOKEN",
    "GOOGLE_BEARER_TOKEN",
    "GOOGLE_OAUTH_ACCESS_TOKEN",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "IDENTITY_HEADER",
];

/// How long before their end the credentials of a program are renewed, and how long after a renewal those that do not say
/// when they end.
const SOON: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);
const RENEWED_AFTER: Duration = Duration::from_mins(10);

/// The shortest word in the output of a program that may be a credential, in characters.
const SHORTEST_CREDENTIAL: usize = 16;

/// Returns the shared record of an account, with the consent in `permits`. Sends nothing.
pub(crate) async fn connect(
    place: &SharedPlace,
    account: Account,
    settings: &Settings,
    environment: &Environment,
    permits: &Permits,
) -> Result<(SharedRecord, Option<Renewal>), CommandError> {
    let times = times(place, settings)?;
    let blobs = ObjectBlobs::new(&ObjectOptions {
        url: place.url.clone(),
        folder: folder(&account),
        region: place.region.clone(),
        endpoint: place.endpoint.clone(),
        kms_key: place.kms_key.clone(),
        credentials: credentials(place, environment, permits).await?,
        connect_timeout: CONNECT,
        request_timeout: operation(times),
        proxy: true,
    })
    .map_err(|error| CommandError::caused("record", &error))?;
    let options = SharedOptions {
        times,
        lock_timeout: settings
            .lock_timeout
            .unwrap_or(LOCK_TIMEOUT.max(times.lease * 2)),
        operation_timeout: operation(times),
        cancellation: cancellation(),
        replica: replica(place, &account, settings),
        followed: mask::followed(),
        on_event: Arc::new(tell),
        ..SharedOptions::new(crate::provenance::run(environment), SystemClock::shared())
    };
    let renewal = place.credentials.as_ref().map(|source| Renewal {
        blobs: blobs.clone(),
        source: source.clone(),
        renewed: Mutex::new(Instant::now()),
    });
    Ok((SharedRecord::new(blobs, account, options), renewal))
}

/// Returns the file that keeps what was read, if the folder for local records exists and may be trusted.
fn replica(place: &SharedPlace, account: &Account, settings: &Settings) -> Option<PathBuf> {
    let folder = settings
        .cache_dir
        .is_dir()
        .then(|| of_record(settings).ok());
    Some(replica_file(
        &folder.flatten()?,
        &format!("{} {account}", place.url),
    ))
}

/// The credentials of a program, which expire during a long run.
pub(crate) struct Renewal {
    blobs: ObjectBlobs,
    source: SecretSource,
    renewed: Mutex<Instant>,
}

impl Renewal {
    /// Runs the program again if its credentials expire soon, or do not say when they expire and are not new.
    pub(crate) async fn renew(
        &self,
        environment: &Environment,
        permits: &Permits,
    ) -> Result<(), CommandError> {
        let renewed = || self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = match self.blobs.expires() {
            Some(at) => at.duration_since(jiff::Timestamp::now()) < SOON,
            None => renewed().elapsed() > RENEWED_AFTER,
        };
        if !is_due {
            return Ok(());
        }
        let output = printed(&self.source, environment, permits).await?;
        self.blobs
            .renew(&output)
            .map_err(|error| CommandError::caused("record-credentials", &error))?;
        *renewed() = Instant::now();
        Ok(())
    }
}

/// Logs why a run waits for the record, and for which process it settles writes.
fn tell(event: &SharedEvent) {
    match event {
        SharedEvent::Waiting {
            holder,
            takeover_after,
        } => tracing::warn!(
            holder = mask::masked(&holder.run),
            since = %holder.since,
            "waiting for the record, which is released when its writer ends, or {} s after its last heartbeat",
            takeover_after.as_secs()
        ),
        SharedEvent::TookOver { holder, silent } => tracing::warn!(
            holder = mask::masked(&holder.run),
            since = %holder.since,
            "took over the record from a writer without a heartbeat for {} s; what it left pending is settled first",
            silent.as_secs()
        ),
        SharedEvent::Retrying { error, budget } => tracing::warn!(
            "the object store of the record failed, and is tried again for up to {} s: {}",
            budget.as_secs(),
            mask::masked(&error.to_string())
        ),
        _ => {}
    }
}

/// An operation ends well before two heartbeats are missed.
fn operation(times: Times) -> Duration {
    OPERATION.min(times.lease / 3)
}

/// Returns the times of the lease. A lease that is hardly longer than a request leaves no time to send one.
fn times(place: &SharedPlace, settings: &Settings) -> Result<Times, CommandError> {
    let request_timeout = settings.request_timeout;
    let shortest = request_timeout * 3 / 2;
    let lease = place.lease.unwrap_or(LEASE.max(shortest));
    if lease < shortest {
        return Err(CommandError::new(
            "lease-too-short",
            format!(
                "the lease of the record ({lease:?}) must be at least one and a half times the request time-out \
                 ({request_timeout:?})"
            ),
        )
        .hint(format!("set `lease` of the record to {shortest:?} or more"))
        .hint("shorten `request_timeout`"));
    }
    Ok(Times {
        lease,
        request_timeout,
    })
}

async fn credentials(
    place: &SharedPlace,
    environment: &Environment,
    permits: &Permits,
) -> Result<Credentials, CommandError> {
    let Some(source) = &place.credentials else {
        let variables = environment
            .names()
            .filter(|name| !OWN.iter().any(|prefix| name.starts_with(prefix)))
            .filter_map(|name| Some((name.to_owned(), environment.setting(name)?)));
        SECRETS
            .iter()
            .filter_map(|name| environment.setting(name))
            .for_each(|value| mask::follow_text(&value));
        return Ok(Credentials::Chain(variables.collect()));
    };
    printed(source, environment, permits)
        .await
        .map(Credentials::Program)
}

/// Runs the program of the credentials, and hides what it printed from now on.
async fn printed(
    source: &SecretSource,
    environment: &Environment,
    permits: &Permits,
) -> Result<Zeroizing<String>, CommandError> {
    let lookup = |name: &str| environment.get(name);
    let keys = KeyValues::none();
    let output = Resolver::new(&lookup, permits, &keys).output(source).await;
    let output = output.map_err(|error| {
        let message = format!(
            "could not resolve the credentials of the record: {}",
            chain(&error)
        );
        CommandError::new("record-credentials", message).hints(hints::of(&error))
    })?;
    let output = output.unwrap_or_default();
    let words = output.split(|character: char| character == '"' || character.is_whitespace());
    words
        .filter(|word| word.len() >= SHORTEST_CREDENTIAL)
        // When they expire is no secret.
        .filter(|word| word.parse::<jiff::Timestamp>().is_err())
        .for_each(mask::follow_text);
    Ok(output)
}
