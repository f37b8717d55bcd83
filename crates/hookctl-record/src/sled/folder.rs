//! The folder that the record lives in: for its owner only, and never in Git.

use std::fs::{self, File, FileType};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use super::error::{SledError, io_error};
use hookctl_core::outside::escape;
use hookctl_system::input::open_plain;

/// The subfolder of the database.
pub(super) const DATABASE: &str = "db";

/// The subfolder of a database that is being made.
pub(super) const UNFINISHED: &str = "db.making";

/// The file of a database with the settings that the database was made with.
pub(super) const SETTINGS: &str = "conf";

/// The file beside the database that says which state it has at least.
pub(super) const GENERATION: &str = "generation";

/// The subfolder of the emulator's accounts.
const SANDBOX: &str = "sandbox";

/// What keeps the folder out of Git.
const IGNORE: &str = ".gitignore";

/// The file that is locked.
pub(super) const LOCK: &str = "lock";

/// How the names begin of folders that hold a record which was set aside.
pub(super) const ASIDE: &str = "damaged";

/// The most bytes of all files of the database: a hundred times what 10,000 webhooks with a full history take. It is
/// read as a whole, and a file with holes is longer than the disk.
pub(super) const LARGEST: u64 = 1024 * 1024 * 1024;

/// The deepest that folders of the database lie in each other.
const DEPTH: usize = 4;

/// What is at a path, links not followed, or `None` if nothing is. A path that cannot be looked at is an error, never
/// an absence: a record that counts as missing would be begun anew, and what it protects forgotten.
pub(super) fn kind(path: &Path) -> Result<Option<FileType>, SledError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata.file_type())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("look at", path)(error)),
    }
}

/// Checks that a record is in the folder, or may be made there: it is missing, empty, or holds what a record holds. Only
/// names are looked at, so that a damaged record is still one.
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
    let mut is_ours_alone = true;
    for name in names(directory)? {
        let path = directory.join(&name);
        // A record that was set aside tells as well what the folder is for.
        let is_aside = name.starts_with(ASIDE) && kind(&path)?.is_some_and(|kind| kind.is_dir());
        if is_aside && is_record(&path)? {
            return Ok(());
        }
        is_ours_alone &= is_ours(&name);
    }
    if is_ours_alone {
        return Ok(());
    }
    Err(SledError::NoPlace {
        directory: directory.to_owned(),
        why: "it is neither empty nor a record",
    })
}

/// Whether a folder holds what nothing but a record holds.
fn is_record(directory: &Path) -> Result<bool, SledError> {
    if kind(&directory.join(GENERATION))?.is_some() {
        return Ok(true);
    }
    let database = directory.join(DATABASE);
    // What a link leads to is not looked at; that there is one is an error of its own.
    if !kind(&database)?.is_some_and(|kind| kind.is_dir()) {
        return Ok(false);
    }
    let names = names(&database)?;
    Ok(names.iter().any(|name| is_of_database(name)))
}

/// Whether a name is one that a record has, or that says nothing of what a folder is for.
fn is_ours(name: &str) -> bool {
    let known = [
        DATABASE,
        UNFINISHED,
        GENERATION,
        SANDBOX,
        IGNORE,
        LOCK,
        "lost+found",
    ];
    known.contains(&name) || name.starts_with(ASIDE)
}

/// Whether sled names a file so.
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

/// Makes the folder, if need be, for its owner only, and what keeps it out of Git. The rights of a folder that is there
/// are its owner's business.
pub(super) fn prepare(directory: &Path) -> Result<(), SledError> {
    check_place(directory)?;
    if let Some(above) = directory.parent().filter(|above| *above != Path::new("")) {
        fs::create_dir_all(above).map_err(io_error("make the folder", above))?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(directory) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => made.map_err(io_error("make the folder", directory))?,
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

/// Takes every right from others, file by file: the folder may be moved somewhere more open. Only what hookctl made is
/// touched.
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

/// Takes every right from others, of the file that is opened.
fn close(path: &Path) -> Result<(), SledError> {
    match open_plain(path, File::options().read(true)) {
        Ok(file) => set_mode(&file, 0o600, path),
        // The database tidies up after itself while it is open.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("open", path)(error)),
    }
}

/// Removes what a killed process left half-made: a database without its name, and, in one that has it, a
/// snapshot without its name, which sled would take for damage (it can be made again from the log).
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

/// Makes everything durable that was written to a file, or a folder's list of names.
pub(super) fn sync(path: &Path) -> Result<(), SledError> {
    fs::File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(io_error("make durable", path))
}

/// Checks that nothing of the record is a link, a FIFO, or a device, or a file that has a second name: opening one could
/// wait for ever, or reach what is not the record's.
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

/// Checks what is in a folder, and returns how long its files are together, in bytes.
fn check_all(directory: &Path, folder: &Path, depth: usize) -> Result<u64, SledError> {
    let mut length = 0_u64;
    let entries = match fs::read_dir(folder) {
        // What is no folder is found when the database is opened.
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

/// Checks what is at a path, and returns how long a file is, in bytes.
fn check_entry(directory: &Path, path: &Path, name: &str) -> Result<u64, SledError> {
    let damaged = |what: &str| SledError::Damaged {
        directory: directory.to_owned(),
        what: format!("'{}' {what}", escape(name)),
    };
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(0),
        Ok(found) if !found.is_file() => Err(damaged("is not a regular file")),
        // Written through one name, it would change under the other.
        Ok(found) if has_second_name(&found) => {
            Err(damaged("is a hard link: it has a second name"))
        }
        Ok(found) => Ok(found.len()),
        // The database tidies up after itself while it is open.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(io_error("look at", path)(error)),
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

/// Opens a file of the record for writing, and makes it: never through a link, and never one with a second name.
pub(super) fn open_own(path: &Path, options: &mut fs::OpenOptions) -> Result<File, SledError> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    let file = open_plain(path, options).map_err(io_error("open", path))?;
    let found = file.metadata().map_err(io_error("look at", path))?;
    if has_second_name(&found) {
        let error = io::Error::new(
            ErrorKind::InvalidInput,
            "it is a hard link: it has a second name",
        );
        return Err(io_error("open", path)(error));
    }
    Ok(file)
}

/// Copies the database and its generation somewhere temporary. No link is followed.
pub(super) fn copy(directory: &Path) -> Result<tempfile::TempDir, SledError> {
    let copy = tempfile::tempdir().map_err(io_error("make a temporary folder for", directory))?;
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
    fs::create_dir(to).map_err(io_error("make the folder", to))?;
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
            // The database tidies up after itself while it is open.
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

    let metadata = file.metadata().map_err(io_error("look at", path))?;
    let us = rustix::process::geteuid().as_raw();
    // In a container a volume may belong to another user, who alone sets its rights.
    if metadata.uid() != us || metadata.permissions().mode() & 0o777 == mode {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
        .map_err(io_error("set the rights of", path))
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
