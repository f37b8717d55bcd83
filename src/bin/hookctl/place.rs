//! Where the record may be: in a folder of its own, which no file of the repository can choose at will.

use std::io;
use std::path::{Component, Path, PathBuf};

use hookctl::cache::check_place;
use hookctl::input::real_path;
use hookctl::outside::Outside;

use crate::error::CommandError;
use crate::git::Repository;
use crate::settings::{NamedBy, Settings};

/// Returns the folder of the record, once it was found to be one that a record may be in.
pub(crate) fn of_record(settings: &Settings) -> Result<PathBuf, CommandError> {
    let folder = settings.cache_dir.clone();
    if settings.cache_dir_by == NamedBy::Repository
        && let Some(link) = link_on_the_way(&settings.root, &folder)
    {
        return Err(no_place(format!(
            "{} is a link, and leads out of the folder of hookctl.yaml",
            Outside::path(&link)
        )));
    }
    check_place(&folder).map_err(|error| no_place(crate::error::chain(&error)))?;
    if std::fs::symlink_metadata(folder.join(".git")).is_ok() {
        return Err(no_place(format!(
            "{} is a Git repository, or a submodule: it came with the files",
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
            "Git tracks files of the local record in {shown}: a record that comes with the files is not trusted"
        ))
        .map_err(|error| {
            error.help(
                "take it out of Git with `git rm -r --cached`, or name another folder with --cache-dir",
            )
        }),
        None => refused(format!(
            "whether Git tracks files of the local record in {shown} cannot be told: a record that comes with the files \
             is not trusted"
        ))
        .map_err(|error| {
            error.help("install Git, or name a folder outside of the repository with --cache-dir")
        }),
    }
}

/// Checks that what is written into a folder stays in the repository that it is named in, or in this folder where there
/// is none: a link on the way to it comes with the files. A folder elsewhere is what a person named.
pub(crate) fn stays_within(around: &Path, folder: &Path) -> io::Result<()> {
    let around = std::path::absolute(around)?;
    let root = Repository::around(&around).map_or(around, |found| found.root().to_owned());
    let folder = std::path::absolute(folder)?;
    let Ok(below) = folder.strip_prefix(&root) else {
        return Ok(());
    };
    let leaves = |_| io::Error::other("a link on the way leads out of the repository");
    let root = real_path(&root)?;
    // Where the path is by now, without links: what `..` means depends on it.
    let mut path = root.clone();
    let mut is_linked = false;
    let mut is_there = true;
    for part in below.components() {
        match part {
            Component::ParentDir if !is_there => {
                return Err(io::Error::other("'..' follows a folder that is not there"));
            }
            // No link led there, so a person named it.
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
    CommandError::new("record-place", message)
        .help("name an empty folder, or the folder of a record, with --cache-dir")
}

/// The first link between a folder and one below it, the latter left out.
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
