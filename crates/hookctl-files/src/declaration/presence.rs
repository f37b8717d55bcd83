//! Whether a webhook is wanted.

/// Whether a webhook is to exist, and to be managed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Present,
    Absent,
    Released,
}

impl Presence {
    pub(super) const ALL: [Self; 3] = [Self::Present, Self::Absent, Self::Released];

    /// Returns the `state` of a declaration.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Absent => "absent",
            Self::Released => "released",
        }
    }

    pub(super) fn named(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|presence| presence.as_str() == word)
    }
}
