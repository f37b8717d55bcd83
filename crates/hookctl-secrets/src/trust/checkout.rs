//! Where the files are that nobody vouches for.

use std::path::{Path, PathBuf};

/// The folders that come with the repository, by their real paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    root: PathBuf,
    /// Folders of declarations elsewhere.
    further: Vec<PathBuf>,
    record: Option<PathBuf>,
    config: Option<PathBuf>,
    is_open_ended: bool,
}

impl Checkout {
    /// Takes the root of the repository, and further folders that declarations come from. All paths must be real:
    /// absolute, and without links.
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

    /// Returns one of which nobody can tell where it ends, as without Git: files above its folders count as its own,
    /// unless they are the system's.
    #[must_use]
    pub fn open_ended(self) -> Self {
        Self {
            is_open_ended: true,
            ..self
        }
    }

    /// Returns one with a folder that this program writes itself, by its real path.
    #[must_use]
    pub fn with_record(self, folder: PathBuf) -> Self {
        Self {
            record: Some(folder),
            ..self
        }
    }

    /// Returns one with the folder that its configuration is in, by its real path.
    #[must_use]
    pub fn with_config(self, folder: PathBuf) -> Self {
        Self {
            config: Some(folder),
            ..self
        }
    }

    /// The folders that a program may change into of itself, as Git does for an alias: the root, and that of the
    /// configuration.
    pub(super) fn starts(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.root.as_path()).chain(self.config.as_deref())
    }

    pub(super) const fn is_open_ended(&self) -> bool {
        self.is_open_ended
    }

    /// Whether a real path is that of a folder whose content comes with no commit: the record, or Git's own at the
    /// root.
    pub(super) fn makes(&self, path: &Path) -> bool {
        let is_git = || path == self.root.join(".git");
        self.record.as_deref() == Some(path) || (!self.is_open_ended && is_git())
    }

    /// The root of the repository.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All of its folders, the root first.
    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> + Clone {
        let further = self.further.iter().map(PathBuf::as_path);
        std::iter::once(self.root.as_path()).chain(further)
    }

    /// Whether a real path is in one of them.
    pub fn holds(&self, path: &Path) -> bool {
        self.folders().any(|folder| path.starts_with(folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_told_by_whole_names() {
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
