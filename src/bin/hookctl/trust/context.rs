//! What consent depends on besides the files: the checkout, the environment, and stored consent.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use hookctl::declaration::Declarations;
use hookctl::secret::SecretSource;
use hookctl::trust::{
    AllowedHosts, ApiNeeds, Authority, Checkout, Choice, Disk, GatherError, Needs, RecordNeeds,
    gather,
};

use super::store::Store;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::files::load;
use crate::git::Repository;
use crate::hints;
use crate::settings::Settings;

/// What consent depends on.
pub(crate) struct Context<'a> {
    settings: &'a Settings,
    environment: &'a Environment,
    checkout: Checkout,
    choice: Choice,
    hosts: Option<AllowedHosts>,
    path: Option<OsString>,
}

/// Returns the error of a target without an API URL.
pub(crate) fn no_api_url() -> CommandError {
    CommandError::new("no-api-url", "no API URL is configured")
        .hint(hints::API_URL)
        .hint(hints::SANDBOX)
}

impl<'a> Context<'a> {
    /// Reads the environment. A variable that cannot be parsed is an error, since consent is never guessed.
    pub(crate) fn of(
        settings: &'a Settings,
        environment: &'a Environment,
    ) -> Result<Self, CommandError> {
        let usage = |name: &str, error: &dyn std::fmt::Display| {
            CommandError::new("usage", format!("{name} {error}")).status(ExitStatus::Usage)
        };
        let value = |name: &str| {
            let value = environment.get_lossy(name);
            value.filter(|value| !value.is_empty())
        };
        let choice = Choice::parse(value("HOOKCTL_TRUST").as_deref())
            .map_err(|error| usage("HOOKCTL_TRUST", &error))?;
        let hosts = value("HOOKCTL_ALLOWED_HOSTS")
            .map(|text| AllowedHosts::parse(&text))
            .transpose()
            .map_err(|error| usage("HOOKCTL_ALLOWED_HOSTS", &error))?;
        Ok(Self {
            checkout: checkout(settings),
            settings,
            environment,
            choice,
            hosts,
            path: environment.path(),
        })
    }

    /// Returns the choice in `HOOKCTL_TRUST`.
    pub(crate) const fn choice(&self) -> &Choice {
        &self.choice
    }

    /// Returns the folders that count as the repository.
    pub(crate) const fn checkout(&self) -> &Checkout {
        &self.checkout
    }

    /// Returns the stored consent.
    pub(crate) fn store(&self) -> Store {
        Store::of(self.environment, &self.checkout)
    }

    /// Returns what the API of the target, its shared record, and the tokens need consent for.
    pub(crate) fn authority(
        &self,
        api: bool,
        record: bool,
        tokens: Option<&Declarations>,
    ) -> Result<Authority, CommandError> {
        let target = &self.settings.target;
        let url = target.api_url.as_ref();
        if api && url.is_none() {
            return Err(no_api_url());
        }
        let fingerprint_key = target.fingerprint_key.as_ref();
        let shared = self.settings.record.shared().filter(|_| record);
        let needs = Needs {
            api: url.filter(|_| api).map(|url| ApiNeeds {
                url,
                url_is_given: target.given.url,
                url_place: target.places.api_url.clone(),
                key: &target.api_key,
                key_is_given: target.given.key,
                key_place: target.places.api_key.clone(),
                fingerprint_key: fingerprint_key
                    .map(|source| (source, target.places.fingerprint_key.clone())),
            }),
            record: shared.map(|place| RecordNeeds {
                url: &place.url,
                url_is_given: self.settings.record.is_given,
                endpoint: place.endpoint.as_ref(),
                region: place.region.as_deref(),
                kms_key: place.kms_key.as_deref(),
                credentials: place.credentials.as_ref(),
                place: self.settings.record.location.clone(),
            }),
            tokens: tokens
                .into_iter()
                .flat_map(Declarations::placed_secret_sources)
                // Other sources need no consent, and there may be many.
                .filter(|(source, _)| matches!(source, SecretSource::Command { .. }))
                .map(|(source, place)| (source, Some(place.clone())))
                .collect(),
            hosts: self.hosts.as_ref(),
        };
        gather(&needs, &self.checkout, self.path.as_deref(), &Disk).map_err(|error| {
            let code = match &error {
                GatherError::HostNotAllowed { .. } => "host-not-allowed",
                GatherError::FingerprintKeyInside { .. } => "invalid-secret-source",
                _ => "untrusted",
            };
            CommandError::caused(code, &error)
        })
    }

    /// Returns everything that the target's configuration needs consent for, whatever the command uses. If the
    /// declarations are invalid or the target has no URL, returns the rest.
    pub(crate) fn whole(&self, tokens: Option<&Declarations>) -> Authority {
        let read;
        let tokens = if tokens.is_some() {
            tokens
        } else {
            read = load(self.settings, self.environment).declarations;
            read.as_ref()
        };
        self.authority(self.settings.target.api_url.is_some(), true, tokens)
            .unwrap_or_default()
    }

    /// Returns whether the digests of `HOOKCTL_TRUST` cover the request, by itself or as a part of the configuration.
    pub(crate) fn covers(&self, authority: &Authority, tokens: Option<&Declarations>) -> bool {
        let Choice::Only(digests) = &self.choice else {
            return false;
        };
        digests.contains(&authority.digest()) || digests.contains(&self.whole(tokens).digest())
    }
}

/// Returns the repository of the files, that of declarations named elsewhere by a flag, and their superprojects.
fn checkout(settings: &Settings) -> Checkout {
    let named = real(&settings.root);
    let (root, has_git) = root_of(&settings.root, &named);
    let (elsewhere, elsewhere_has_git) = root_of(&settings.webhooks_dir, &named);
    let further: Vec<PathBuf> = [&root, &elsewhere]
        .into_iter()
        .flat_map(|folder| std::iter::successors(Repository::around(folder), Repository::above))
        .map(|repository| real(repository.root()))
        .chain([elsewhere.clone()])
        .collect();
    let checkout = Checkout::new(root, further)
        .with_record(real(&settings.cache_dir))
        .with_config(real(&settings.root));
    if has_git && elsewhere_has_git {
        checkout
    } else {
        checkout.open_ended()
    }
}

/// Returns the root of the repository that contains a folder, or the folder itself, and whether it is a repository.
fn root_of(folder: &Path, named: &Path) -> (PathBuf, bool) {
    let folder = real(folder);
    match Repository::around_part(&folder, named) {
        Some(repository) => (real(repository.root()), true),
        None => (folder, false),
    }
}

fn real(folder: &Path) -> PathBuf {
    fs::canonicalize(folder)
        .or_else(|_| std::path::absolute(folder))
        .unwrap_or_else(|_| folder.to_owned())
}
