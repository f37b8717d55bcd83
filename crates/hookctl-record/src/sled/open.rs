//! Opening and closing sled, which panics on some damaged files and on a disk that refuses, and lets go of its lock a
//! little late.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

use super::error::SledError;
use super::guard::{NoAnswer, PATIENCE, guarded};

/// How much sled may keep in memory, in bytes.
const MEMORY: u64 = 16 * 1024 * 1024;

/// How long to wait for the last threads of an earlier opening.
const LINGERING: Duration = Duration::from_secs(5);

/// Opens sled. Our own lock is held, so whoever still has sled's is a thread of an earlier opening in
/// this process that has not quite ended.
pub(super) fn open_guarded(path: &Path, shown: &Path) -> Result<sled::Db, SledError> {
    let begun = Instant::now();
    loop {
        match open_once(path, shown) {
            Err(SledError::Database {
                source: sled::Error::Io(source),
                ..
            }) if is_lock(&source) && begun.elapsed() < LINGERING => {
                std::thread::sleep(Duration::from_millis(2));
            }
            opened => return opened,
        }
    }
}

/// Opens sled in a thread of its own, since it panics on some damaged files.
fn open_once(path: &Path, shown: &Path) -> Result<sled::Db, SledError> {
    let config = sled::Config::new()
        .path(path)
        .flush_every_ms(None)
        .cache_capacity(MEMORY);
    let lacking = |source| SledError::Database {
        attempt: "open",
        directory: shown.to_owned(),
        source: sled::Error::Io(source),
    };
    match guarded(PATIENCE, move || config.open()) {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(source)) => Err(database_error("open", shown, source)),
        Err(NoAnswer::Panicked(words)) if !is_of_the_machine(&words) => Err(SledError::Damaged {
            directory: shown.to_owned(),
            what: "its log cannot be replayed".to_owned(),
        }),
        Err(gone) => Err(lacking(gone.into())),
    }
}

/// Whether a panic is about what this machine lacks, such as threads, memory, or a disk that reads, and not about
/// what the files hold. sled unwraps the errors of the system, so that its words hold their kind.
fn is_of_the_machine(words: &str) -> bool {
    let kinds = [
        "WouldBlock",
        "OutOfMemory",
        "StorageFull",
        "PermissionDenied",
    ];
    let input_or_output = "code: 5,";
    words.contains(input_or_output)
        || kinds
            .iter()
            .any(|kind| words.contains(&format!("kind: {kind}")))
}

/// The handle of a database that is dropped last, after every tree.
///
/// sled syncs its log then, and panics if the disk refuses. What was promised to be durable has been synced before,
/// and whoever closes a record syncs it and hears of an error; so the panic says nothing new.
pub(super) struct LastHandle(Option<sled::Db>);

impl LastHandle {
    pub(super) fn of(database: &sled::Db) -> Self {
        Self(Some(database.clone()))
    }
}

impl Drop for LastHandle {
    fn drop(&mut self) {
        let database = self.0.take();
        let _ = guarded(PATIENCE, move || drop(database));
    }
}

pub(super) fn database_error(
    attempt: &'static str,
    directory: &Path,
    source: sled::Error,
) -> SledError {
    let what = match &source {
        sled::Error::Corruption { .. } => "a part of its log is not what was written",
        // The settings are always the same, and written by us.
        sled::Error::Unsupported(_) => "its settings are not what was written",
        sled::Error::ReportableBug(_) | sled::Error::CollectionNotFound(_) => {
            "a part of it is not what was written"
        }
        sled::Error::Io(error) if is_of_content(error) => "a file of it is not what was written",
        sled::Error::Io(_) => {
            return SledError::Database {
                attempt,
                directory: directory.to_owned(),
                source,
            };
        }
    };
    SledError::Damaged {
        directory: directory.to_owned(),
        what: what.to_owned(),
    }
}

/// Whether an error is about what a file holds, or what kind of file it is, and not about the disk, rights, or
/// a lock.
fn is_of_content(error: &io::Error) -> bool {
    match error.kind() {
        ErrorKind::IsADirectory | ErrorKind::NotADirectory => true,
        _ => error.raw_os_error().is_none() && !is_lock(error),
    }
}

/// Whether sled found its own lock held; it tells that by its words only.
fn is_lock(error: &io::Error) -> bool {
    error.to_string().contains("could not acquire lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_lacks_is_no_damage() {
        let panic = |error: io::Error| format!("called `Result::unwrap()` on an `Err`: {error:?}");
        for (code, lacks) in [(5, true), (11, true), (12, true), (28, true), (22, false)] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(is_of_the_machine(&panic(error)), lacks, "{code}");
        }
        assert!(!is_of_the_machine("attempt to subtract with overflow"));
    }
}
