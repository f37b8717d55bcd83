//! File events from the operating system. A missed event delays a change until the next rescan; it never loses one.

use std::collections::BTreeSet;
use std::ffi::OsString;
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
    /// Watches a folder recursively, its parent (to notice that it is created or replaced), the folders of further files,
    /// and the folders of the links that lead to all of these. Does nothing if they are watched already.
    ///
    /// Watches only folders: a watch on a file ends when an editor renames another file over it.
    ///
    /// # Errors
    /// [`FsEventsError`] if the system does not report events. Nothing is watched then.
    pub fn watch(&mut self, root: &Path, files: &[PathBuf]) -> Result<(), FsEventsError> {
        let parents = files.iter().filter_map(|file| file.parent());
        let mut paths: BTreeSet<PathBuf> = parents.map(Path::to_owned).collect();
        paths.extend(root.parent().map(Path::to_owned));
        paths.insert(root.to_owned());
        let of_links = paths.iter().flat_map(|path| folders_of_links(path));
        let folders: BTreeSet<(PathBuf, Option<Identity>)> = of_links
            .chain(paths.iter().cloned())
            .map(|path| {
                let identity = identity(&path);
                (path, identity)
            })
            .collect();
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
                // The folder of a link may not be readable; the next rescan notices another link.
                Err(_) if !paths.contains(folder) => {}
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

/// The most links of one path, as systems limit them.
const MOST_LINKS: usize = 40;

/// Returns the folders that contain the links of a path. If a link is replaced, as by a tool that checks out each commit
/// into a folder of its own, none of the folders behind it changes.
fn folders_of_links(path: &Path) -> Vec<PathBuf> {
    let parts = |path: &Path| -> Vec<OsString> {
        let parts = path.components().rev();
        parts.map(|part| part.as_os_str().to_owned()).collect()
    };
    let mut folders = Vec::new();
    let mut walked = PathBuf::new();
    let mut ahead = parts(path);
    while let Some(part) = ahead.pop() {
        if part == ".." {
            walked.pop();
            continue;
        }
        if part == "." {
            continue;
        }
        let next = walked.join(&part);
        match std::fs::read_link(&next) {
            Ok(target) if folders.len() < MOST_LINKS => {
                ahead.extend(parts(&target));
                folders.push(walked.clone());
            }
            _ => walked = next,
        }
    }
    folders
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

    #[cfg(unix)]
    #[test]
    fn the_folders_of_links_are_found_also_behind_links() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let at = |path: &str| root.join(path);
        std::fs::create_dir_all(at("git/trees/a/webhooks.d")).unwrap();
        std::fs::create_dir(at("config")).unwrap();
        symlink("trees/a", at("git/current")).unwrap();
        symlink("../git/./current", at("config/files")).unwrap();
        let found = folders_of_links(&at("config/files/webhooks.d"));
        assert_eq!(found, [at("config"), at("git")]);
        symlink(at("git"), at("absolute")).unwrap();
        let found = folders_of_links(&at("absolute/current"));
        assert_eq!(found, [root.clone(), at("git")]);
        assert!(folders_of_links(&at("git/trees/a")).is_empty());
        assert!(folders_of_links(&at("missing/folder")).is_empty());
        symlink("loop", at("loop")).unwrap();
        assert_eq!(folders_of_links(&at("loop/x")).len(), MOST_LINKS);
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
