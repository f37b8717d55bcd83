//! The folder that the record lives in: for its owner only, and never in Git.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::{CacheError, io_error};

/// The subfolder of the database.
pub(super) const DATABASE: &str = "db";

/// The file beside the database that says which state it has at least.
pub(super) const GENERATION: &str = "generation";

/// Makes the folder, if need be, and what keeps it out of Git.
pub(super) fn prepare(directory: &Path) -> Result<(), CacheError> {
    fs::create_dir_all(directory).map_err(io_error("make the folder", directory))?;
    set_mode(directory, 0o700)?;
    let ignore = directory.join(".gitignore");
    if !ignore.exists() {
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
            let path = entry.map_err(io_error("read", folder))?.path();
            if !path.is_file() {
                continue;
            }
            match set_mode(&path, 0o600) {
                // The database tidies up after itself while it is open.
                Err(CacheError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                done => done?,
            }
        }
    }
    Ok(())
}

/// Removes what a killed process left half-made and sled would take for damage: a snapshot that was not
/// yet given its name (it can be made again from the log), and the settings of a database without a log.
pub(super) fn clear_unfinished(directory: &Path) -> Result<(), CacheError> {
    let database = directory.join(DATABASE);
    if !database.is_dir() {
        return Ok(());
    }
    let log_exists = database.join("db").is_file();
    let entries = fs::read_dir(&database).map_err(io_error("read", &database))?;
    for entry in entries {
        let path = entry.map_err(io_error("read", &database))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let unnamed_snapshot = name.starts_with("snap.") && name.ends_with(".generating");
        if unnamed_snapshot || (name == "conf" && !log_exists) {
            fs::remove_file(&path).map_err(io_error("remove", &path))?;
        }
    }
    Ok(())
}

/// Checks that nothing of the record is a link, a FIFO, or a device: opening one could wait for ever, or lead
/// elsewhere.
pub(super) fn check(directory: &Path) -> Result<(), CacheError> {
    const OURS: [&str; 4] = ["lock", GENERATION, DATABASE, ".gitignore"];
    let database = directory.join(DATABASE);
    for folder in [directory, &database] {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(io_error("read", folder)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(io_error("read", folder))?;
            let name = entry.file_name();
            if folder == directory && !OURS.iter().any(|ours| name == *ours) {
                continue;
            }
            let is_allowed = match entry.file_type() {
                Ok(kind) => kind.is_file() || kind.is_dir(),
                // The database tidies up after itself while it is open.
                Err(error) if error.kind() == ErrorKind::NotFound => true,
                Err(error) => return Err(io_error("look at", &entry.path())(error)),
            };
            if !is_allowed {
                let error = io::Error::new(ErrorKind::InvalidInput, "it is not a regular file");
                return Err(io_error("open", &entry.path())(error));
            }
        }
    }
    Ok(())
}

/// Copies the database and its generation somewhere temporary.
pub(super) fn copy(directory: &Path) -> Result<tempfile::TempDir, CacheError> {
    let copy = tempfile::tempdir().map_err(io_error("make a temporary folder for", directory))?;
    let database = directory.join(DATABASE);
    if database.exists() {
        copy_folder(&database, &copy.path().join(DATABASE))?;
    }
    let generation = directory.join(GENERATION);
    if generation.exists() {
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
        if path.is_dir() {
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
