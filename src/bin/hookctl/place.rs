//! Where the record may be: in a folder of its own that files of the repository cannot redirect.

use std::io;
use std::path::{Component, Path, PathBuf};

use hookctl::input::real_path;
use hookctl::outside::Outside;
use hookctl::record::sled::check_place;

use crate::error::CommandError;
use crate::git::Repository;
use crate::hints;
use crate::settings::{NamedBy, Settings};

/// Returns the folder of the record, after checking that it may hold one.
pub(crate) fn of_record(settings: &Settings) -> Result<PathBuf, CommandError> {
    let folder = settings.cache_dir.clone();
    if settings.cache_dir_by == NamedBy::Repository
        && let Some(link) = link_on_the_way(&settings.root, &folder)
    {
        return Err(no_place(format!(
            "{} is a link that leads out of the folder of hookctl.yaml",
            Outside::path(&link)
        )));
    }
    check_place(&folder).map_err(|error| no_place(crate::error::chain(&error)))?;
    if std::fs::symlink_metadata(folder.join(".git")).is_ok() {
        return Err(no_place(format!(
            "{} is a Git repository or a submodule, which came with the files",
            Outside::path(&folder)
        )));
    }
    let around = |folder| Repository::around_part(folder, &settings.root);
    let tracked = match folder.parent().and_then(around) {
        Some(repository) if folder.try_exists().unwrap_or(true) => repository.tracks(&folder),
        _ => Some(false),
    };
    let shown = Outside::path(&folder);
    let refused = |message| Err(CommandError::new("record-tracked", message));
    match tracked {
        Some(false) => Ok(folder),
        Some(true) => refused(format!(
            "Git tracks files of the local record in {shown}; a record that comes with the files is not trusted"
        ))
        .map_err(|error| {
            error
                .hint("remove it from Git with `git rm -r --cached`")
                .hint("name another folder with --cache-dir")
        }),
        None => refused(format!(
            "could not determine whether Git tracks files of the local record in {shown}; a record that comes with the \
             files is not trusted"
        ))
        .map_err(|error| {
            error
                .hint("install Git")
                .hint("name a folder outside the repository with --cache-dir")
        }),
    }
}

/// Checks that a path to write to stays in its repository, or in `around` without one: links on the path come with the
/// files. A path that is outside from the start was named by the user, and is allowed.
pub(crate) fn stays_within(around: &Path, folder: &Path) -> io::Result<()> {
    let around = std::path::absolute(around)?;
    let root = Repository::around(&around).map_or(around, |found| found.root().to_owned());
    let folder = std::path::absolute(folder)?;
    let Ok(below) = folder.strip_prefix(&root) else {
        return Ok(());
    };
    let leaves = |_| io::Error::other("a link in the path leads out of the repository");
    let root = real_path(&root)?;
    // The path so far, with links resolved, since `..` depends on it.
    let mut path = root.clone();
    let mut is_linked = false;
    let mut is_there = true;
    for part in below.components() {
        match part {
            Component::ParentDir if !is_there => {
                return Err(io::Error::other("'..' follows a missing folder"));
            }
            // No link was followed, so the user named the parent folder.
            Component::ParentDir if path == root && !is_linked => return Ok(()),
            Component::ParentDir => {
                path.pop();
            }
            _ => path.push(part),
        }
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => {
                is_linked = true;
                path = real_path(&path).map_err(leaves)?;
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => is_there = false,
            Err(error) => return Err(error),
        }
        if !path.starts_with(&root) {
            return Err(leaves(io::ErrorKind::Other.into()));
        }
    }
    Ok(())
}

fn no_place(message: String) -> CommandError {
    CommandError::new("record-place", message).hint(hints::RECORD_FOLDER)
}

/// Returns the first link between a folder and a path below it, without the last component.
fn link_on_the_way(root: &Path, folder: &Path) -> Option<PathBuf> {
    let below = folder.strip_prefix(root).ok()?;
    let mut path = root.to_owned();
    let mut parts = below.components().peekable();
    while let Some(part) = parts.next() {
        if let Component::Normal(name) = part {
            path.push(name);
        }
        if parts.peek().is_some() && path.is_symlink() {
            return Some(path);
        }
    }
    None
}
