//! Resolves paths in bounded time. The system follows forty links of 4,096 bytes each, which takes about fifty
//! milliseconds, and a repository may contain thousands of such paths.

use std::io;
use std::path::{Path, PathBuf};

/// The most links in one path. A Kubernetes volume has two, a package manager five.
pub const MAX_LINKS: usize = 16;
/// The longest link, in bytes.
pub const MAX_LINK_BYTES: usize = 1_024;
/// The most path components in the links of one path together.
pub const MAX_LINK_NAMES: usize = 128;

/// Why a path was not followed, although the system might.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooFar {
    /// It has more than [`MAX_LINKS`] links.
    #[error("the path leads through more than 16 links")]
    Links,
    /// It has a link longer than [`MAX_LINK_BYTES`].
    #[error("the path leads through a link of more than 1,024 bytes")]
    Bytes,
    /// Its links have more than [`MAX_LINK_NAMES`] components.
    #[error("the links of the path have more than 128 components together")]
    Names,
    /// The budget of all paths together is spent.
    #[error("the paths have too many links together")]
    Spent,
}

impl TooFar {
    /// Returns the `TooFar` inside an error.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

/// Returns the absolute path without links and `..`, like [`std::fs::canonicalize`].
///
/// # Errors
/// Returns the error of the system, or [`TooFar`].
pub fn real_path(path: &Path) -> io::Result<PathBuf> {
    let mut left = MAX_LINK_NAMES;
    real_path_within(path, &mut left)
}

/// Returns the real path, like [`real_path`]. Deducts the components of links from the budget `left`, which several
/// paths share.
///
/// # Errors
/// Returns the error of the system, or [`TooFar`].
#[cfg(unix)]
pub fn real_path_within(path: &Path, left: &mut usize) -> io::Result<PathBuf> {
    use std::collections::VecDeque;
    use std::ffi::OsString;
    use std::path::Component;

    fn parts(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
        path.components().map(|part| part.as_os_str().to_owned())
    }

    let path = std::path::absolute(path)?;
    let mut ahead: VecDeque<OsString> = parts(&path).collect();
    let mut real = PathBuf::new();
    let mut is_folder = true;
    let (mut links, mut names) = (0, 0);
    while let Some(part) = ahead.pop_front() {
        if !is_folder {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let name = match Path::new(&part).components().next() {
            Some(Component::Normal(name)) => name,
            Some(Component::ParentDir) => {
                real.pop();
                continue;
            }
            Some(Component::RootDir) => {
                real = PathBuf::from("/");
                continue;
            }
            Some(Component::CurDir | Component::Prefix(_)) | None => continue,
        };
        real.push(name);
        let found = std::fs::symlink_metadata(&real)?;
        if !found.is_symlink() {
            is_folder = found.is_dir();
            continue;
        }
        let target = std::fs::read_link(&real)?;
        real.pop();
        links += 1;
        if links > MAX_LINKS {
            return Err(io::Error::other(TooFar::Links));
        }
        if target.as_os_str().len() > MAX_LINK_BYTES {
            return Err(io::Error::other(TooFar::Bytes));
        }
        let before = ahead.len();
        for part in parts(&target).rev() {
            ahead.push_front(part);
        }
        let more = ahead.len() - before;
        names += more;
        if names > MAX_LINK_NAMES {
            return Err(io::Error::other(TooFar::Names));
        }
        *left = left
            .checked_sub(more)
            .ok_or_else(|| io::Error::other(TooFar::Spent))?;
    }
    // This path has the case of names on the disk.
    #[cfg(target_vendor = "apple")]
    let real = std::fs::canonicalize(real)?;
    Ok(real)
}

/// Returns the real path, like [`real_path`]. On this system, files of a repository cannot create links.
///
/// # Errors
/// Returns the error of the system.
#[cfg(not(unix))]
pub fn real_path_within(path: &Path, _: &mut usize) -> io::Result<PathBuf> {
    std::fs::canonicalize(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn too_far(path: &Path) -> Option<TooFar> {
        TooFar::of(&real_path(path).err()?)
    }

    #[test]
    fn a_path_leads_where_the_system_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("a/b")).unwrap();
        fs::create_dir(path("..2026")).unwrap();
        fs::write(path("..2026/file"), "").unwrap();
        for (target, name) in [
            ("..2026", "..data"),
            ("..data/file", "file"),
            ("../..", "a/b/up"),
            ("/", "root"),
            (path("a").to_str().unwrap(), "whole"),
            ("nowhere", "dangling"),
            ("loop", "loop"),
        ] {
            symlink(target, path(name)).unwrap();
        }
        for name in [
            "",
            "file",
            "a/b/up/file",
            "a/b/up/../x",
            "a/./b/../b",
            "a/b/up/a/b/up/..data/file",
            "whole/b",
            "whole/../file",
            "root",
            "root/../..",
            "dangling",
            "none",
            "file/x",
            "file/..",
            "..data/file/../file",
            "loop",
        ] {
            let (found, expected) = (real_path(&path(name)), fs::canonicalize(path(name)));
            assert_eq!(found.as_ref().ok(), expected.as_ref().ok(), "{name}");
        }
        let error = real_path(&path("none/x")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(real_path(Path::new("")).is_err());
        let here = std::env::current_dir().unwrap();
        let here = fs::canonicalize(here).unwrap();
        assert_eq!(real_path(Path::new("src/..")).unwrap(), here);
    }

    #[test]
    fn a_path_leads_through_so_many_links_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("a")).unwrap();
        for number in 1..=16 {
            symlink(format!("l{}", number - 1), path(&format!("l{number}"))).unwrap();
        }
        symlink("a", path("l0")).unwrap();
        let real = fs::canonicalize(path("a")).unwrap();
        assert_eq!(real_path(&path("l15")).unwrap(), real);
        assert_eq!(too_far(&path("l16")), Some(TooFar::Links));

        symlink(format!("{}a", "./".repeat(511)), path("long")).unwrap();
        assert_eq!(real_path(&path("long")).unwrap(), real);
        symlink(format!("{}a", "./".repeat(512)), path("longer")).unwrap();
        assert_eq!(too_far(&path("longer")), Some(TooFar::Bytes));

        symlink(format!("{}a", "a/../".repeat(63)), path("winding")).unwrap();
        assert_eq!(real_path(&path("winding")).unwrap(), real);
        symlink(format!("{}a", "a/../".repeat(64)), path("more")).unwrap();
        assert_eq!(too_far(&path("more")), Some(TooFar::Names));

        let mut left = 200;
        let mut follow = || real_path_within(&path("winding"), &mut left);
        assert!(follow().is_ok());
        let error = follow().unwrap_err();
        assert_eq!(TooFar::of(&error), Some(TooFar::Spent));
    }
}
