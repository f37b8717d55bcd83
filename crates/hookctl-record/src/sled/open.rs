//! Opening and closing sled. sled panics on some damaged files and on a failing disk, and releases its lock late.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

use super::error::SledError;
use super::guard::{NoAnswer, PATIENCE, guarded};

/// The size of sled's cache in bytes.
const MEMORY: u64 = 16 * 1024 * 1024;

/// How long to wait for the remaining threads of an earlier session.
const LINGERING: Duration = Duration::from_secs(5);

/// Opens sled. This process holds the record's lock, so any holder of sled's own lock is a thread of an earlier
/// session in this process that has not ended yet.
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

/// Opens sled in a guarded thread, since it panics on some damaged files.
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

/// Returns whether a panic comes from a lack of threads, memory, or a working disk, and not from the content of the
/// files. sled unwraps the system's errors, so the panic's message contains their kind.
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

/// The handle of a database. It must be dropped last, after every tree.
///
/// sled then syncs its log, and panics if the disk fails. All durable writes have been synced earlier, and closing a
/// record syncs it and returns errors. The panic therefore carries no new information and is caught.
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
        sled::Error::Corruption { .. } => "part of its log is corrupt",
        // hookctl always writes the same settings.
        sled::Error::Unsupported(_) => "its settings are corrupt",
        sled::Error::ReportableBug(_) | sled::Error::CollectionNotFound(_) => {
            "part of it is corrupt"
        }
        sled::Error::Io(error) if is_of_content(error) => "one of its files is corrupt",
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

/// Returns whether an error is about the content or type of a file, and not about the disk, permissions, or a lock.
fn is_of_content(error: &io::Error) -> bool {
    match error.kind() {
        ErrorKind::IsADirectory | ErrorKind::NotADirectory => true,
        _ => error.raw_os_error().is_none() && !is_lock(error),
    }
}

/// Returns whether sled's own lock was held. Only the message says so.
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
