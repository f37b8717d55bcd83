//! Opening sled, which panics on some damaged files and lets go of its lock a little late.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{CacheError, io_error};

/// The name of the thread that opens the database: its panic is an answer, not a crash, so whoever
/// reports panics can leave it out.
pub const OPENING_THREAD: &str = "hookctl-open-record";

/// How much sled may keep in memory, in bytes.
const MEMORY: u64 = 16 * 1024 * 1024;

/// How long to wait for the last threads of an earlier opening.
const LINGERING: Duration = Duration::from_secs(5);

/// Opens sled. Our own lock is held, so whoever still has sled's is a thread of an earlier opening in
/// this process that has not quite ended.
pub(super) fn open_guarded(path: &Path, shown: &Path) -> Result<sled::Db, CacheError> {
    let begun = Instant::now();
    loop {
        match open_once(path, shown) {
            Err(CacheError::Database {
                source: sled::Error::Io(source),
                ..
            }) if source.to_string().contains("could not acquire lock")
                && begun.elapsed() < LINGERING =>
            {
                std::thread::sleep(Duration::from_millis(2));
            }
            opened => return opened,
        }
    }
}

/// Opens sled in a thread of its own, since it panics on some damaged files.
fn open_once(path: &Path, shown: &Path) -> Result<sled::Db, CacheError> {
    let config = sled::Config::new()
        .path(path)
        .flush_every_ms(None)
        .cache_capacity(MEMORY);
    let opened = std::thread::Builder::new()
        .name(OPENING_THREAD.to_owned())
        .spawn(move || config.open())
        .map_err(io_error("start a thread to open", path))?
        .join();
    match opened {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(source)) => Err(database_error("open", shown, source)),
        Err(_) => Err(CacheError::Damaged {
            directory: shown.to_owned(),
            what: "its log cannot be replayed".to_owned(),
        }),
    }
}

pub(super) fn database_error(
    attempt: &'static str,
    directory: &Path,
    source: sled::Error,
) -> CacheError {
    match source {
        sled::Error::Corruption { .. } => CacheError::Damaged {
            directory: directory.to_owned(),
            what: "a part of its log is not what was written".to_owned(),
        },
        source => CacheError::Database {
            attempt,
            directory: directory.to_owned(),
            source,
        },
    }
}
