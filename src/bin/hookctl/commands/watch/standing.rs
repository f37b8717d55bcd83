//! What stays as it is from pass to pass, such as an orphan. It is logged when it begins and when it ends, not at every
//! pass.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The findings of the last pass.
#[derive(Debug)]
pub(super) struct Standing<K, V>(Mutex<BTreeMap<K, V>>);

/// The difference between two passes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference<K, V> {
    /// The findings that are new, or that are other than before.
    pub(super) begun: Vec<(K, V)>,
    /// The findings that no longer hold.
    pub(super) ended: Vec<(K, V)>,
}

impl<K, V> Default for Standing<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone, V: PartialEq + Clone> Standing<K, V> {
    /// Replaces the findings, and returns the difference.
    pub(super) fn replace(&self, found: impl IntoIterator<Item = (K, V)>) -> Difference<K, V> {
        let found: BTreeMap<K, V> = found.into_iter().collect();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = found
            .iter()
            .filter(|(key, value)| known.get(key) != Some(value));
        let begun = begun
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let ended = known.iter().filter(|(key, _)| !found.contains_key(key));
        let ended = ended
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        *known = found;
        Difference { begun, ended }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_differences_are_reported() {
        let standing = Standing::default();
        let reported = standing.replace([("a", 1), ("b", 1)]);
        assert_eq!(reported.begun, [("a", 1), ("b", 1)]);
        assert!(reported.ended.is_empty());
        let reported = standing.replace([("b", 1), ("a", 2)]);
        assert_eq!((reported.begun, reported.ended), (vec![("a", 2)], vec![]));
        let reported = standing.replace([("a", 2)]);
        assert_eq!((reported.begun, reported.ended), (vec![], vec![("b", 1)]));
        let reported = standing.replace([("b", 1)]);
        assert_eq!(
            (reported.begun, reported.ended),
            (vec![("b", 1)], vec![("a", 2)])
        );
    }
}
