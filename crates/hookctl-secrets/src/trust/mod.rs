//! Consent: what the files of a repository ask for, and only the user or the owner of a CI job can grant.
//!
//! Files are read before anyone has reviewed them, next to the API key. A [`Grant`] is a single thing that they ask
//! for: a program to run, a host that receives the key, another source of the key. An [`Authority`] is everything that
//! a configuration asks for. It becomes a [`Consent`] only if each grant has consent. Without one, no program runs
//! ([`Resolver`](crate::Resolver)) and the URL of the API is unavailable ([`Access`]). Harmless requests need no consent:
//! see [`is_free`] and [`is_free_variable`].
//!
//! Everything here is pure except [`Disk`]. The caller stores consent and asks for it. An embedder with other grounds
//! to trust the files uses [`Authority::trusted_by_caller`].

mod authority;
mod checkout;
mod choice;
mod contents;
mod digest;
mod disk;
mod gather;
mod gather_error;
mod grant;
mod hosts;
mod named;
mod search;

pub use authority::{Access, Authority, Consent};
pub use checkout::Checkout;
pub use choice::{Choice, InvalidChoice};
pub use digest::{Digest, InvalidDigest};
pub use disk::{Content, Disk, FileSystem};
pub use gather::{ApiNeeds, Needs, RecordNeeds, gather};
pub use gather_error::GatherError;
pub use grant::{Grant, KeyOrigin, ProgramRun, Purpose, What, is_free_variable};
pub use hosts::{AllowedHosts, InvalidHosts, is_free};

#[cfg(test)]
mod tests;
