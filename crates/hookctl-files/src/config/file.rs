//! Finds and reads the configuration file: the only part of this module that touches the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Config;
use super::reader;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceMap};
use crate::yaml::{self, MAX_FILE_BYTES};
use hookctl_core::outside::Outside;
use hookctl_system::input::read_regular;

/// The allowed file names. A folder that contains both is an error.
pub const FILE_NAMES: [&str; 2] = ["hookctl.yaml", "hookctl.yml"];

/// Why the search for the configuration failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// It is unknown whether the file exists.
    #[error("could not access {}", Outside::path(path))]
    Access {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A folder contains both files.
    #[error("{} contains both hookctl.yaml and hookctl.yml", Outside::path(folder))]
    Both {
        /// The folder.
        folder: PathBuf,
    },
    /// The file is a link that leads out of the repository, or out of its folder without one.
    #[error(
        "ignored {}: it is a link that leads out of the repository",
        Outside::path(path)
    )]
    Elsewhere {
        /// The link.
        path: PathBuf,
    },
    /// The file is above the start, outside a Git repository of this user, and others may have written it.
    #[error(
        "ignored {}: it is above the working directory, in no Git repository of this user, and {why}",
        Outside::path(path)
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// Why others may have written it.
        why: &'static str,
    },
}

/// Searches a folder and its parents for the configuration file, up to the root of the Git repository. Outside a
/// repository, a file above the start counts only if it belongs to this user or root, and no one else can write it or
/// its folder. A link counts only if it stays in the repository, or in the folder of the file without one. The start
/// should be absolute.
///
/// # Errors
/// Returns [`DiscoverError`] if a folder cannot be searched or contains both files, or if the file is not trusted.
pub fn discover(start: &Path) -> Result<Option<PathBuf>, DiscoverError> {
    let root = git_root(start, start);
    for folder in start.ancestors() {
        if let Some(path) = in_folder(folder)? {
            if folder != start && root.is_none() {
                owner::check(&path)?;
            }
            stays_within(&path, root.unwrap_or(folder))?;
            return Ok(Some(path));
        }
        if Some(folder) == root {
            break;
        }
    }
    Ok(None)
}

/// Returns the root of the Git repository that contains a folder: the nearest folder with a `.git`.
///
/// A `.git` decides how far paths may lead. So a parent folder counts only if it and its `.git` belong to this user, to
/// root, or to the owner of `folder` (as when a container mounts another user's checkout), and not everyone can write
/// them. The folder itself and folders below `named`, which the user chose, need not pass this check. In a shared
/// folder such as `/tmp`, no `.git` counts. The folder should be absolute.
pub fn git_root<'a>(folder: &'a Path, named: &Path) -> Option<&'a Path> {
    folder.ancestors().find(|root| {
        match fs::symlink_metadata(root.join(".git")) {
            Ok(git) => {
                let is_chosen = *root == folder || root.starts_with(named);
                !owner::is_shared(root) && (is_chosen || owner::is_ours(root, &git, folder))
            }
            // An inaccessible one counts: a root further up would let paths leave this repository.
            Err(error) => !is_nothing(&error),
        }
    })
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Checks that a path does not lead out of a folder. A broken link is found when the file is read.
fn stays_within(path: &Path, folder: &Path) -> Result<(), DiscoverError> {
    match (fs::canonicalize(path), fs::canonicalize(folder)) {
        (Ok(real), Ok(folder)) if !real.starts_with(&folder) => Err(DiscoverError::Elsewhere {
            path: path.to_owned(),
        }),
        _ => Ok(()),
    }
}

fn in_folder(folder: &Path) -> Result<Option<PathBuf>, DiscoverError> {
    let mut found = Vec::new();
    for name in FILE_NAMES {
        let path = folder.join(name);
        match fs::symlink_metadata(&path) {
            Ok(_) => found.push(path),
            Err(error) if is_nothing(&error) => {}
            Err(source) => return Err(DiscoverError::Access { path, source }),
        }
    }
    if found.len() > 1 {
        return Err(DiscoverError::Both {
            folder: folder.to_owned(),
        });
    }
    Ok(found.pop())
}

/// File ownership.
#[cfg(unix)]
mod owner {
    use std::fs::{self, Metadata};
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use super::DiscoverError;

    const OTHERS_WRITE: u32 = 0o022;
    const EVERYBODY_WRITES: u32 = 0o002;
    const SHARED: u32 = 0o1002;

    /// Returns whether everyone can create files in a folder, and only their owners can delete them.
    pub(super) fn is_shared(folder: &Path) -> bool {
        fs::metadata(folder).is_ok_and(|found| found.mode() & SHARED == SHARED)
    }

    /// Returns whether this user, root, or the owner of `start` made the `.git` of a folder, and not everyone can write
    /// there. A group may: many systems give each user a group, and a group may share the repository.
    pub(super) fn is_ours(folder: &Path, git: &Metadata, start: &Path) -> bool {
        let owner = fs::metadata(start).map(|found| found.uid()).ok();
        let is_ours = |found: &Metadata| {
            let is_writable = !found.is_symlink() && found.mode() & EVERYBODY_WRITES != 0;
            (is_of_us(found) || owner == Some(found.uid())) && !is_writable
        };
        is_ours(git) && fs::metadata(folder).is_ok_and(|found| is_ours(&found))
    }

    fn is_of_us(found: &Metadata) -> bool {
        [0, rustix::process::geteuid().as_raw()].contains(&found.uid())
    }

    /// Checks that only this user and root can have written the file and the last link to it.
    pub(super) fn check(path: &Path) -> Result<(), DiscoverError> {
        let access = |source| DiscoverError::Access {
            path: path.to_owned(),
            source,
        };
        let real = fs::canonicalize(path).map_err(access)?;
        let mut found = vec![
            fs::symlink_metadata(path).map_err(access)?,
            fs::metadata(&real).map_err(access)?,
        ];
        for folder in [path.parent(), real.parent()].into_iter().flatten() {
            found.push(fs::metadata(folder).map_err(access)?);
        }
        match found.iter().find_map(why_not) {
            Some(why) => Err(DiscoverError::NotOurs {
                path: path.to_owned(),
                why,
            }),
            None => Ok(()),
        }
    }

    fn why_not(found: &Metadata) -> Option<&'static str> {
        if !is_of_us(found) {
            return Some("it or its folder belongs to another user");
        }
        // The permissions of a link have no effect.
        let is_writable = !found.is_symlink() && found.mode() & OTHERS_WRITE != 0;
        is_writable.then_some("other users can write it or its folder")
    }
}

/// File ownership is unknown on this system.
#[cfg(not(unix))]
mod owner {
    use std::fs::Metadata;
    use std::path::Path;

    use super::DiscoverError;

    pub(super) fn is_shared(_: &Path) -> bool {
        false
    }

    pub(super) fn is_ours(_: &Path, _: &Metadata, _: &Path) -> bool {
        true
    }

    pub(super) fn check(_: &Path) -> Result<(), DiscoverError> {
        Ok(())
    }
}

/// Reads the configuration. Paths in it are relative to its folder. Relative paths of secret files may not leave the
/// Git repository, or that folder without one. The configuration is `None` if and only if a diagnostic is an error.
pub fn load(path: &Path) -> (SourceMap, Diagnostics, Option<Config>) {
    match read_regular(path, MAX_FILE_BYTES as u64) {
        Ok(bytes) => {
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            let folder = absolute.parent().unwrap_or(&absolute);
            let root = git_root(folder, folder);
            read_bytes(path, folder, root.unwrap_or(folder), bytes)
        }
        Err(error) => {
            let mut diagnostics = Diagnostics::default();
            diagnostics.push(
                Diagnostic::new(
                    Code::Unreadable,
                    format!("could not read the configuration: {error}"),
                )
                .path(path)
                .help("fix it, or name another file with --config"),
            );
            (SourceMap::default(), diagnostics, None)
        }
    }
}

/// Parses the text of a configuration, displayed under `path` and relative to `folder`. Reads nothing from disk.
pub fn load_text(
    path: &Path,
    folder: &Path,
    text: String,
) -> (SourceMap, Diagnostics, Option<Config>) {
    read_bytes(path, folder, folder, text.into_bytes())
}

fn read_bytes(
    path: &Path,
    folder: &Path,
    root: &Path,
    bytes: Vec<u8>,
) -> (SourceMap, Diagnostics, Option<Config>) {
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    let documents = yaml::read_bytes(path.to_owned(), bytes, &mut sources, &mut diagnostics);
    let config = reader::read(&documents, folder, root, &mut diagnostics);
    let mut diagnostics = config.lints.apply(diagnostics);
    diagnostics.sort(&sources);
    let config = (!diagnostics.has_errors()).then_some(config);
    (sources, diagnostics, config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        assert_eq!(discover(&inner).unwrap(), None);
        let outer = folder.path().join("hookctl.yaml");
        fs::write(&outer, "prune: true").unwrap();
        assert_eq!(discover(&inner).unwrap(), Some(outer.clone()));
        let near = folder.path().join("a/hookctl.yml");
        fs::write(&near, "").unwrap();
        assert_eq!(discover(&inner).unwrap(), Some(near));
        fs::write(folder.path().join("a/hookctl.yaml"), "").unwrap();
        assert!(matches!(discover(&inner), Err(DiscoverError::Both { .. })));

        let (_, diagnostics, config) = load(&outer);
        assert!(diagnostics.is_empty());
        let config = config.unwrap();
        assert!(config.prune);
        assert_eq!(config.webhooks_dir, folder.path().join("webhooks.d"));
    }

    #[test]
    fn nothing_above_the_root_of_the_repository_counts() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::write(folder.path().join("hookctl.yaml"), "").unwrap();
        // A separate work tree, or a submodule, has a `.git` file.
        fs::write(folder.path().join("a/.git"), "gitdir: elsewhere").unwrap();
        assert_eq!(discover(&inner).unwrap(), None);
        let near = folder.path().join("a/hookctl.yaml");
        fs::write(&near, "").unwrap();
        assert_eq!(discover(&inner).unwrap(), Some(near));
    }

    #[cfg(unix)]
    #[test]
    fn without_a_repository_the_file_has_to_be_ours_alone() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        let folder = tempfile::tempdir().unwrap();
        let above = folder.path().join("above");
        let inner = above.join("a/b");
        fs::create_dir_all(&inner).unwrap();
        let file = above.join("hookctl.yaml");
        fs::write(&file, "").unwrap();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(&above, 0o755);
        mode(&file, 0o644);
        let is_refused = || matches!(discover(&inner), Err(DiscoverError::NotOurs { .. }));
        assert!(!is_refused());
        for (path, open, closed) in [
            (&file, 0o664, 0o644),
            (&file, 0o646, 0o644),
            (&above, 0o775, 0o755),
            (&above, 0o1777, 0o755),
        ] {
            mode(path, open);
            assert!(is_refused(), "{open:o}");
            // The working directory itself needs no check.
            assert_eq!(discover(&above).unwrap(), Some(file.clone()));
            mode(path, closed);
        }
        // The target of a link is checked like the file.
        let elsewhere = above.join("elsewhere");
        fs::write(&elsewhere, "").unwrap();
        mode(&elsewhere, 0o666);
        fs::remove_file(&file).unwrap();
        symlink(&elsewhere, &file).unwrap();
        assert!(is_refused());
        mode(&elsewhere, 0o600);
        assert!(!is_refused());
        // In a repository the file's permissions do not matter; a `.git` that anyone can make does not count.
        mode(&elsewhere, 0o666);
        let git = above.join(".git");
        fs::create_dir(&git).unwrap();
        for (path, rights, counts) in [
            (&above, 0o1777, false),
            (&above, 0o777, false),
            (&git, 0o777, false),
            (&git, 0o775, true),
            (&above, 0o775, true),
            (&above, 0o755, true),
        ] {
            mode(&above, 0o755);
            mode(&git, 0o755);
            mode(path, rights);
            assert_eq!(is_refused(), !counts, "{rights:o}");
            assert_eq!(git_root(&inner, &inner).is_some(), counts, "{rights:o}");
            // A user who works in its root, or names it, has chosen it.
            assert_eq!(discover(&above).unwrap(), Some(file.clone()));
            let is_named = rights != 0o1777;
            assert_eq!(git_root(&inner, &above).is_some(), is_named);
            assert_eq!(git_root(&above, &above).is_some(), is_named);
        }
        // Only root can create another user's file.
        if std::os::unix::fs::chown(&git, Some(12_345), None).is_ok() {
            assert!(is_refused());
            assert_eq!(git_root(&inner, &inner), None);
            assert_eq!(git_root(&inner, &above), Some(above.as_path()));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_in_the_repository() {
        use std::os::unix::fs::symlink;

        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("repository");
        let inner = repository.join("inner");
        fs::create_dir_all(&inner).unwrap();
        fs::write(folder.path().join("outside.yaml"), "").unwrap();
        fs::write(repository.join("common.yaml"), "").unwrap();
        let file = inner.join("hookctl.yaml");
        let is_refused = |target: &str| {
            let _ = fs::remove_file(&file);
            symlink(target, &file).unwrap();
            matches!(discover(&inner), Err(DiscoverError::Elsewhere { .. }))
        };
        assert!(is_refused("../../outside.yaml"));
        // Without a repository, paths must stay in the file's own folder.
        assert!(is_refused("../common.yaml"));
        fs::create_dir(repository.join(".git")).unwrap();
        assert!(!is_refused("../common.yaml"));
        assert!(is_refused("../../outside.yaml"));
        // A Kubernetes volume.
        fs::create_dir(inner.join("..2026")).unwrap();
        fs::write(inner.join("..2026/hookctl.yaml"), "").unwrap();
        symlink("..2026", inner.join("..data")).unwrap();
        assert!(!is_refused("..data/hookctl.yaml"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let (_, diagnostics, config) = load(&folder.path().join("none.yaml"));
        assert_eq!(diagnostics.iter().next().unwrap().code, Code::Unreadable);
        assert_eq!(config, None);
    }
}
