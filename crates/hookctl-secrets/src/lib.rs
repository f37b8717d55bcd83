//! From the source of a secret to its value, and what may be asked for it.
//!
//! The one place that reads secret files and runs programs for secrets. No program runs without a [`Permits`] that
//! covers it, and only consent ([`trust`]) makes one. It knows no declaration: what a file says of a secret is read by
//! the crate `hookctl-files`.

mod key_values;
mod limits;
mod permit;
mod program;
mod provider;
mod resolve;
mod resolve_error;
pub mod trust;

pub use key_values::KeyValues;
pub use limits::MAX_SECRET_BYTES;
pub use permit::Permits;
pub use provider::{DuplicateProvider, ProviderError, ProviderFuture, Providers, SecretProvider};
pub use resolve::Resolver;
pub use resolve_error::ResolveError;

use permit::{MAX_CONTENT_BYTES, Program};
