//! What consent depends on beside the files: the checkout, the variables of the job, and what was stored.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use hookctl::declaration::Declarations;
use hookctl::secret::SecretSource;
use hookctl::trust::{
    AllowedHosts, Authority, Checkout, Choice, Disk, GatherError, Wanted, WantedApi, gather,
};

use super::store::Store;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::files::load;
use crate::git::Repository;
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

/// The error of a target without an address.
pub(crate) fn no_api_url() -> CommandError {
    CommandError::new("no-api-url", "there is no API URL").help(
        "give the target an `api_url` in hookctl.yaml, or use --api-url or \
         HOOKCTL_API_URL (such as https://api-prod.interactly.ai); to try things out \
         without an account, use --sandbox",
    )
}

impl<'a> Context<'a> {
    /// Reads the variables. One that is not understood is an error: consent is never guessed.
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

    /// What the job says.
    pub(crate) const fn choice(&self) -> &Choice {
        &self.choice
    }

    /// Where the files are.
    pub(crate) const fn checkout(&self) -> &Checkout {
        &self.checkout
    }

    /// What was stored.
    pub(crate) fn store(&self) -> Store {
        Store::of(self.environment, &self.checkout)
    }

    /// What is asked for by the API of the target, and by tokens.
    pub(crate) fn authority(
        &self,
        api: bool,
        tokens: Option<&Declarations>,
    ) -> Result<Authority, CommandError> {
        let target = &self.settings.target;
        let url = target.api_url.as_ref();
        if api && url.is_none() {
            return Err(no_api_url());
        }
        let fingerprint_key = target.fingerprint_key.as_ref();
        let wanted = Wanted {
            api: url.filter(|_| api).map(|url| WantedApi {
                url,
                url_is_given: target.given.url,
                url_place: target.places.api_url.clone(),
                key: &target.api_key,
                key_is_given: target.given.key,
                key_place: target.places.api_key.clone(),
                fingerprint_key: fingerprint_key
                    .map(|source| (source, target.places.fingerprint_key.clone())),
            }),
            tokens: tokens
                .into_iter()
                .flat_map(Declarations::placed_secret_sources)
                // All else asks for nothing, and there may be many.
                .filter(|(source, _)| matches!(source, SecretSource::Command { .. }))
                .map(|(source, place)| (source, Some(place.clone())))
                .collect(),
            hosts: self.hosts.as_ref(),
        };
        gather(&wanted, &self.checkout, self.path.as_deref(), &Disk).map_err(|error| {
            let shown = |code| CommandError::caused(code, &error);
            match &error {
                GatherError::HostNotAllowed { .. } => shown("host-not-allowed").help(
                    "HOOKCTL_ALLOWED_HOSTS lists the hosts that this job may send the API key to; correct the \
                     address, or add the host there",
                ),
                GatherError::FingerprintKeyInside { .. } => shown("invalid-secret-source")
                    .help("name a variable, a program, or a file outside the repository"),
                GatherError::TooManyNames { .. } => shown("untrusted")
                    .help("put the text of the arguments into a file of the repository, and run that"),
                GatherError::TooLarge { .. } => shown("untrusted").help(
                    "name the files that the program needs, or a folder with nothing else in it: up to 4,096 \
                     files and 64 MiB are read",
                ),
                GatherError::Content { .. } => shown("untrusted")
                    .help("make it readable, so that consent can cover what it holds"),
            }
        })
    }

    /// All that the target's configuration asks for, whatever a command needs of it. Where the declarations do not
    /// validate, or the target has no address, what is left.
    pub(crate) fn whole(&self, tokens: Option<&Declarations>) -> Authority {
        let read;
        let tokens = if tokens.is_some() {
            tokens
        } else {
            read = load(self.settings, self.environment).declarations;
            read.as_ref()
        };
        self.authority(self.settings.target.api_url.is_some(), tokens)
            .unwrap_or_default()
    }

    /// Whether the job's digests cover what is asked for: this, or all that the configuration asks for.
    pub(crate) fn covers(&self, authority: &Authority, tokens: Option<&Declarations>) -> bool {
        let Choice::Only(digests) = &self.choice else {
            return false;
        };
        digests.contains(&authority.digest()) || digests.contains(&self.whole(tokens).digest())
    }
}

/// The repository that the files are in, that of declarations that a flag names elsewhere, and those that they are
/// submodules of.
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

/// The root of the Git repository around a folder, or the folder itself, by its real path; and which of them it is.
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
