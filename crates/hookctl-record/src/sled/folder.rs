//! The record's folder: accessible to its owner only, and ignored by Git.

use std::fs::{self, File, FileType};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use super::error::{SledError, io_error};
use hookctl_core::outside::escape;
use hookctl_system::input::open_plain;

/// The subfolder of the database.
pub(super) const DATABASE: &str = "db";

/// The subfolder of a database that is being created.
pub(super) const UNFINISHED: &str = "db.making";

/// The file with the settings of a database.
pub(super) const SETTINGS: &str = "conf";

/// The file beside the database with its minimum generation.
pub(super) const GENERATION: &str = "generation";

/// The subfolder of the emulator's accounts.
const SANDBOX: &str = "sandbox";

/// The file that keeps the folder out of Git.
const IGNORE: &str = ".gitignore";

/// The lock file.
pub(super) const LOCK: &str = "lock";

/// The name prefix of folders with a record that was set aside.
pub(super) const ASIDE: &str = "damaged";

/// The name prefix of files that keep what was read of a shared record.
pub(crate) const REPLICA: &str = "shared-";

/// The maximum size of all files of the database together: a hundred times that of 10,000 webhooks with a full
/// history. The database is read as a whole, and a sparse file can be larger than the disk.
pub(super) const LARGEST: u64 = 1024 * 1024 * 1024;

/// The maximum depth of nested folders of the database.
const DEPTH: usize = 4;

/// Returns the type of a file, without following links; `None` if it is missing. An unreadable path is an error, not
/// a missing file: a record that counts as missing would be created anew, and lose what it protects.
pub(super) fn kind(path: &Path) -> Result<Option<FileType>, SledError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata.file_type())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("inspect", path)(error)),
    }
}

/// Checks that a folder contains a record, or may hold one: it is missing, empty, or contains only files of a record.
/// The check looks only at names, so that a damaged record is still recognized.
pub(super) fn check_place(directory: &Path) -> Result<(), SledError> {
    match kind(directory)? {
        None => return Ok(()),
        Some(kind) if kind.is_dir() => {}
        Some(kind) => {
            return Err(SledError::NoPlace {
                directory: directory.to_owned(),
                why: if kind.is_symlink() {
                    "it is a link"
                } else {
                    "it is not a folder"
                },
            });
        }
    }
    if is_record(directory)? {
        return Ok(());
    }
    let mut has_only_own_names = true;
    for name in names(directory)? {
        let path = directory.join(&name);
        // A record that was set aside also identifies the folder.
        let is_aside = name.starts_with(ASIDE) && kind(&path)?.is_some_and(|kind| kind.is_dir());
        if is_aside && is_record(&path)? {
            return Ok(());
        }
        has_only_own_names &= is_own_name(&name);
    }
    if has_only_own_names {
        return Ok(());
    }
    Err(SledError::NoPlace {
        directory: directory.to_owned(),
        why: "it contains other files",
    })
}

/// Returns whether a folder contains a file that only a record has.
fn is_record(directory: &Path) -> Result<bool, SledError> {
    if kind(&directory.join(GENERATION))?.is_some() {
        return Ok(true);
    }
    let database = directory.join(DATABASE);
    // A link is not followed; it is reported as an error of its own.
    if !kind(&database)?.is_some_and(|kind| kind.is_dir()) {
        return Ok(false);
    }
    let names = names(&database)?;
    Ok(names.iter().any(|name| is_of_database(name)))
}

/// Returns whether a name belongs to a record, or says nothing about the folder's purpose.
fn is_own_name(name: &str) -> bool {
    let known = [
        DATABASE,
        UNFINISHED,
        GENERATION,
        SANDBOX,
        IGNORE,
        LOCK,
        "lost+found",
    ];
    known.contains(&name) || name.starts_with(ASIDE) || name.starts_with(REPLICA)
}

/// Returns whether sled uses a file name.
fn is_of_database(name: &str) -> bool {
    ["db", SETTINGS, "blobs"].contains(&name) || name.starts_with("snap.")
}

fn names(folder: &Path) -> Result<Vec<String>, SledError> {
    let entries = fs::read_dir(folder).map_err(io_error("read", folder))?;
    entries
        .map(|entry| {
            let entry = entry.map_err(io_error("read", folder))?;
            Ok(entry.file_name().to_string_lossy().into_owned())
        })
        .collect()
}

/// Creates the folder if it is missing, for its owner only, with the file that keeps it out of Git. The permissions
/// of an existing folder do not change.
pub(crate) fn prepare(directory: &Path) -> Result<(), SledError> {
    check_place(directory)?;
    if let Some(above) = directory.parent().filter(|above| *above != Path::new("")) {
        fs::create_dir_all(above).map_err(io_error("create the folder", above))?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(directory) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => made.map_err(io_error("create the folder", directory))?,
    }
    let ignore = directory.join(IGNORE);
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match open_plain(&ignore, &mut options) {
        Ok(mut file) => file.write_all(b"*\n").map_err(io_error("write", &ignore)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(io_error("write", &ignore)(error)),
    }
}

/// Removes all permissions of group and others, file by file, since the folder may be moved to a less private
/// location. Changes only files that hookctl created.
pub(super) fn close_to_others(directory: &Path) -> Result<(), SledError> {
    let database = directory.join(DATABASE);
    for name in [GENERATION, LOCK, IGNORE] {
        close(&directory.join(name))?;
    }
    for name in names(&database)? {
        let path = database.join(&name);
        if is_of_database(&name) && kind(&path)?.is_some_and(|kind| kind.is_file()) {
            close(&path)?;
        }
    }
    close_folder(&database)
}

/// Removes all permissions of group and others from an open file.
fn close(path: &Path) -> Result<(), SledError> {
    match open_plain(path, File::options().read(true)) {
        Ok(file) => set_mode(&file, 0o600, path),
        // The database removes old files while it is open.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("open", path)(error)),
    }
}

/// Removes the unfinished files of a killed process: a database under its temporary name, and an unnamed snapshot.
/// sled would take the latter for damage; it can be rebuilt from the log.
pub(super) fn clear_unfinished(directory: &Path) -> Result<(), SledError> {
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

/// Makes the writes to a file, or to the entries of a folder, durable.
pub(super) fn sync(path: &Path) -> Result<(), SledError> {
    fs::File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(io_error("sync", path))
}

/// Checks that the record contains no link, FIFO, device, or file with a second name. Opening one could block
/// forever, or reach a file outside the record.
pub(super) fn check(directory: &Path) -> Result<(), SledError> {
    check_place(directory)?;
    let own = [DATABASE, GENERATION, UNFINISHED, LOCK, IGNORE, SANDBOX];
    for name in own {
        check_entry(directory, &directory.join(name), name)?;
    }
    let length = check_all(directory, &directory.join(DATABASE), DEPTH)?;
    if length > LARGEST {
        return Err(SledError::Damaged {
            directory: directory.to_owned(),
            what: "its database is larger than 1 GiB".to_owned(),
        });
    }
    Ok(())
}

/// Checks the files in a folder, and returns their total size in bytes.
fn check_all(directory: &Path, folder: &Path, depth: usize) -> Result<u64, SledError> {
    let mut length = 0_u64;
    let entries = match fs::read_dir(folder) {
        // Opening the database reports a file in place of the folder.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(length);
        }
        entries => entries.map_err(io_error("read", folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(io_error("read", folder))?;
        let name = entry.file_name();
        let path = entry.path();
        let own = check_entry(directory, &path, &name.to_string_lossy())?;
        length = length.saturating_add(own);
        if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            length = length.saturating_add(check_all(directory, &path, depth - 1)?);
        }
    }
    Ok(length)
}

/// Checks a file, and returns its size in bytes.
fn check_entry(directory: &Path, path: &Path, name: &str) -> Result<u64, SledError> {
    let damaged = |what: &str| SledError::Damaged {
        directory: directory.to_owned(),
        what: format!("'{}' {what}", escape(name)),
    };
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(0),
        Ok(found) if !found.is_file() => Err(damaged("is not a regular file")),
        // A write through one name would change the file under the other.
        Ok(found) if has_second_name(&found) => Err(damaged("has a second name (hard link)")),
        Ok(found) => Ok(found.len()),
        // The database removes old files while it is open.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(io_error("inspect", path)(error)),
    }
}

#[cfg(unix)]
fn has_second_name(found: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(found) > 1
}

#[cfg(not(unix))]
fn has_second_name(_: &fs::Metadata) -> bool {
    false
}

/// Opens a file of the record for writing, and creates it if it is missing. Never follows a link, and refuses a file
/// with a second name.
pub(super) fn open_own(path: &Path, options: &mut fs::OpenOptions) -> Result<File, SledError> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    let file = open_plain(path, options).map_err(io_error("open", path))?;
    let found = file.metadata().map_err(io_error("inspect", path))?;
    if has_second_name(&found) {
        let error = io::Error::new(
            ErrorKind::InvalidInput,
            "the file has a second name (hard link)",
        );
        return Err(io_error("open", path)(error));
    }
    Ok(file)
}

/// Copies the database and its generation to a temporary folder, without following links.
pub(super) fn copy(directory: &Path) -> Result<tempfile::TempDir, SledError> {
    let copy = tempfile::tempdir().map_err(io_error("create a temporary folder for", directory))?;
    let database = directory.join(DATABASE);
    if kind(&database)?.is_some() {
        copy_folder(&database, &copy.path().join(DATABASE), DEPTH)?;
    }
    let generation = directory.join(GENERATION);
    if kind(&generation)?.is_some() {
        copy_file(&generation, &copy.path().join(GENERATION))?;
    }
    Ok(copy)
}

fn copy_folder(from: &Path, to: &Path, depth: usize) -> Result<(), SledError> {
    fs::create_dir(to).map_err(io_error("create the folder", to))?;
    for entry in fs::read_dir(from).map_err(io_error("read", from))? {
        let path = entry.map_err(io_error("read", from))?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        match kind(&path)? {
            Some(kind) if kind.is_dir() && depth > 0 => {
                copy_folder(&path, &to.join(name), depth - 1)?;
            }
            Some(_) => copy_file(&path, &to.join(name))?,
            // The database removes old files while it is open.
            None => {}
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<(), SledError> {
    let mut source =
        open_plain(from, File::options().read(true)).map_err(io_error("copy", from))?;
    let mut options = File::options();
    options.write(true).create_new(true);
    let mut target = open_own(to, &mut options)?;
    io::copy(&mut source, &mut target).map_err(io_error("copy", from))?;
    Ok(())
}

#[cfg(unix)]
fn set_mode(file: &File, mode: u32, path: &Path) -> Result<(), SledError> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let metadata = file.metadata().map_err(io_error("inspect", path))?;
    let us = rustix::process::geteuid().as_raw();
    // In a container, a volume may belong to another user, and only that user may change its permissions.
    if metadata.uid() != us || metadata.permissions().mode() & 0o777 == mode {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
        .map_err(io_error("set the permissions of", path))
}

#[cfg(not(unix))]
fn set_mode(_: &File, _: u32, _: &Path) -> Result<(), SledError> {
    Ok(())
}

#[cfg(unix)]
fn close_folder(path: &Path) -> Result<(), SledError> {
    use rustix::fs::{CWD, Mode, OFlags, openat};

    let kind = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = openat(CWD, path, kind, Mode::empty())
        .map_err(|error| io_error("open", path)(error.into()))?;
    set_mode(&File::from(folder), 0o700, path)
}

#[cfg(not(unix))]
fn close_folder(_: &Path) -> Result<(), SledError> {
    Ok(())
}
