//! Hints that files may have changed, from the operating system. A missing hint costs time, never a
//! change: whoever waits for them looks now and then anyway.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use notify::event::EventKind;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// Why there are no hints.
#[derive(Debug, thiserror::Error)]
pub enum HintsError {
    /// The system has no more watches to give.
    #[error("the system is out of file watches; the files are polled every half second")]
    OutOfWatches,
    /// The system has no more watchers to give.
    #[error("the system is out of file watchers; the files are polled every half second")]
    OutOfWatchers,
    /// Anything else.
    #[error("the system reports no file events; the files are polled every half second")]
    Unavailable(#[source] notify::Error),
}

impl HintsError {
    fn of(error: notify::Error) -> Self {
        /// The system's number for "too many open files", which is what inotify says of instances.
        const EMFILE: i32 = 24;
        match &error.kind {
            notify::ErrorKind::MaxFilesWatch => Self::OutOfWatches,
            notify::ErrorKind::Io(cause) if cause.raw_os_error() == Some(EMFILE) => {
                Self::OutOfWatchers
            }
            _ => Self::Unavailable(error),
        }
    }
}

/// A stream of hints.
#[derive(Default)]
pub struct Hints {
    changed: Arc<Notify>,
    /// Kept while it is to report.
    watcher: Option<RecommendedWatcher>,
    /// Whether something happened after which the watcher may not see everything: a watched folder was
    /// removed or renamed, or the system dropped reports.
    lost: Arc<AtomicBool>,
    /// What the watcher was set up for: the folders, and what each of them was then.
    watched: BTreeSet<(PathBuf, Option<Identity>)>,
}

impl Hints {
    /// Watches a folder with all that is in it, its parent (to see it made or swapped), and the folders of
    /// further files. Does nothing if that is what is watched already.
    ///
    /// Only folders are watched: a watch on a file ends when an editor renames another one over it.
    ///
    /// # Errors
    /// [`HintsError`] if the system does not report changes; then nothing is watched.
    pub fn watch(&mut self, root: &Path, files: &[PathBuf]) -> Result<(), HintsError> {
        let mut folders: BTreeSet<(PathBuf, Option<Identity>)> = files
            .iter()
            .filter_map(|file| file.parent())
            .chain(root.parent())
            .map(|folder| (folder.to_owned(), identity(folder)))
            .collect();
        folders.insert((root.to_owned(), identity(root)));
        let lost = self.lost.swap(false, Ordering::SeqCst);
        if self.watcher.is_some() && folders == self.watched && !lost {
            return Ok(());
        }
        self.watcher = None;
        let changed = Arc::clone(&self.changed);
        let lost = Arc::clone(&self.lost);
        let roots: BTreeSet<PathBuf> = folders.iter().map(|(folder, _)| folder.clone()).collect();
        let mut watcher = notify::recommended_watcher(move |event: Reported| {
            match &event {
                // Reading the files is an access, and would wake the reader up again.
                Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
                Ok(event) => {
                    let gone = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(_))
                        && event.paths.iter().any(|path| roots.contains(path));
                    lost.fetch_or(gone || event.need_rescan(), Ordering::SeqCst);
                }
                Err(_) => lost.store(true, Ordering::SeqCst),
            }
            changed.notify_one();
        })
        .map_err(HintsError::of)?;
        for (folder, there) in &folders {
            if there.is_none() {
                continue;
            }
            let mode = if folder == root {
                RecursiveMode::Recursive
            } else {
                RecursiveMode::NonRecursive
            };
            match watcher.watch(folder, mode) {
                Ok(()) => {}
                // It went away meanwhile; its parent reports when it comes back.
                Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => {}
                Err(error) => return Err(HintsError::of(error)),
            }
        }
        self.watcher = Some(watcher);
        self.watched = folders;
        Ok(())
    }

    /// Waits for a hint. Hints that came while nobody waited count as one.
    pub async fn next(&self) {
        self.changed.notified().await;
    }
}

/// What the system reports.
type Reported = notify::Result<notify::Event>;

/// What tells a folder from another one of the same name. The number of a deleted one may be given to the
/// next, so the time at which it was made counts, where the file system knows it.
type Identity = (u64, u64, Option<SystemTime>);

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino(), metadata.created().ok()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<Identity> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((0, 0, metadata.created().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_watches_is_told_apart() {
        let out = HintsError::of(notify::Error::new(notify::ErrorKind::MaxFilesWatch));
        assert!(matches!(out, HintsError::OutOfWatches), "{out}");
        let too_many = std::io::Error::from_raw_os_error(24);
        let out = HintsError::of(notify::Error::io(too_many));
        assert!(matches!(out, HintsError::OutOfWatchers), "{out}");
        let other = HintsError::of(notify::Error::generic("no idea"));
        assert!(matches!(other, HintsError::Unavailable(_)));
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_yet_is_seen_when_it_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("webhooks.d");
        let mut hints = Hints::default();
        hints.watch(&root, &[]).unwrap();
        std::fs::create_dir(&root).unwrap();
        hints.next().await;
        hints.watch(&root, &[]).unwrap();
        std::fs::write(root.join("a.yaml"), "x").unwrap();
        hints.next().await;
    }
}
