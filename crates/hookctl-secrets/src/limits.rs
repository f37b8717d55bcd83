//! The limits of a secret.

/// The most that is read from a secret's file or program, in bytes. The longest token has 2,000 characters of at most
/// four bytes; more must be the wrong file.
pub const MAX_SECRET_BYTES: u64 = 64 * 1024;
