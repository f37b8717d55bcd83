//! Everything that a configuration asks for, and consent to it.

use std::collections::BTreeSet;

use super::digest::Encoder;
use super::{Digest, Grant};
use crate::{Permits, Program};
use hookctl_core::api_url::ApiBaseUrl;
use hookctl_core::secret::SecretSource;

/// Everything that a configuration asks for.
#[derive(Clone, Debug, Default)]
pub struct Authority {
    pub(super) grants: Vec<Grant>,
    pub(super) access: Option<Access>,
    /// The programs that were found, each with its grant.
    pub(super) programs: Vec<(SecretSource, Program, Digest)>,
    /// The sources whose programs were not found.
    pub(super) missing: Vec<SecretSource>,
    /// Permits without any program.
    pub(super) permits: Permits,
}

/// The API's URL, and the sources of the keys for it. Only a [`Consent`] provides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    pub(super) url: ApiBaseUrl,
    pub(super) api_key: SecretSource,
    pub(super) fingerprint_key: Option<SecretSource>,
}

/// Consent to everything that was asked for.
#[derive(Clone, Debug)]
pub struct Consent {
    access: Option<Access>,
    permits: Permits,
}

impl Access {
    /// Returns the base URL of the API.
    pub const fn url(&self) -> &ApiBaseUrl {
        &self.url
    }

    /// Returns the source of the API key.
    pub const fn api_key(&self) -> &SecretSource {
        &self.api_key
    }

    /// Returns the source of the fingerprint key, if it is not the API key.
    pub const fn fingerprint_key(&self) -> Option<&SecretSource> {
        self.fingerprint_key.as_ref()
    }
}

impl Consent {
    /// Returns access to the API, if it was asked for.
    pub const fn access(&self) -> Option<&Access> {
        self.access.as_ref()
    }

    /// Returns the programs that may run.
    pub const fn permits(&self) -> &Permits {
        &self.permits
    }
}

impl Authority {
    /// Returns the grants in the order in which they were found, each once.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// Returns the digest of all grants, independent of their order.
    pub fn digest(&self) -> Digest {
        let digests: BTreeSet<Digest> = self.grants.iter().map(Grant::digest).collect();
        let mut encoder = Encoder::new("hookctl trust: an authority, version 1");
        encoder.number(digests.len());
        for digest in digests {
            encoder.bytes(digest.as_bytes());
        }
        encoder.finish()
    }

    /// Returns consent, if every grant has it.
    ///
    /// # Errors
    /// Returns the grants that have no consent.
    pub fn consent(&self, has: impl Fn(Digest) -> bool) -> Result<Consent, Vec<&Grant>> {
        let lacking: Vec<&Grant> = self
            .grants
            .iter()
            .filter(|grant| !has(grant.digest()))
            .collect();
        if lacking.is_empty() {
            Ok(self.trusted_by_caller())
        } else {
            Err(lacking)
        }
    }

    /// Returns consent to everything. For callers with other grounds to trust the files, such as the user's answer, or
    /// because they wrote the files.
    pub fn trusted_by_caller(&self) -> Consent {
        Consent {
            access: self.access.clone(),
            permits: self.permits(|_| true),
        }
    }

    /// Returns permits for the programs that have consent.
    pub fn permits(&self, has: impl Fn(Digest) -> bool) -> Permits {
        let mut permits = self.permits.clone();
        for (source, program, grant) in &self.programs {
            if has(*grant) {
                permits.allow(source.clone(), program.clone());
            }
        }
        for source in &self.missing {
            permits.missing(source.clone());
        }
        permits
    }

    /// Returns the sources whose programs were not found. They need no consent, since nothing runs.
    pub fn missing(&self) -> &[SecretSource] {
        &self.missing
    }
}
