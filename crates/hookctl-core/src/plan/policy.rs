//! The inputs of a plan besides the three states.

use std::collections::BTreeSet;

use globset::{Glob, GlobMatcher, GlobSet, GlobSetBuilder};

use crate::webhook::Key;

/// The inputs of a plan besides the three states.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Whether orphans are deleted.
    pub prune: Prune,
    /// The keys to plan.
    pub only: KeyFilter,
    /// What to do with a token that cannot be compared.
    pub unverified_secrets: UnverifiedSecrets,
    /// Whether webhooks that are held after a rollback are planned like any other.
    pub retry_held: bool,
}

/// Whether bound webhooks that are no longer declared are deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prune {
    /// Delete them.
    Yes,
    /// Report them.
    #[default]
    No,
}

/// What to do with an existing token that cannot be compared, because there is no record, or one made with another key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnverifiedSecrets {
    /// Write it once. It can be compared from then on.
    #[default]
    Assert,
    /// Keep it.
    Keep,
}

/// The keys to plan; by default all. Keys that are not selected still take part in determining identities.
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    /// `None` selects all.
    only: Option<GlobSet>,
    /// The patterns as written, to report those without a match.
    patterns: Vec<(String, GlobMatcher)>,
    except: BTreeSet<Key>,
}

impl KeyFilter {
    /// Excludes keys.
    #[must_use]
    pub fn except(mut self, keys: impl IntoIterator<Item = Key>) -> Self {
        self.except.extend(keys);
        self
    }

    /// Creates a filter from glob patterns (`billing-*`, `{a,b}`, `?`). No patterns select every key.
    ///
    /// # Errors
    /// Returns [`globset::Error`] for an invalid pattern.
    pub fn matching<'a>(
        patterns: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, globset::Error> {
        let mut builder = GlobSetBuilder::new();
        let mut written = Vec::new();
        for pattern in patterns {
            let glob = Glob::new(pattern)?;
            written.push((pattern.to_owned(), glob.compile_matcher()));
            builder.add(glob);
        }
        let set = builder.build()?;
        Ok(Self {
            only: (!set.is_empty()).then_some(set),
            patterns: written,
            except: BTreeSet::new(),
        })
    }

    /// Returns the patterns that match none of the keys. An empty selection is a mistake rather than intended.
    pub fn unmatched<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) -> Vec<&str> {
        let mut unmatched: Vec<_> = self.patterns.iter().collect();
        for key in keys {
            unmatched.retain(|(_, glob)| !glob.is_match(key.as_str()));
        }
        let patterns = unmatched.into_iter();
        patterns.map(|(pattern, _)| pattern.as_str()).collect()
    }

    /// Returns whether a key is selected.
    pub fn selects(&self, key: &Key) -> bool {
        let asked_for = self
            .only
            .as_ref()
            .is_none_or(|set| set.is_match(key.as_str()));
        asked_for && !self.except.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_match_nothing_are_reported() {
        let keys = ["billing-a", "billing-b", "other"].map(|key| Key::parse(key).unwrap());
        let unmatched = |patterns: &[&str]| {
            let filter = KeyFilter::matching(patterns.iter().copied()).unwrap();
            let unmatched = filter.unmatched(&keys);
            unmatched.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(unmatched(&[]), [""; 0]);
        assert_eq!(unmatched(&["billing-*", "o*"]), [""; 0]);
        assert_eq!(unmatched(&["biling-*", "other", "x"]), ["biling-*", "x"]);
    }
}
