//! Looking at files: the only part that touches the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::MAX_CONTENT_BYTES;
use hookctl_system::input::{TooFar, digest_regular, real_path, real_path_within};

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A regular file: the BLAKE3 digest of its bytes.
    Bytes([u8; 32]),
    /// A link in a folder that is read as a whole: where it leads.
    Link(PathBuf),
    /// A folder, a FIFO, or a device.
    Other,
}

/// Answers for files.
pub trait Look {
    /// Returns the path without links. `None` if there is nothing.
    fn real(&self, path: &Path) -> Option<PathBuf>;

    /// Returns the path without links. `None` if there is nothing. What its links cost is taken from what is left for
    /// all paths together; nothing is said to be nowhere because that is spent.
    ///
    /// # Errors
    /// [`TooFar`]
    fn real_within(&self, path: &Path, _left: &mut usize) -> Result<Option<PathBuf>, TooFar> {
        Ok(self.real(path))
    }

    /// Whether it is a regular file that may be run.
    fn is_program(&self, path: &Path) -> bool;

    /// Returns what is there, links followed.
    ///
    /// # Errors
    /// What the system says if that cannot be told.
    fn content(&self, path: &Path) -> io::Result<Content>;

    /// Whether it is a folder.
    fn is_folder(&self, path: &Path) -> bool;

    /// Returns the paths of what is in a folder, at most so many.
    ///
    /// # Errors
    /// What the system says.
    fn entries(&self, folder: &Path, most: usize) -> io::Result<Vec<PathBuf>>;

    /// Returns how many bytes a file holds.
    fn length(&self, path: &Path) -> u64;

    /// Whether it is the system's: in one of its folders, and nobody but root can write it.
    fn is_of_the_system(&self, path: &Path) -> bool;
}

/// Where systems keep what they come with. No folder for programs that somebody adds is among them.
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

/// Where nobody keeps files: what is there is made when it is read.
#[cfg(unix)]
const OF_THE_KERNEL: [&str; 2] = ["/proc", "/sys"];

/// The files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Look for Disk {
    fn real(&self, path: &Path) -> Option<PathBuf> {
        real_path(path).ok()
    }

    fn real_within(&self, path: &Path, left: &mut usize) -> Result<Option<PathBuf>, TooFar> {
        match real_path_within(path, left) {
            Ok(real) => Ok(Some(real)),
            // A program may get further than this, so it is not as if nothing were there.
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
