//! File access: the only part of this module that touches the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::MAX_CONTENT_BYTES;
use hookctl_system::input::{TooFar, digest_regular, real_path, real_path_within};

/// The content of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A regular file, by the BLAKE3 digest of its bytes.
    Bytes([u8; 32]),
    /// A link inside a folder that is read as a whole, by its target.
    Link(PathBuf),
    /// A folder, a FIFO, or a device.
    Other,
}

/// Access to files.
pub trait FileSystem {
    /// Returns the real path, or `None` if it does not exist.
    fn real(&self, path: &Path) -> Option<PathBuf>;

    /// Returns the real path, or `None` if it does not exist. Deducts the links from the budget `left`; an exhausted
    /// budget is an error, not `None`.
    ///
    /// # Errors
    /// Returns [`TooFar`] if the budget is exhausted.
    fn real_within(&self, path: &Path, _left: &mut usize) -> Result<Option<PathBuf>, TooFar> {
        Ok(self.real(path))
    }

    /// Returns whether it is an executable regular file.
    fn is_program(&self, path: &Path) -> bool;

    /// Returns the content, with links followed.
    ///
    /// # Errors
    /// Returns the error of the system.
    fn content(&self, path: &Path) -> io::Result<Content>;

    /// Returns whether it is a folder.
    fn is_folder(&self, path: &Path) -> bool;

    /// Returns the paths of at most `most` entries of a folder.
    ///
    /// # Errors
    /// Returns the error of the system.
    fn entries(&self, folder: &Path, most: usize) -> io::Result<Vec<PathBuf>>;

    /// Returns the length of a file, in bytes.
    fn length(&self, path: &Path) -> u64;

    /// Returns whether the file is the system's: in a system folder, and writable only by root.
    fn is_of_the_system(&self, path: &Path) -> bool;
}

/// The system folders of common systems. Folders for programs that users install are not among them.
#[cfg(unix)]
const OF_THE_SYSTEM: [&str; 20] = [
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/share",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/local/lib",
    "/usr/local/libexec",
    "/usr/local/share",
    "/nix/store",
    "/gnu/store",
    "/System",
];

/// The folders whose files the kernel generates.
#[cfg(unix)]
const OF_THE_KERNEL: [&str; 2] = ["/proc", "/sys"];

/// The real file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl FileSystem for Disk {
    fn real(&self, path: &Path) -> Option<PathBuf> {
        real_path(path).ok()
    }

    fn real_within(&self, path: &Path, left: &mut usize) -> Result<Option<PathBuf>, TooFar> {
        match real_path_within(path, left) {
            Ok(real) => Ok(Some(real)),
            // A program may follow more links, so this is not the same as a missing file.
            Err(error) => TooFar::of(&error).map_or(Ok(None), Err),
        }
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

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn entries(&self, folder: &Path, most: usize) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder)?.take(most);
        entries.map(|entry| Ok(entry?.path())).collect()
    }

    fn length(&self, path: &Path) -> u64 {
        fs::metadata(path).map_or(0, |metadata| metadata.len())
    }

    #[cfg(unix)]
    fn is_of_the_system(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt as _;

        const OTHERS_WRITE: u32 = 0o022;
        let is_below = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
        let is_roots = || {
            fs::metadata(path)
                .is_ok_and(|found| found.uid() == 0 && found.mode() & OTHERS_WRITE == 0)
        };
        is_below(&OF_THE_KERNEL) || (is_below(&OF_THE_SYSTEM) && is_roots())
    }

    #[cfg(not(unix))]
    fn is_of_the_system(&self, path: &Path) -> bool {
        use std::path::Component;

        let mut names = path.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_string_lossy()),
            _ => None,
        });
        let first = names.next().unwrap_or_default();
        ["Windows", "Program Files", "Program Files (x86)"]
            .iter()
            .any(|name| first.eq_ignore_ascii_case(name))
    }
}
