//! Collects what a configuration asks for.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::path::PathBuf;

use super::contents::{Call, Covered, Spent, covered};
use super::gather_error::GatherError;
use super::grant::is_free_fingerprint_variable;
use super::{
    Access, AllowedHosts, Authority, Checkout, Content, Digest, FileSystem, Grant, KeyOrigin,
    ProgramRun, Purpose, What, is_free, is_free_variable, search,
};
use crate::{Permits, Program};
use hookctl_core::api_url::ApiBaseUrl;
use hookctl_core::location::Location;
use hookctl_core::record::RecordUrl;
use hookctl_core::secret::SecretSource;

/// What a command needs.
#[derive(Debug, Default)]
pub struct Needs<'a> {
    /// The API to use.
    pub api: Option<ApiNeeds<'a>>,
    /// The shared record to use.
    pub record: Option<RecordNeeds<'a>>,
    /// The sources of the tokens to resolve, with their locations.
    pub tokens: Vec<(&'a SecretSource, Option<Location>)>,
    /// The allowed hosts. `None` allows any.
    pub hosts: Option<&'a AllowedHosts>,
}

/// An API to use.
#[derive(Debug)]
pub struct ApiNeeds<'a> {
    /// Its base URL.
    pub url: &'a ApiBaseUrl,
    /// Whether the URL came from a flag or the environment, rather than a file.
    pub url_is_given: bool,
    /// The location of the URL.
    pub url_place: Option<Location>,
    /// The source of the API key.
    pub key: &'a SecretSource,
    /// Whether that source came from a flag, rather than a file.
    pub key_is_given: bool,
    /// The location of the source.
    pub key_place: Option<Location>,
    /// The source of the fingerprint key, with its location.
    pub fingerprint_key: Option<(&'a SecretSource, Option<Location>)>,
}

/// A shared record to use.
#[derive(Debug)]
pub struct RecordNeeds<'a> {
    /// Its address.
    pub url: &'a RecordUrl,
    /// Whether the address came from a flag or the environment, rather than a file.
    pub url_is_given: bool,
    /// The address of the store, from a file. `None` for the vendor's own.
    pub endpoint: Option<&'a ApiBaseUrl>,
    /// The region of the bucket, from a file.
    pub region: Option<&'a str>,
    /// The key that encrypts the objects, from a file.
    pub kms_key: Option<&'a str>,
    /// The source of the credentials. `None` for the environment.
    pub credentials: Option<&'a SecretSource>,
    /// The location of the address.
    pub place: Option<Location>,
}

/// Determines what is asked for. `path` is the `PATH` in which programs are searched.
///
/// # Errors
/// Returns [`GatherError`] if that fails or is refused.
pub fn gather(
    needs: &Needs<'_>,
    checkout: &Checkout,
    path: Option<&OsStr>,
    files: &impl FileSystem,
) -> Result<Authority, GatherError> {
    let folders = search::folders(path, checkout, files);
    let search = std::env::join_paths(&folders).unwrap_or_default();
    let mut gathering = Gathering {
        checkout,
        folders,
        files,
        known: HashMap::new(),
        followed: HashSet::new(),
        spent: Spent::default(),
        authority: Authority {
            grants: Vec::new(),
            access: None,
            programs: Vec::new(),
            missing: Vec::new(),
            permits: Permits::searching(search),
        },
    };
    if let Some(api) = &needs.api {
        if needs.hosts.is_some_and(|hosts| !hosts.allow(api.url)) {
            return Err(GatherError::HostNotAllowed {
                origin: api.url.origin(),
            });
        }
        gathering.api(api)?;
    }
    if let Some(record) = &needs.record {
        if let Some((hosts, endpoint)) = needs.hosts.zip(record.endpoint)
            && !hosts.allow(endpoint)
        {
            return Err(GatherError::HostNotAllowed {
                origin: endpoint.origin(),
            });
        }
        gathering.record(record)?;
    }
    for (source, place) in &needs.tokens {
        gathering.program(source, Purpose::Token, place.as_ref())?;
    }
    Ok(gathering.authority)
}

struct Gathering<'a, L> {
    checkout: &'a Checkout,
    folders: Vec<PathBuf>,
    files: &'a L,
    /// The indices of the grants so far, by digest.
    known: HashMap<Digest, usize>,
    /// Sources that have been handled, since many webhooks may share one.
    followed: HashSet<(SecretSource, Purpose)>,
    spent: Spent,
    authority: Authority,
}

impl<L: FileSystem> Gathering<'_, L> {
    fn ask(&mut self, what: What, place: Option<Location>) -> Digest {
        let grant = Grant::new(what, place, self.checkout);
        let digest = grant.digest();
        let index = self.known.get(&digest);
        if let Some(known) = index.and_then(|index| self.authority.grants.get_mut(*index)) {
            known.also_at(grant.places().to_vec());
        } else {
            self.known.insert(digest, self.authority.grants.len());
            self.authority.grants.push(grant);
        }
        digest
    }

    fn api(&mut self, api: &ApiNeeds<'_>) -> Result<(), GatherError> {
        let program = if api.key_is_given {
            None
        } else {
            self.key(api.key, Purpose::ApiKey, api.key_place.as_ref())?
        };
        if !api.url_is_given && !is_free(api.url) {
            let key = key_origin(api.key, program);
            let origin = api.url.origin();
            self.ask(What::Host { origin, key }, api.url_place.clone());
        }
        if let Some((source, place)) = &api.fingerprint_key {
            if let SecretSource::File { path, .. } = source
                && let Some(real) = self.files.real(path)
                && self.checkout.holds(&real)
            {
                return Err(GatherError::FingerprintKeyInside { path: real });
            }
            self.key(source, Purpose::FingerprintKey, place.as_ref())?;
        }
        self.authority.access = Some(Access {
            url: api.url.clone(),
            api_key: api.key.clone(),
            fingerprint_key: api
                .fingerprint_key
                .as_ref()
                .map(|(source, _)| (*source).clone()),
        });
        Ok(())
    }

    fn record(&mut self, record: &RecordNeeds<'_>) -> Result<(), GatherError> {
        let is_free = match record.endpoint {
            Some(endpoint) => endpoint.is_loopback(),
            None => record.url_is_given,
        };
        if !is_free {
            let what = What::Record {
                url: record.url.clone(),
                endpoint: record.endpoint.map(ApiBaseUrl::origin),
                region: record.region.map(str::to_owned),
                kms_key: record.kms_key.map(str::to_owned),
            };
            self.ask(what, record.place.clone());
        }
        if let Some(source) = record.credentials {
            self.program(source, Purpose::RecordCredentials, record.place.as_ref())?;
        }
        Ok(())
    }

    /// Adds what a key needs. Returns the digest of its program's grant, if it comes from a program.
    fn key(
        &mut self,
        source: &SecretSource,
        purpose: Purpose,
        place: Option<&Location>,
    ) -> Result<Option<Digest>, GatherError> {
        match source {
            SecretSource::Env { .. } | SecretSource::Text { .. } => {
                let is_free = match purpose {
                    Purpose::FingerprintKey => is_free_fingerprint_variable,
                    Purpose::ApiKey | Purpose::Token | Purpose::RecordCredentials => {
                        is_free_variable
                    }
                };
                let names: BTreeSet<&str> = source.variables().into_iter().collect();
                for name in names.into_iter().filter(|name| !is_free(name)) {
                    let name = name.to_owned();
                    self.ask(What::Variable { purpose, name }, place.cloned());
                }
            }
            SecretSource::File {
                path,
                confined_to: None,
                ..
            } => {
                let what = What::File {
                    purpose,
                    path: path.clone(),
                    real: self.files.real(path),
                };
                self.ask(what, place.cloned());
            }
            // The authors of the repository know its files anyway. Only the program can register a provider.
            SecretSource::File { .. } | SecretSource::Provider { .. } => {}
            SecretSource::Command { .. } => return self.program(source, purpose, place),
        }
        Ok(None)
    }

    fn program(
        &mut self,
        source: &SecretSource,
        purpose: Purpose,
        place: Option<&Location>,
    ) -> Result<Option<Digest>, GatherError> {
        let SecretSource::Command {
            program,
            arguments,
            directory,
        } = source
        else {
            return Ok(None);
        };
        if !self.followed.insert((source.clone(), purpose)) {
            let of_source = self.authority.programs.iter();
            let grants: Vec<Digest> = of_source
                .filter(|(known, ..)| known == source)
                .map(|(_, _, grant)| *grant)
                .collect();
            for grant in grants {
                self.again(grant, purpose, place);
            }
            return Ok(None);
        }
        let folder = self
            .files
            .real(directory)
            .unwrap_or_else(|| directory.clone());
        let found = search::find(program, &folder, &self.folders, self.files)
            .and_then(|path| Some((self.files.real(&path)?, path)));
        let Some((real, path)) = found else {
            self.authority.missing.push(source.clone());
            return Ok(None);
        };
        let call = Call {
            program,
            path: &path,
            real: &real,
            folder: &folder,
            arguments,
        };
        let Covered { contents, is_open } =
            covered(&call, self.checkout, self.files, &mut self.spent)?;
        let run = ProgramRun {
            purpose,
            program: program.clone(),
            path: path.clone(),
            real: real.clone(),
            folder,
            arguments: arguments.clone(),
            contents: contents.clone(),
            is_open,
        };
        let digest = self.ask(What::Program(run), place.cloned());
        let contents = contents
            .into_iter()
            .filter_map(|(path, content)| match content {
                Content::Bytes(digest) => Some((path, digest)),
                Content::Link(_) | Content::Other => None,
            });
        let program = Program {
            path,
            real,
            contents: contents.collect(),
        };
        self.authority
            .programs
            .push((source.clone(), program, digest));
        Ok(Some(digest))
    }

    /// Adds a location to a grant, if it has this purpose.
    fn again(&mut self, digest: Digest, purpose: Purpose, place: Option<&Location>) {
        let index = self.known.get(&digest);
        if let Some(grant) = index.and_then(|index| self.authority.grants.get_mut(*index))
            && matches!(grant.what(), What::Program(run) if run.purpose == purpose)
        {
            grant.also_at(place.cloned().into_iter().collect());
        }
    }
}

fn key_origin(source: &SecretSource, program: Option<Digest>) -> KeyOrigin {
    match source {
        SecretSource::Env { name } => KeyOrigin::Variables(vec![name.clone()]),
        SecretSource::Text { .. } => {
            let names = source.variables();
            if names.is_empty() {
                KeyOrigin::Text
            } else {
                KeyOrigin::Variables(names.into_iter().map(str::to_owned).collect())
            }
        }
        SecretSource::File { path, .. } => KeyOrigin::File(path.clone()),
        SecretSource::Command { program: name, .. } => KeyOrigin::Program(name.clone(), program),
        SecretSource::Provider { name, reference } => {
            KeyOrigin::Provider(name.clone(), reference.clone())
        }
    }
}
