//! Everything else that a plan depends on.

use std::collections::BTreeSet;

use globset::{Glob, GlobMatcher, GlobSet, GlobSetBuilder};

use crate::webhook::Key;

/// Everything that a plan depends on beside the three states.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Whether orphans are deleted.
    pub prune: Prune,
    /// Which keys are planned.
    pub only: KeyFilter,
    /// What to do with a token whose value cannot be compared.
    pub unverified_secrets: UnverifiedSecrets,
}

/// Whether bound webhooks that no file declares any more are deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prune {
    /// They are deleted.
    Yes,
    /// They are reported.
    #[default]
    No,
}

/// What to do with a token that is there and whose value cannot be compared with ours: no record, or
/// one made with another key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnverifiedSecrets {
    /// Write it once more, so that it is known from then on.
    #[default]
    Assert,
    /// Leave it.
    Keep,
}

/// Which keys are planned: by default all. The others still take part in telling identities apart.
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    /// None means all.
    only: Option<GlobSet>,
    /// Each pattern as it was written, to say which of them matches nothing.
    patterns: Vec<(String, GlobMatcher)>,
    except: BTreeSet<Key>,
}

impl KeyFilter {
    /// The same filter, that leaves these keys out as well.
    #[must_use]
    pub fn except(mut self, keys: impl IntoIterator<Item = Key>) -> Self {
        self.except.extend(keys);
        self
    }

    /// A filter of shell-like patterns (`billing-*`, `{a,b}`, `?`); none means all.
    ///
    /// # Errors
    /// [`globset::Error`] if one of them is not a pattern.
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

    /// Returns the patterns that match none of these keys: an empty selection is a mistake, not a wish to do
    /// nothing.
    pub fn unmatched<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) -> Vec<&str> {
        let mut unmatched: Vec<_> = self.patterns.iter().collect();
        for key in keys {
            unmatched.retain(|(_, glob)| !glob.is_match(key.as_str()));
        }
        let patterns = unmatched.into_iter();
        patterns.map(|(pattern, _)| pattern.as_str()).collect()
    }

    /// Whether a key is planned.
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
    fn patterns_that_match_nothing_are_told() {
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
