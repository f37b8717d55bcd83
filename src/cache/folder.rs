//! The folder that the record lives in: for its owner only, and never in Git.

use std::fs::{self, FileType};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::{CacheError, io_error};
use crate::outside::escape;

/// The subfolder of the database.
pub(super) const DATABASE: &str = "db";

/// The subfolder of a database that is being made.
pub(super) const UNFINISHED: &str = "db.making";

/// The file of a database with the settings that the database was made with.
pub(super) const SETTINGS: &str = "conf";

/// The file beside the database that says which state it has at least.
pub(super) const GENERATION: &str = "generation";

/// What a path leads to, or `None` if nothing is there. A path that cannot be looked at is an error, never an absence:
/// a record that counts as missing would be begun anew, and what it protects forgotten.
pub(super) fn kind(path: &Path) -> Result<Option<FileType>, CacheError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.file_type())),
        // A link that leads nowhere is not nothing: what it led to may be an unmounted disk.
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => Ok(None),
        Err(error) => Err(io_error("look at", path)(error)),
    }
}

/// Makes the folder, if need be, and what keeps it out of Git.
pub(super) fn prepare(directory: &Path) -> Result<(), CacheError> {
    fs::create_dir_all(directory).map_err(io_error("make the folder", directory))?;
    set_mode(directory, 0o700)?;
    let ignore = directory.join(".gitignore");
    if kind(&ignore)?.is_none() {
        fs::write(&ignore, "*\n").map_err(io_error("write", &ignore))?;
        set_mode(&ignore, 0o600)?;
    }
    Ok(())
}

/// Takes every right from others, file by file: the folder may be moved somewhere more open.
pub(super) fn close_to_others(directory: &Path) -> Result<(), CacheError> {
    let database = directory.join(DATABASE);
    set_mode(&database, 0o700)?;
    for folder in [directory, &database] {
        let entries = fs::read_dir(folder).map_err(io_error("read", folder))?;
        for entry in entries {
            let entry = entry.map_err(io_error("read", folder))?;
            // What a link leads to is not ours to close.
            if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
                continue;
            }
            let path = entry.path();
            match set_mode(&path, 0o600) {
                // The database tidies up after itself while it is open.
                Err(CacheError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                done => done?,
            }
        }
    }
    Ok(())
}

/// Removes what a killed process left half-made: a database without its name, and, in one that has it, a
/// snapshot without its name, which sled would take for damage (it can be made again from the log).
pub(super) fn clear_unfinished(directory: &Path) -> Result<(), CacheError> {
    let making = directory.join(UNFINISHED);
    match fs::remove_dir_all(&making) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(io_error("remove", &making)(error));
        }
        _ => {}
    }
    let database = directory.join(DATABASE);
    let entries = match fs::read_dir(&database) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(());
        }
        entries => entries.map_err(io_error("read", &database))?,
    };
    for entry in entries {
        let path = entry.map_err(io_error("read", &database))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(&path).map_err(io_error("remove", &path))?;
        }
    }
    Ok(())
}

/// Makes everything durable that was written to a file, or a folder's list of names.
pub(super) fn sync(path: &Path) -> Result<(), CacheError> {
    fs::File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(io_error("make durable", path))
}

/// Checks that nothing of the record is a link, a FIFO, or a device: opening one could wait for ever, or lead
/// elsewhere.
pub(super) fn check(directory: &Path) -> Result<(), CacheError> {
    let database = directory.join(DATABASE);
    check_all(directory, directory, &|name| {
        [DATABASE, GENERATION, UNFINISHED].contains(&name)
    })?;
    check_all(directory, &database, &|_| true)
}

fn check_all(
    directory: &Path,
    folder: &Path,
    is_ours: &dyn Fn(&str) -> bool,
) -> Result<(), CacheError> {
    let entries = match fs::read_dir(folder) {
        // What is no folder is found when the database is opened.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(());
        }
        entries => entries.map_err(io_error("read", folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(io_error("read", folder))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if is_ours(&name) && !is_plain(&entry.path())? {
            return Err(CacheError::Damaged {
                directory: directory.to_owned(),
                what: format!("'{}' is not a regular file", escape(&name)),
            });
        }
    }
    Ok(())
}

/// Checks a file beside the database that may be missing, before it is opened.
pub(super) fn check_file(path: &Path) -> Result<(), CacheError> {
    if is_plain(path)? {
        return Ok(());
    }
    let error = io::Error::new(ErrorKind::InvalidInput, "it is not a regular file");
    Err(io_error("open", path)(error))
}

fn is_plain(path: &Path) -> Result<bool, CacheError> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(found.is_file() || found.is_dir()),
        // The database tidies up after itself while it is open.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(io_error("look at", path)(error)),
    }
}

/// Copies the database and its generation somewhere temporary.
pub(super) fn copy(directory: &Path) -> Result<tempfile::TempDir, CacheError> {
    let copy = tempfile::tempdir().map_err(io_error("make a temporary folder for", directory))?;
    let database = directory.join(DATABASE);
    if kind(&database)?.is_some() {
        copy_folder(&database, &copy.path().join(DATABASE))?;
    }
    let generation = directory.join(GENERATION);
    if kind(&generation)?.is_some() {
        fs::copy(&generation, copy.path().join(GENERATION))
            .map_err(io_error("copy", &generation))?;
    }
    Ok(copy)
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), CacheError> {
    fs::create_dir(to).map_err(io_error("make the folder", to))?;
    for entry in fs::read_dir(from).map_err(io_error("read", from))? {
        let path = entry.map_err(io_error("read", from))?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        if kind(&path)?.is_some_and(|kind| kind.is_dir()) {
            copy_folder(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name)).map_err(io_error("copy", &path))?;
            set_mode(&to.join(name), 0o600)?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> Result<(), CacheError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path).map_err(io_error("look at", path))?;
    if metadata.permissions().mode() & 0o777 != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .map_err(io_error("set the rights of", path))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> Result<(), CacheError> {
    Ok(())
}
