//! The folders of untrusted files.

use std::path::{Path, PathBuf};

/// The folders that come with the repository, by their real paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    root: PathBuf,
    /// Folders of declarations outside the root.
    further: Vec<PathBuf>,
    record: Option<PathBuf>,
    config: Option<PathBuf>,
    is_open_ended: bool,
}

impl Checkout {
    /// Creates a checkout from the root of the repository and further folders of declarations. All paths must be real:
    /// absolute and without links.
    pub fn new(root: PathBuf, further: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut further: Vec<PathBuf> = further
            .into_iter()
            .filter(|folder| !folder.starts_with(&root))
            .collect();
        further.sort();
        further.dedup();
        Self {
            root,
            further,
            record: None,
            config: None,
            is_open_ended: false,
        }
    }

    /// Marks the checkout's extent as unknown, as without Git. Then files above its folders count as part of it, unless
    /// they belong to the system.
    #[must_use]
    pub fn open_ended(self) -> Self {
        Self {
            is_open_ended: true,
            ..self
        }
    }

    /// Adds the folder of the record, which hookctl writes itself, by its real path.
    #[must_use]
    pub fn with_record(self, folder: PathBuf) -> Self {
        Self {
            record: Some(folder),
            ..self
        }
    }

    /// Adds the folder of the configuration, by its real path.
    #[must_use]
    pub fn with_config(self, folder: PathBuf) -> Self {
        Self {
            config: Some(folder),
            ..self
        }
    }

    /// Returns the folders that a program may change into by itself, as Git does for an alias: the root, and the folder
    /// of the configuration.
    pub(super) fn starts(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.root.as_path()).chain(self.config.as_deref())
    }

    pub(super) const fn is_open_ended(&self) -> bool {
        self.is_open_ended
    }

    /// Returns whether a real path is a folder whose content does not come with a commit: the record, or the root's
    /// `.git`.
    pub(super) fn makes(&self, path: &Path) -> bool {
        let is_git = || path == self.root.join(".git");
        self.record.as_deref() == Some(path) || (!self.is_open_ended && is_git())
    }

    /// Returns the root of the repository.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Iterates over all folders, the root first.
    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> + Clone {
        let further = self.further.iter().map(PathBuf::as_path);
        std::iter::once(self.root.as_path()).chain(further)
    }

    /// Returns whether a real path is in one of the folders.
    pub fn holds(&self, path: &Path) -> bool {
        self.folders().any(|folder| path.starts_with(folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_recognized_by_whole_names() {
        let checkout = Checkout::new("/repo".into(), ["/repo/hooks".into(), "/other".into()]);
        assert_eq!(checkout.folders().count(), 2);
        for inside in ["/repo", "/repo/bin/x", "/other/x"] {
            assert!(checkout.holds(Path::new(inside)), "{inside}");
        }
        for outside in ["/", "/repository", "/usr/bin/x"] {
            assert!(!checkout.holds(Path::new(outside)), "{outside}");
        }
    }
}
