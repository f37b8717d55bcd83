//! Looking at files: the only part that touches the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::input::digest_regular;
use crate::secret::MAX_CONTENT_BYTES;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A regular file: the BLAKE3 digest of its bytes.
    Bytes([u8; 32]),
    /// A folder, a FIFO, or a device.
    Other,
}

/// Answers for files.
pub trait Look {
    /// Returns the path without links. `None` if there is nothing.
    fn real(&self, path: &Path) -> Option<PathBuf>;

    /// Whether it is a regular file that may be run.
    fn is_program(&self, path: &Path) -> bool;

    /// Returns what is there, links followed.
    ///
    /// # Errors
    /// What the system says if that cannot be told.
    fn content(&self, path: &Path) -> io::Result<Content>;
}

/// The files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Look for Disk {
    fn real(&self, path: &Path) -> Option<PathBuf> {
        fs::canonicalize(path).ok()
    }

    #[cfg(unix)]
    fn is_program(&self, path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt as _;

        fs::metadata(path)
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    }

    #[cfg(not(unix))]
    fn is_program(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
    }

    fn content(&self, path: &Path) -> io::Result<Content> {
        if fs::metadata(path)?.is_file() {
            digest_regular(path, MAX_CONTENT_BYTES).map(Content::Bytes)
        } else {
            Ok(Content::Other)
        }
    }
}
