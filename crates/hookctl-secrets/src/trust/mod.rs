//! Consent: what the files of a repository ask for that only a person, or whoever set up a job, can give.
//!
//! The files are read before anybody looked at them, with the API key beside them. A [`Grant`] is one thing that
//! they ask for: a program to run, a host that the key goes to, another place that it comes from. An
//! [`Authority`] is all that a configuration asks for. It turns into a [`Consent`] only if each grant is
//! consented to, and without one no program runs ([`crate::resolve`]) and no address of the API is known
//! ([`Access`]). What is harmless asks for nothing: see [`is_free`] and [`is_free_variable`].
//!
//! Everything here is pure but [`Disk`], which looks at files. Where consent is stored, and who is asked, is the
//! caller's business. Whoever embeds the library and has other grounds to trust the files says so with
//! [`Authority::trusted_by_caller`].

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
pub use disk::{Content, Disk, Look};
pub use gather::{Wanted, WantedApi, gather};
pub use gather_error::GatherError;
pub use grant::{Grant, KeyOrigin, ProgramRun, Purpose, What, is_free_variable};
pub use hosts::{AllowedHosts, InvalidHosts, is_free};

#[cfg(test)]
mod tests;
