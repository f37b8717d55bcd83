//! Reading files that somebody else may have put there: in bounded time and memory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

/// How much more than the length of a file its buffer has, in bytes.
const SLACK: u64 = 64;

/// Opens a regular file for reading, links followed. Never waits: a FIFO, a device, or a folder is an error
/// at once.
///
/// # Errors
/// What the system says, or that it is not a regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;

        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        // The bits of the system's own flags always fit.
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ))
    }
}

/// Reads a regular file, at most `limit` bytes and one more, which tells a file that is too large.
///
/// # Errors
/// As for [`open_regular`], and what the system says while it is read.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open_regular(path)?;
    let most = limit.saturating_add(1);
    // It may be a secret, and a buffer that grows leaves copies behind. So does one that is filled: then the standard
    // library looks for an end with a buffer on the stack.
    let length = file.metadata()?.len().min(limit).saturating_add(SLACK);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the BLAKE3 digest of what a regular file holds.
///
/// # Errors
/// As for [`open_regular`], and if it holds more than `limit` bytes.
pub fn digest_regular(path: &Path, limit: u64) -> io::Result<[u8; 32]> {
    let file = open_regular(path)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file.take(limit.saturating_add(1)))?;
    if hasher.count() > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is too large",
        ));
    }
    Ok(*hasher.finalize().as_bytes())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_no_regular_file_is_an_error_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let endless = folder.path().join("endless");
        symlink("/dev/zero", &endless).unwrap();
        for path in [fifo.as_path(), &endless, folder.path()] {
            let error = read_regular(path, 10).unwrap_err();
            assert_eq!(error.to_string(), "it is not a regular file");
        }
    }

    #[test]
    fn a_file_is_read_up_to_its_limit_and_one_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "0123456789").unwrap();
        assert_eq!(read_regular(&path, 10).unwrap(), b"0123456789");
        assert_eq!(read_regular(&path, 5).unwrap(), b"012345");
        let digest = blake3::hash(b"0123456789");
        assert_eq!(digest_regular(&path, 10).unwrap(), *digest.as_bytes());
        assert!(digest_regular(&path, 9).is_err());
        assert!(digest_regular(folder.path(), 9).is_err());
    }
}
