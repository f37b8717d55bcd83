//! Maintenance of a record: verify it, salvage its readable bindings, and set it aside.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::database::Database;
use super::error::{SledError, io_error};
use super::folder;
use super::folder::{ASIDE, DATABASE, GENERATION};
use super::lock::Lock;
use super::options::SledOptions;
use super::schema::{HISTORY, INTENTS, OBSERVED, RECORDS};
use hookctl_core::record::Account;
use hookctl_core::state::LastApplied;

/// The maximum number of names to try for a folder.
const NAMES: u32 = 1_000;

/// The size of a verified record, over all accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The number of bindings.
    pub records: usize,
    /// The number of pending writes.
    pub pending: usize,
    /// The number of changes in the history.
    pub history: usize,
    /// The number of webhooks in the last observations.
    pub observed: usize,
}

/// Reads and checks every value. Returns `None` if there is no record. Writes nothing to the folder.
///
/// # Errors
/// [`SledError`] for the first invalid value, or if the record cannot be read.
pub fn verify(options: &SledOptions) -> Result<Option<Verified>, SledError> {
    let directory = &options.directory;
    folder::check_place(directory)?;
    // A folder with other files of a record but no database is damaged, not new.
    if !Database::is_in(directory)? && folder::kind(&directory.join(GENERATION))?.is_none() {
        return Ok(None);
    }
    let copy = copied(options)?;
    let database = Database::open(copy.path(), directory)?;
    Ok(Some(Verified {
        records: database.verify(RECORDS)?,
        pending: database.verify(INTENTS)?,
        history: database.verify_lists(HISTORY)?,
        observed: database.verify_lists(OBSERVED)?,
    }))
}

/// Returns the readable bindings of an account in a damaged record. Their values are authentic but possibly outdated:
/// use them only to search for webhooks at the API.
///
/// # Errors
/// [`SledError`] if the folder cannot be copied.
pub fn salvage(options: &SledOptions, account: &Account) -> Result<LastApplied, SledError> {
    folder::check_place(&options.directory)?;
    if !Database::is_in(&options.directory)? {
        return Ok(LastApplied::new());
    }
    let copy = match copied(options) {
        Err(error) if error.is_damage() => return Ok(LastApplied::new()),
        copy => copy?,
    };
    Ok(Database::open_unchecked(copy.path(), &options.directory)
        .map(|database| database.readable_records(account))
        .unwrap_or_default())
}

/// Moves a record into a subfolder, and returns its path; `None` if there is no record. If the name is taken, a
/// number is appended. A name that does not begin with `damaged` gets that prefix, which identifies the folder as a
/// record's.
///
/// # Errors
/// [`SledError`] if the record is in use or cannot be moved.
pub fn set_aside(options: &SledOptions, name: &str) -> Result<Option<PathBuf>, SledError> {
    let directory = &options.directory;
    folder::prepare(directory)?;
    let _lock = Lock::exclusive(options)?;
    let mut parts = Vec::new();
    for part in [DATABASE, GENERATION] {
        let part = directory.join(part);
        // A link is moved itself, not its target.
        if folder::kind(&part)?.is_some() {
            parts.push(part);
        }
    }
    if parts.is_empty() {
        return Ok(None);
    }
    let aside = free_folder(directory, name)?;
    for part in parts {
        let target = aside.join(part.file_name().unwrap_or_default());
        std::fs::rename(&part, &target).map_err(io_error("move", &part))?;
    }
    folder::sync(directory)?;
    Ok(Some(aside))
}

/// Creates a folder under an unused name.
fn free_folder(directory: &Path, name: &str) -> Result<PathBuf, SledError> {
    let name = if name.starts_with(ASIDE) {
        name.to_owned()
    } else {
        format!("{ASIDE}-{name}")
    };
    let mut folder = directory.join(&name);
    for number in 2..=NAMES {
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                folder = directory.join(format!("{name}-{number}"));
            }
            made => {
                return made
                    .map(|()| folder.clone())
                    .map_err(io_error("create the folder", &folder));
            }
        }
    }
    Err(io_error("create the folder", &folder)(
        ErrorKind::AlreadyExists.into(),
    ))
}

fn copied(options: &SledOptions) -> Result<tempfile::TempDir, SledError> {
    let directory = &options.directory;
    let _lock = Lock::shared(options)?;
    folder::check(directory)?;
    folder::copy(directory)
}
