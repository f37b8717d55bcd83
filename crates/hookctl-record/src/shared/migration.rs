//! Moving a record to another place. What is copied, and where to, is the caller's business.

use hookctl_core::record::Remembered;

use super::error::SharedError;
use super::lease::Release;
use super::session::SharedSession;

/// The lease of a record that is moved to another place: no other process writes it meanwhile. If this is dropped, the
/// record remains in use, and the lease ends by itself.
pub struct Migration {
    session: SharedSession,
}

impl Migration {
    pub(super) const fn new(session: SharedSession) -> Self {
        Self { session }
    }

    /// Returns what the record remembers.
    pub fn remembered(&self) -> Remembered {
        self.session.remembered()
    }

    /// Releases the lease, and marks the record as moved: from then on, every use of it is refused with this address.
    ///
    /// # Errors
    /// [`SharedError::Fenced`] if another process took over, so that the record may have changed since; the record is not
    /// marked. [`SharedError::Store`] if it is unknown whether the record is marked.
    pub async fn finish(self, to: &str) -> Result<(), SharedError> {
        let with = Release {
            moved_to: Some(to.to_owned()),
            ..Release::default()
        };
        self.session.release_with(with).await
    }

    /// Releases the lease. The record remains in use.
    pub async fn cancel(self) {
        self.session.release().await;
    }
}

impl std::fmt::Debug for Migration {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Migration").finish_non_exhaustive()
    }
}
