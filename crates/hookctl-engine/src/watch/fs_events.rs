//! File events from the operating system. A missed event delays a change until the next rescan; it never loses one.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use notify::event::EventKind;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// Why file events are unavailable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FsEventsError {
    /// The system's limit of watches is reached.
    #[error("the system is out of file watches; the files are polled every half second")]
    OutOfWatches,
    /// The system's limit of watchers is reached.
    #[error("the system is out of file watchers; the files are polled every half second")]
    OutOfWatchers,
    /// Any other failure.
    #[error("the system reports no file events; the files are polled every half second")]
    Unavailable(#[source] notify::Error),
}

impl FsEventsError {
    fn of(error: notify::Error) -> Self {
        /// "Too many open files", which inotify reports when its limit of instances is reached.
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

/// A stream of file events.
#[derive(Default)]
pub struct FsEvents {
    changed: Arc<Notify>,
    /// Reports events until it is dropped.
    watcher: Option<RecommendedWatcher>,
    /// Whether events may be missed from now on: a watched folder was removed or renamed, or the system dropped
    /// events.
    lost: Arc<AtomicBool>,
    /// The watched folders, each with its identity when the watch was set up.
    watched: BTreeSet<(PathBuf, Option<Identity>)>,
}

impl fmt::Debug for FsEvents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FsEvents")
            .field("watched", &self.watched)
            .finish_non_exhaustive()
    }
}

impl FsEvents {
    /// Watches a folder recursively, its parent (to notice that it is created or replaced), and the folders of
    /// further files. Does nothing if they are watched already.
    ///
    /// Watches only folders: a watch on a file ends when an editor renames another file over it.
    ///
    /// # Errors
    /// [`FsEventsError`] if the system does not report events. Nothing is watched then.
    pub fn watch(&mut self, root: &Path, files: &[PathBuf]) -> Result<(), FsEventsError> {
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
                // Reading the files is an access, and would trigger another scan.
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
        .map_err(FsEventsError::of)?;
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
                // The folder was removed meanwhile; its parent reports when it comes back.
                Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => {}
                Err(error) => return Err(FsEventsError::of(error)),
            }
        }
        self.watcher = Some(watcher);
        self.watched = folders;
        Ok(())
    }

    /// Waits for an event. Events that arrived since the last call count as one.
    pub async fn next(&self) {
        self.changed.notified().await;
    }
}

/// A report of the system.
type Reported = notify::Result<notify::Event>;

/// Distinguishes a folder from another one of the same name. A file system may reuse the inode number of a deleted
/// folder, so the creation time counts too, where the file system records it.
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
    fn running_out_of_watches_is_distinguished() {
        let out = FsEventsError::of(notify::Error::new(notify::ErrorKind::MaxFilesWatch));
        assert!(matches!(out, FsEventsError::OutOfWatches), "{out}");
        let too_many = std::io::Error::from_raw_os_error(24);
        let out = FsEventsError::of(notify::Error::io(too_many));
        assert!(matches!(out, FsEventsError::OutOfWatchers), "{out}");
        let other = FsEventsError::of(notify::Error::generic("other"));
        assert!(matches!(other, FsEventsError::Unavailable(_)));
    }

    #[tokio::test]
    async fn a_missing_folder_is_noticed_when_it_is_created() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("webhooks.d");
        let mut events = FsEvents::default();
        events.watch(&root, &[]).unwrap();
        std::fs::create_dir(&root).unwrap();
        events.next().await;
        events.watch(&root, &[]).unwrap();
        std::fs::write(root.join("a.yaml"), "x").unwrap();
        events.next().await;
    }
}
