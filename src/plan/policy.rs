//! Everything else that a plan depends on.

use globset::{Glob, GlobSet, GlobSetBuilder};

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

/// Which keys are planned. The others still take part in telling identities apart.
#[derive(Clone, Debug, Default)]
pub enum KeyFilter {
    /// All.
    #[default]
    All,
    /// Those that match one of the patterns.
    Matching(GlobSet),
}

impl KeyFilter {
    /// A filter of shell-like patterns (`billing-*`, `{a,b}`, `?`); none means all.
    ///
    /// # Errors
    /// [`globset::Error`] if one of them is not a pattern.
    pub fn matching<'a>(
        patterns: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, globset::Error> {
        let mut builder = GlobSetBuilder::new();
        for pattern in patterns {
            builder.add(Glob::new(pattern)?);
        }
        let set = builder.build()?;
        Ok(if set.is_empty() {
            Self::All
        } else {
            Self::Matching(set)
        })
    }

    /// Whether a key is planned.
    pub fn selects(&self, key: &Key) -> bool {
        match self {
            Self::All => true,
            Self::Matching(set) => set.is_match(key.as_str()),
        }
    }
}
