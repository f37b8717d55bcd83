//! Secrets: their sources, their values, and their fingerprints.
//!
//! Three types keep them apart. A [`SecretSource`] names the source and may be shown. A [`Secret`] is the value and is
//! never shown. A [`Fingerprint`] is all that plans and the record contain.

mod declared;
mod filter;
mod fingerprint;
mod key_values;
mod keys;
mod permit;
mod program;
mod resolve;
mod source;
mod value;

pub(crate) use declared::normal;
pub use declared::{Expand, PlaintextSecrets, SourceContext, SourcePart, read_source};
pub use filter::{Filter, Followed, HIDDEN, may_be};
pub use fingerprint::{
    Comparison, Fingerprint, FingerprintKey, InvalidHex, KeyId, NoRandomness, Salt, Seal, TooShort,
};
pub use key_values::KeyValues;
pub use keys::KeySources;
pub use permit::Permits;
pub(crate) use permit::{MAX_CONTENT_BYTES, Program};
pub use resolve::{MAX_SECRET_BYTES, ResolveError, resolve, resolve_token};
pub use source::SecretSource;
pub use value::{InvalidSecret, Secret};

use std::collections::BTreeMap;

use crate::webhook::Key;

/// The resolved bearer tokens of a run, by key, for the requests that send them.
pub type Secrets = BTreeMap<Key, Secret>;
