//! Secrets that cannot be shown: where one comes from, what it is, and the trace that is kept of it.
//!
//! Three types, so that no function can take the wrong one. A [`SecretSource`] says where, and may be
//! shown. A [`Secret`] is the value, and cannot be. A [`Fingerprint`] is all that the plan and the
//! cache ever hold.

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

/// The resolved bearer tokens of one run, by key: for the requests that carry them.
pub type Secrets = BTreeMap<Key, Secret>;
