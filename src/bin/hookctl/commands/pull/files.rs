//! The files of a pull: their bytes as they are, and their atomic replacement.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use hookctl::input::read_regular;
use hookctl::outside::Outside;
use hookctl::pull::{PulledFile, reads_as};
use hookctl::yaml::MAX_FILE_BYTES;
use tempfile::TempPath;

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
    /// The new file. It is closed, since a process may keep only so many files open.
    new: TempPath,
}

/// A failure, and how many of the files were replaced before it.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: CommandError,
    pub(super) replaced: usize,
}

impl From<CommandError> for Failed {
    fn from(error: CommandError) -> Self {
        Self { error, replaced: 0 }
    }
}

/// How the names of new files begin until they replace others.
const PREFIX: &str = ".hookctl-pull-";

/// How many random letters and digits follow.
const RANDOM: usize = 12;

/// How many replaced files an error names.
const NAMED: usize = 10;

/// Removes what a killed pull left next to the declarations: copies of them. What cannot be removed stays.
pub(super) fn remove_leftovers(texts: &[(PathBuf, String)], settings: &Settings) {
    let real = texts
        .iter()
        .filter_map(|(path, _)| fs::canonicalize(settings.root.join(path)).ok())
        .filter(|real| may_write(real, settings));
    let folders: BTreeSet<PathBuf> = real
        .filter_map(|real| real.parent().map(Path::to_path_buf))
        .collect();
    let entries = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .flatten();
    for entry in entries {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && is_leftover(&entry.file_name().to_string_lossy()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_leftover(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|random| {
        random.len() == RANDOM && random.chars().all(|one| one.is_ascii_alphanumeric())
    })
}

/// Writes the files. All of them are written next to their places first, so that a failure leaves every file as it was. A
/// link stays a link; the file that it leads to is replaced.
pub(super) fn write(files: &[PulledFile], settings: &Settings) -> Result<(), Failed> {
    let mut ready = Vec::new();
    for file in files {
        let prepared = prepare(file, settings);
        ready.push(prepared.map_err(|error| unwritable(&file.path, &error))?);
    }
    for one in &ready {
        let now = read(&one.real).map_err(|error| unreadable(&one.file.path, &error))?;
        if now != one.file.before {
            return Err(changed(&one.file.path).into());
        }
    }
    begin_writing();
    replace(ready)
}

/// Replaces the files, until one fails.
fn replace(ready: Vec<Ready<'_>>) -> Result<(), Failed> {
    let mut replaced = Vec::new();
    for one in ready {
        let path = &one.file.path;
        if let Err(failed) = one.new.persist(&one.real) {
            let error = unwritable(path, &failed.error);
            return Err(Failed {
                error: partly(error, &replaced),
                replaced: replaced.len(),
            });
        }
        replaced.push(path.as_path());
    }
    Ok(())
}

/// Adds to an error which files were replaced before it.
fn partly(error: CommandError, replaced: &[&Path]) -> CommandError {
    if replaced.is_empty() {
        return error;
    }
    let mut names: Vec<String> = replaced
        .iter()
        .take(NAMED)
        .map(|path| Outside::path(path).to_string())
        .collect();
    if replaced.len() > NAMED {
        names.push(format!("{} more", replaced.len() - NAMED));
    }
    let message = format!("{}; already written: {}", error.message, names.join(", "));
    CommandError { message, ..error }
        .status(ExitStatus::PartlyFailed)
        .hint("run it again for the other files")
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
    let mut new = tempfile::Builder::new()
        .prefix(PREFIX)
        .rand_bytes(RANDOM)
        .tempfile_in(folder)?;
    new.write_all(file.after.as_bytes())?;
    keep_owner(new.as_file(), &metadata);
    new.as_file().set_permissions(metadata.permissions())?;
    new.as_file().sync_all()?;
    let new = new.into_temp_path();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> PulledFile {
        PulledFile {
            path: PathBuf::from(name),
            before: "before".to_owned(),
            after: "after".to_owned(),
            written: Vec::new(),
        }
    }

    #[test]
    fn a_failure_between_replacements_names_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let files = [file("a.yaml"), file("b.yaml"), file("c.yaml")];
        fs::write(folder.path().join("a.yaml"), "before").unwrap();
        // No file replaces a folder.
        fs::create_dir(folder.path().join("b.yaml")).unwrap();
        fs::write(folder.path().join("c.yaml"), "before").unwrap();
        let ready = files.iter().map(|file| {
            let mut new = tempfile::NamedTempFile::new_in(folder.path()).unwrap();
            new.write_all(file.after.as_bytes()).unwrap();
            Ready {
                file,
                real: folder.path().join(&file.path),
                new: new.into_temp_path(),
            }
        });
        let failed = replace(ready.collect()).unwrap_err();
        assert_eq!(failed.replaced, 1);
        let error = failed.error;
        assert!(error.message.starts_with("could not write b.yaml: "));
        assert!(error.message.ends_with("; already written: a.yaml"));
        assert_eq!(error.status, ExitStatus::PartlyFailed);
        let content = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(content("a.yaml"), "after");
        assert_eq!(content("c.yaml"), "before");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn an_error_names_only_some_of_many_files() {
        let paths: Vec<PathBuf> = (0..12)
            .map(|n| PathBuf::from(format!("{n}.yaml")))
            .collect();
        let replaced: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        let error = partly(CommandError::new("pull", "no"), &replaced);
        assert!(
            error.message.ends_with(", 9.yaml, 2 more"),
            "{}",
            error.message
        );
    }

    #[test]
    fn only_names_of_a_pull_are_leftovers() {
        assert!(is_leftover(".hookctl-pull-aB3dE6gH9jKl"));
        for other in [
            ".hookctl-pull-notes",
            ".hookctl-pull-aB3dE6gH.yam",
            "a.yaml",
            ".tmpAbCdEf",
        ] {
            assert!(!is_leftover(other), "{other}");
        }
    }
}
