//! Atomic writes of output files.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Writes a file. A regular file is replaced by a rename. A link is followed only to a regular file of the same folder.
/// FIFOs, devices, and targets of system links are written in place.
pub(crate) fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return replace(folder, path, content);
        }
        Err(error) => return Err(error),
    };
    if kind.is_file() {
        return replace(folder, path, content);
    }
    if !kind.is_symlink() {
        return write_into(path, content);
    }
    if is_of_the_system(folder) && !fs::metadata(path)?.is_file() {
        return write_into(path, content);
    }
    let real = fs::canonicalize(path)?;
    let folder = fs::canonicalize(folder)?;
    if real.parent() != Some(folder.as_path()) {
        return Err(io::Error::other("it is a link into another folder"));
    }
    if !fs::metadata(&real)?.is_file() {
        return Err(io::Error::other(
            "it is a link to something other than a regular file",
        ));
    }
    replace(&folder, &real, content)
}

/// Returns whether a folder is the system's, where no repository can create a link: it contains `/dev/stdout` and the
/// pipes that a shell names.
fn is_of_the_system(folder: &Path) -> bool {
    fs::canonicalize(folder)
        .is_ok_and(|folder| folder.starts_with("/dev") || folder.starts_with("/proc"))
}

fn replace(folder: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn write_into(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    file.write_all(content)?;
    file.flush()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_regular_file_is_replaced_and_a_link_beside_it_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        put(&path("new"), b"one").unwrap();
        symlink("new", path("link")).unwrap();
        put(&path("link"), b"two").unwrap();
        assert_eq!(fs::read(path("new")).unwrap(), b"two");
        assert!(fs::symlink_metadata(path("link")).unwrap().is_symlink());
    }

    #[test]
    fn a_link_out_of_the_folder_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let target = other.path().join("target");
        fs::write(&target, "theirs").unwrap();
        let link = folder.path().join("link");
        symlink(&target, &link).unwrap();
        assert!(put(&link, b"ours").is_err());
        assert_eq!(fs::read(&target).unwrap(), b"theirs");
        symlink(
            folder.path().join("nowhere"),
            folder.path().join("dangling"),
        )
        .unwrap();
        assert!(put(&folder.path().join("dangling"), b"ours").is_err());
        assert!(put(folder.path(), b"ours").is_err());
        symlink("/dev/null", folder.path().join("device")).unwrap();
        assert!(put(&folder.path().join("device"), b"ours").is_err());
    }

    #[test]
    fn a_fifo_or_a_device_is_written_into() {
        use std::io::Read as _;
        use std::os::unix::fs::FileTypeExt as _;

        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let made = rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        );
        made.unwrap();
        let reader = {
            let fifo = fifo.clone();
            std::thread::spawn(move || {
                let mut text = String::new();
                fs::File::open(fifo)
                    .unwrap()
                    .read_to_string(&mut text)
                    .unwrap();
                text
            })
        };
        put(&fifo, b"ours").unwrap();
        assert_eq!(reader.join().unwrap(), "ours");
        let (reader, writer) = std::io::pipe().unwrap();
        let end = std::os::fd::AsRawFd::as_raw_fd(&writer);
        put(Path::new(&format!("/dev/fd/{end}")), b"ours").unwrap();
        drop(writer);
        assert_eq!(std::io::read_to_string(reader).unwrap(), "ours");
        assert!(fs::symlink_metadata(&fifo).unwrap().file_type().is_fifo());
    }
}
