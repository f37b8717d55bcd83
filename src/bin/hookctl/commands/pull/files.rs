//! The files of a pull: their bytes as they are, and their atomic replacement.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use hookctl::input::read_regular;
use hookctl::outside::Outside;
use hookctl::pull::{PulledFile, reads_as};
use hookctl::yaml::MAX_FILE_BYTES;
use tempfile::NamedTempFile;

use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::git::Repository;
use crate::settings::{NamedBy, Settings};
use crate::signals::begin_writing;

/// Replaces the texts of these files by their contents, with their line ends and byte order marks.
pub(super) fn read_contents(
    texts: &mut [(PathBuf, String)],
    is_needed: impl Fn(&Path) -> bool,
    settings: &Settings,
) -> Result<(), CommandError> {
    for (path, text) in texts.iter_mut().filter(|(path, _)| is_needed(path)) {
        let content =
            read(&settings.root.join(&*path)).map_err(|error| unreadable(path, &error))?;
        if !reads_as(&content, text) {
            return Err(changed(path));
        }
        *text = content;
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<String> {
    let bytes = read_regular(path, MAX_FILE_BYTES as u64)?;
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}

/// A file that is ready to replace another one.
struct Ready<'a> {
    file: &'a PulledFile,
    /// The file to replace, with links resolved.
    real: PathBuf,
    new: NamedTempFile,
}

/// Writes the files. All of them are written next to their places first, so that a failure leaves every file as it was. A
/// link stays a link; the file that it leads to is replaced.
pub(super) fn write(files: &[PulledFile], settings: &Settings) -> Result<(), CommandError> {
    let mut ready = Vec::new();
    for file in files {
        let prepared = prepare(file, settings);
        ready.push(prepared.map_err(|error| unwritable(&file.path, &error))?);
    }
    for one in &ready {
        let now = read(&one.real).map_err(|error| unreadable(&one.file.path, &error))?;
        if now != one.file.before {
            return Err(changed(&one.file.path));
        }
    }
    begin_writing();
    for (written, one) in ready.into_iter().enumerate() {
        if let Err(failed) = one.new.persist(&one.real) {
            let error = unwritable(&one.file.path, &failed.error);
            return Err(match written {
                0 => error,
                _ => error.status(ExitStatus::PartlyFailed),
            });
        }
    }
    Ok(())
}

fn prepare<'a>(file: &'a PulledFile, settings: &Settings) -> io::Result<Ready<'a>> {
    let real = fs::canonicalize(settings.root.join(&file.path))?;
    if !may_write(&real, settings) {
        return Err(io::Error::other(
            "a link in the path leads out of the repository",
        ));
    }
    let metadata = fs::metadata(&real)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    // A rename would succeed in spite of a missing permission.
    fs::OpenOptions::new().write(true).open(&real)?;
    let folder = real.parent().unwrap_or(Path::new("."));
    let mut new = NamedTempFile::new_in(folder)?;
    new.write_all(file.after.as_bytes())?;
    keep_owner(new.as_file(), &metadata);
    new.as_file().set_permissions(metadata.permissions())?;
    new.as_file().sync_all()?;
    Ok(Ready { file, real, new })
}

/// Keeps the owner, if this process may: in a container, it may run as another user.
#[cfg(unix)]
fn keep_owner(file: &fs::File, metadata: &fs::Metadata) {
    use std::os::unix::fs::MetadataExt as _;

    let _ = std::os::unix::fs::fchown(file, Some(metadata.uid()), Some(metadata.gid()));
}

#[cfg(not(unix))]
fn keep_owner(_: &fs::File, _: &fs::Metadata) {}

/// Returns whether a file is in the repository, or in a folder of declarations that the user named.
fn may_write(real: &Path, settings: &Settings) -> bool {
    let repository = Repository::around(&settings.root);
    let root = repository
        .as_ref()
        .map_or(settings.root.as_path(), Repository::root);
    let named = (settings.webhooks_dir_by == NamedBy::Person).then_some(&*settings.webhooks_dir);
    std::iter::once(root)
        .chain(named)
        .filter_map(|folder| fs::canonicalize(folder).ok())
        .any(|folder| real.starts_with(folder))
}

fn changed(path: &Path) -> CommandError {
    CommandError::new(
        "file-changed",
        format!(
            "{} was changed during the pull; nothing was written",
            Outside::path(path)
        ),
    )
    .hint("run it again")
}

fn unreadable(path: &Path, error: &io::Error) -> CommandError {
    CommandError::new(
        "pull",
        format!("could not read {}: {error}", Outside::path(path)),
    )
}

fn unwritable(path: &Path, error: &io::Error) -> CommandError {
    CommandError::new(
        "pull",
        format!("could not write {}: {error}", Outside::path(path)),
    )
}
