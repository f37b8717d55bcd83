//! The file lock of the record, which the system releases with its holder.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::time::{Duration, Instant};

use super::error::{SledError, io_error};
use super::folder;
use super::options::SledOptions;
use hookctl_system::input::open_plain;

/// The time between two attempts to take a held lock.
const PAUSE: Duration = Duration::from_millis(20);

/// A held lock.
pub(super) struct Lock(#[expect(dead_code, reason = "closing the file releases the lock")] File);

impl Lock {
    /// Waits for the exclusive lock, and writes the process id to the file.
    pub(super) fn exclusive(options: &SledOptions) -> Result<Self, SledError> {
        let path = options.directory.join(folder::LOCK);
        let mut how = File::options();
        how.read(true).write(true).create(true).truncate(false);
        let mut file = folder::open_own(&path, &mut how)?;
        wait(options, &mut file, File::try_lock)?;
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()));
        written.map_err(io_error("write", &path))?;
        Ok(Self(file))
    }

    /// Waits for the shared lock of readers. Returns `None` without a lock file, since the folder then has no writer.
    pub(super) fn shared(options: &SledOptions) -> Result<Option<Self>, SledError> {
        let path = options.directory.join(folder::LOCK);
        match open_plain(&path, File::options().read(true)) {
            Ok(mut file) => {
                wait(options, &mut file, File::try_lock_shared)?;
                Ok(Some(Self(file)))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("open", &path)(error)),
        }
    }
}

fn wait(
    options: &SledOptions,
    file: &mut File,
    attempt: fn(&File) -> Result<(), TryLockError>,
) -> Result<(), SledError> {
    let started = Instant::now();
    loop {
        match attempt(file) {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => {
                return Err(io_error("lock", &options.directory.join(folder::LOCK))(
                    error,
                ));
            }
            Err(TryLockError::WouldBlock) if options.cancellation.is_cancelled() => {
                return Err(SledError::Interrupted);
            }
            Err(TryLockError::WouldBlock) if started.elapsed() < options.lock_timeout => {
                options.on_wait.emit(|| holder(file));
                std::thread::sleep(PAUSE);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(SledError::Locked {
                    directory: options.directory.clone(),
                    holder: holder(file),
                });
            }
        }
    }
}

/// Returns the process id in the file. The holder may not have written it yet.
fn holder(file: &mut File) -> Option<u32> {
    let mut pid = String::new();
    file.rewind().ok()?;
    file.take(20).read_to_string(&mut pid).ok()?;
    pid.trim().parse().ok()
}
