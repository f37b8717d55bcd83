//! Reads untrusted files in bounded time and memory.

mod links;

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;
#[cfg(not(unix))]
use std::path::PathBuf;

#[cfg(unix)]
use rustix::fs::{Mode, OFlags};

pub use self::links::{
    MAX_LINK_BYTES, MAX_LINK_NAMES, MAX_LINKS, TooFar, real_path, real_path_within,
};

/// How much larger than the file a buffer is, in bytes.
const SLACK: u64 = 64;

/// The buffer size for digests, in bytes.
const BUFFER: usize = 64 * 1024;

/// Opens a regular file for reading, with links followed. Never blocks: a FIFO, a device, or a folder is an error.
///
/// # Errors
/// Returns the error of the system, or an error for anything but a regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    flags(&mut options, NEVER_WAITS);
    regular(options.open(path)?)
}

/// Opens a regular file that is not a link. Never blocks. The check applies to the opened file, not to its path.
///
/// # Errors
/// Returns the error of the system, or an error for a link or anything but a regular file.
pub fn open_plain(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    flags(options, NEVER_WAITS.union(OFlags::NOFOLLOW));
    #[cfg(not(unix))]
    if path.is_symlink() {
        return Err(not_regular());
    }
    regular(options.open(path).map_err(reworded)?)
}

#[cfg(unix)]
const NEVER_WAITS: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);

#[cfg(unix)]
fn flags(options: &mut OpenOptions, flags: OFlags) {
    use std::os::unix::fs::OpenOptionsExt as _;

    // The flags of the system always fit.
    options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(not_regular())
    }
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")
}

/// Rewords the system's error about a link.
fn reworded(error: io::Error) -> io::Error {
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        return not_regular();
    }
    error
}

/// The identity of a file, independent of its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileId {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
    #[cfg(not(unix))]
    path: PathBuf,
}

impl FileId {
    /// Returns the identity of an open file, since its path may change.
    #[cfg(unix)]
    pub fn of(file: &File, _: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;

        let metadata = file.metadata()?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }

    /// Returns the identity by the real path, which has the case of names on the disk.
    #[cfg(not(unix))]
    pub fn of(_: &File, path: &Path) -> io::Result<Self> {
        let path = std::fs::canonicalize(path)?;
        Ok(Self { path })
    }
}

/// An open folder. Files below it are read without following links.
#[derive(Debug)]
pub struct Folder {
    #[cfg(unix)]
    handle: std::os::fd::OwnedFd,
    #[cfg(not(unix))]
    path: PathBuf,
}

impl Folder {
    /// Opens a folder, with links followed.
    ///
    /// # Errors
    /// Returns the error of the system.
    pub fn open(path: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        let folder = Self {
            handle: rustix::fs::openat(rustix::fs::CWD, path, PASSING, Mode::empty())?,
        };
        #[cfg(not(unix))]
        let folder = Self {
            path: std::fs::canonicalize(path)?,
        };
        Ok(folder)
    }

    /// Reads a regular file below the folder, like [`read_regular`]. No part of the path may be a link, so a replaced
    /// part cannot lead elsewhere.
    ///
    /// # Errors
    /// Returns the error of the system, or an error for a path with a link.
    pub fn read_regular(&self, below: &Path, limit: u64) -> io::Result<Vec<u8>> {
        read(self.open_regular(below)?, limit)
    }

    #[cfg(unix)]
    fn open_regular(&self, below: &Path) -> io::Result<File> {
        use std::os::fd::AsFd as _;
        use std::path::Component;

        let mut inner: Option<std::os::fd::OwnedFd> = None;
        let mut parts = below.components().peekable();
        while let Some(part) = parts.next() {
            let Component::Normal(name) = part else {
                return Err(not_regular());
            };
            let folder = inner
                .as_ref()
                .map_or(self.handle.as_fd(), |inner| inner.as_fd());
            let is_last = parts.peek().is_none();
            let kind = if is_last {
                NEVER_WAITS.union(OFlags::CLOEXEC)
            } else {
                PASSING
            };
            let opened =
                rustix::fs::openat(folder, name, kind.union(OFlags::NOFOLLOW), Mode::empty());
            let opened = opened.map_err(|error| reworded(error.into()))?;
            if is_last {
                return regular(File::from(opened));
            }
            inner = Some(opened);
        }
        Err(not_regular())
    }

    #[cfg(not(unix))]
    fn open_regular(&self, below: &Path) -> io::Result<File> {
        let path = self.path.join(below);
        if std::fs::canonicalize(&path)? != path {
            return Err(not_regular());
        }
        open_plain(&path, OpenOptions::new().read(true))
    }
}

/// The flags for opening a folder on the path, which need not be readable.
#[cfg(any(target_os = "linux", target_os = "android"))]
const PASSING: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
const PASSING: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// Reads a regular file, at most `limit` bytes and one more, which shows that it is too large.
///
/// # Errors
/// Returns the error of [`open_regular`], or of the read.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read(open_regular(path)?, limit)
}

/// Reads an open file, like [`read_regular`].
pub fn read(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let most = limit.saturating_add(1);
    // The file may be a secret. A buffer that grows leaves copies behind, and so does a full one: the standard library
    // then probes for the end with a buffer on the stack.
    let length = file.metadata()?.len().min(limit).saturating_add(SLACK);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the BLAKE3 digest of a regular file.
///
/// # Errors
/// Returns the error of [`open_regular`], or an error for a file larger than `limit` bytes.
pub fn digest_regular(path: &Path, limit: u64) -> io::Result<[u8; 32]> {
    let digest = digest(open_regular(path)?, limit);
    hookctl_core::secret::overwrite_stack();
    digest
}

/// Computes the digest. The file may be a secret, so the buffer and the state of the digest are erased.
#[inline(never)]
fn digest(file: File, limit: u64) -> io::Result<[u8; 32]> {
    let mut hasher = zeroize::Zeroizing::new(blake3::Hasher::new());
    let mut buffer = zeroize::Zeroizing::new(vec![0; BUFFER]);
    let mut file = file.take(limit.saturating_add(1));
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
    }
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
    fn no_link_is_followed_where_none_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("a")).unwrap();
        std::fs::write(path("a/file"), "text").unwrap();
        symlink("a", path("linked")).unwrap();
        symlink("file", path("a/link")).unwrap();
        symlink("loop", path("a/loop")).unwrap();
        let below = Folder::open(folder.path()).unwrap();
        let read = |name: &str| below.read_regular(Path::new(name), 10);
        assert_eq!(read("a/file").unwrap(), b"text");
        for name in [
            "a/link",
            "a/loop",
            "linked/file",
            "a",
            "a/../a/file",
            "/etc/hosts",
            "",
        ] {
            assert!(read(name).is_err(), "{name}");
        }
        let error = read("a/none").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);

        let plain = |name: &str| open_plain(&path(name), OpenOptions::new().read(true));
        assert!(plain("a/file").is_ok());
        for name in ["a/link", "a/loop", "a"] {
            assert_eq!(
                plain(name).unwrap_err().to_string(),
                "it is not a regular file"
            );
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
