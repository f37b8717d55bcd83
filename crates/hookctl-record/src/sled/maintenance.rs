//! Looking after a record: is it whole, what can be saved of it, and putting it aside.

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

/// The most names that are tried for a folder.
const NAMES: u32 = 1_000;

/// How much a whole record holds, over all accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Bindings, with what was last applied.
    pub records: usize,
    /// Writes whose outcome is not known.
    pub pending: usize,
    /// Applied changes.
    pub history: usize,
    /// Webhooks that were last observed.
    pub observed: usize,
}

/// Reads every value and checks it; none if there is no record. Nothing is written to the folder.
///
/// # Errors
/// [`SledError`] for the first value that fails its check, or what keeps the record from being read.
pub fn verify(options: &SledOptions) -> Result<Option<Verified>, SledError> {
    let directory = &options.directory;
    folder::check_place(directory)?;
    // A folder that had a record and has lost its database is damaged, not new.
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

/// What can still be read of an account in a damaged record. Each of these values was written by us, but
/// not necessarily last: it says what to look for at the API, and nothing more.
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

/// Moves a record out of the way, into a folder of that name below the record's, or of that name and a number if it
/// is taken; none if there is none. A name that does not begin with `damaged` gets that before it, by which the folder
/// is still known to be a record's.
///
/// # Errors
/// [`SledError`] if somebody uses the record, or it cannot be moved.
pub fn set_aside(options: &SledOptions, name: &str) -> Result<Option<PathBuf>, SledError> {
    let directory = &options.directory;
    folder::prepare(directory)?;
    let _lock = Lock::exclusive(options)?;
    let mut parts = Vec::new();
    for part in [DATABASE, GENERATION] {
        let part = directory.join(part);
        // A link is moved as it is, wherever it leads.
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

/// Makes a folder with a name that is free.
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
                    .map_err(io_error("make the folder", &folder));
            }
        }
    }
    Err(io_error("make the folder", &folder)(
        ErrorKind::AlreadyExists.into(),
    ))
}

fn copied(options: &SledOptions) -> Result<tempfile::TempDir, SledError> {
    let directory = &options.directory;
    let _lock = Lock::shared(options)?;
    folder::check(directory)?;
    folder::copy(directory)
}
