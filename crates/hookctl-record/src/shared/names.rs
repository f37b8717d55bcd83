//! The names of the objects of a record.

use super::digest::Digest;

/// The object that names the holder of the lease and the end of the log. Swapped, never deleted.
pub(super) const HEAD: &str = "head";
/// The folder of the log.
pub(super) const LOG: &str = "log/";

/// The folder of the checkpoints.
pub(super) const BASE: &str = "base/";

/// Returns the name of the object that names the leader of the watches of a scope, which may have any form.
pub(super) fn lead(scope: &str) -> String {
    if scope.is_empty() {
        "watch".to_owned()
    } else {
        format!("watch-{}", Digest::of(scope.as_bytes()))
    }
}

/// Returns the name of a log entry. Names sort by sequence.
pub(super) fn log(sequence: u64) -> String {
    format!("{LOG}{sequence:020}")
}

/// Returns the sequence of a log entry's name.
pub(super) fn sequence(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(LOG)?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

/// Returns the name of a checkpoint. Names sort by sequence.
pub(super) fn base(sequence: u64, digest: Digest) -> String {
    format!("{BASE}{sequence:020}-{digest}")
}

/// Returns the sequence and the digest of a checkpoint's name.
pub(super) fn checkpoint(name: &str) -> Option<(u64, Digest)> {
    let (digits, digest) = name.strip_prefix(BASE)?.split_once('-')?;
    let found = (digits.parse().ok()?, digest.parse().ok()?);
    (name == base(found.0, found.1)).then_some(found)
}

/// Returns the name of the object on which the conditions of writes are tried.
pub(super) fn probe(nonce: &str) -> String {
    format!("probe/{nonce}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_checkpoints_sort_by_sequence_and_read_back() {
        let digest = Digest::of(b"x");
        assert!(base(9, digest) < base(10, digest));
        assert_eq!(checkpoint(&base(10, digest)), Some((10, digest)));
        for name in ["base/1-x", "base/", "log/00000000000000000001", "base/+1-0"] {
            assert_eq!(checkpoint(name), None, "{name}");
        }
    }

    #[test]
    fn names_of_the_log_sort_by_sequence_and_read_back() {
        assert!(log(9) < log(10));
        assert_eq!(sequence(&log(u64::MAX)), Some(u64::MAX));
        for name in [
            "log/1",
            "log/",
            "base/00000000000000000001-x",
            "log/0000000000000000000x",
        ] {
            assert_eq!(sequence(name), None, "{name}");
        }
    }
}
