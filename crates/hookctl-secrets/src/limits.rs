//! How much is read for a secret.

/// The most that is read from the file or program of a secret, in bytes: 2,000 characters of at most four bytes are
/// the longest token there can be; whatever is larger is the wrong file.
pub const MAX_SECRET_BYTES: u64 = 64 * 1024;
