//! All that a configuration asks for, and what consent to it turns it into.

use std::collections::BTreeSet;

use super::digest::Encoder;
use super::{Digest, Grant};
use crate::{Permits, Program};
use hookctl_core::api_url::ApiBaseUrl;
use hookctl_core::secret::SecretSource;

/// What a configuration asks for.
#[derive(Clone, Debug, Default)]
pub struct Authority {
    pub(super) grants: Vec<Grant>,
    pub(super) access: Option<Access>,
    /// Each program that was found, with the grant to run it.
    pub(super) programs: Vec<(SecretSource, Program, Digest)>,
    /// Those that were not.
    pub(super) missing: Vec<SecretSource>,
    /// Without any program.
    pub(super) permits: Permits,
}

/// Where the API is, and where the keys for it come from. A [`Consent`] alone gives one away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    pub(super) url: ApiBaseUrl,
    pub(super) api_key: SecretSource,
    pub(super) fingerprint_key: Option<SecretSource>,
}

/// Consent to all that was asked for.
#[derive(Clone, Debug)]
pub struct Consent {
    access: Option<Access>,
    permits: Permits,
}

impl Access {
    /// The base address of the API.
    pub const fn url(&self) -> &ApiBaseUrl {
        &self.url
    }

    /// Where the API key comes from.
    pub const fn api_key(&self) -> &SecretSource {
        &self.api_key
    }

    /// Where the key of fingerprints comes from, if not from the API key.
    pub const fn fingerprint_key(&self) -> Option<&SecretSource> {
        self.fingerprint_key.as_ref()
    }
}

impl Consent {
    /// The API that there is consent to. `None` if none was asked for.
    pub const fn access(&self) -> Option<&Access> {
        self.access.as_ref()
    }

    /// The programs that there is consent to.
    pub const fn permits(&self) -> &Permits {
        &self.permits
    }
}

impl Authority {
    /// What is asked for, each once, in the order in which it was met.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The digest over all grants, whatever their order.
    pub fn digest(&self) -> Digest {
        let digests: BTreeSet<Digest> = self.grants.iter().map(Grant::digest).collect();
        let mut encoder = Encoder::new("hookctl trust: an authority, version 1");
        encoder.number(digests.len());
        for digest in digests {
            encoder.bytes(digest.as_bytes());
        }
        encoder.finish()
    }

    /// Returns the consent, if each grant has it.
    ///
    /// # Errors
    /// The grants that have none.
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

    /// Returns consent to everything: the caller has grounds of its own to trust the files, such as a person's
    /// answer, or that it wrote them itself.
    pub fn trusted_by_caller(&self) -> Consent {
        Consent {
            access: self.access.clone(),
            permits: self.permits(|_| true),
        }
    }

    /// Returns permission to run the programs that have consent, and no other.
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

    /// The programs that were not found. There is nothing to consent to, and nothing runs.
    pub fn missing(&self) -> &[SecretSource] {
        &self.missing
    }
}
