//! Where the record may be: in a folder of its own, which no file of the repository can choose at will.

use std::path::{Component, Path, PathBuf};

use hookctl::cache::check_place;
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
    if let Some(repository) = folder.parent().and_then(Repository::around)
        && folder.try_exists().unwrap_or(true)
        && repository.tracks(&folder)
    {
        return Err(CommandError::new(
            "record-tracked",
            format!(
                "Git tracks files of the local record in {}: a record that comes with the files is not trusted",
                Outside::path(&folder)
            ),
        )
        .help("take it out of Git with `git rm -r --cached`, or name another folder with --cache-dir"));
    }
    Ok(folder)
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
