//! Finding and reading the configuration file: the only part that touches the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Config;
use super::reader;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceMap};
use crate::input::read_regular;
use crate::outside::Outside;
use crate::yaml::{self, MAX_FILE_BYTES};

/// The names that the file may have. If a folder has both, that is an error.
pub const FILE_NAMES: [&str; 2] = ["hookctl.yaml", "hookctl.yml"];

/// Why the file could not be looked for.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// Whether it is there cannot be told.
    #[error("could not look for {}", Outside::path(path))]
    Look {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder has two of them.
    #[error(
        "{} has both hookctl.yaml and hookctl.yml; keep one of the two",
        Outside::path(folder)
    )]
    Both {
        /// The folder.
        folder: PathBuf,
    },
}

/// Looks for the file in a folder, then in the one above it, and so on. The start should be absolute.
///
/// # Errors
/// [`DiscoverError`] if a folder cannot be searched, because a file in it would count, or has two.
pub fn discover(start: &Path) -> Result<Option<PathBuf>, DiscoverError> {
    for folder in start.ancestors() {
        let mut found = Vec::new();
        for name in FILE_NAMES {
            let path = folder.join(name);
            match fs::symlink_metadata(&path) {
                Ok(_) => found.push(path),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) => {}
                Err(source) => return Err(DiscoverError::Look { path, source }),
            }
        }
        if found.len() > 1 {
            return Err(DiscoverError::Both {
                folder: folder.to_owned(),
            });
        }
        if let Some(path) = found.pop() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Reads the file. Paths in it start at its folder, which a relative path of a secret's file may not
/// leave. The configuration is None if and only if there is an error among the diagnostics.
pub fn load(path: &Path) -> (SourceMap, Diagnostics, Option<Config>) {
    match read_regular(path, MAX_FILE_BYTES as u64) {
        Ok(bytes) => {
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            let folder = absolute.parent().unwrap_or(&absolute);
            read_bytes(path, folder, bytes)
        }
        Err(error) => {
            let mut diagnostics = Diagnostics::default();
            diagnostics.push(
                Diagnostic::new(
                    Code::Unreadable,
                    format!("could not read the configuration: {error}"),
                )
                .path(path)
                .help("name another file with --config, or mend this one"),
            );
            (SourceMap::default(), diagnostics, None)
        }
    }
}

/// Reads the text of a file, shown under that path, as if it stood in that folder. Nothing on disk is
/// read.
pub fn load_text(
    path: &Path,
    folder: &Path,
    text: String,
) -> (SourceMap, Diagnostics, Option<Config>) {
    read_bytes(path, folder, text.into_bytes())
}

fn read_bytes(
    path: &Path,
    folder: &Path,
    bytes: Vec<u8>,
) -> (SourceMap, Diagnostics, Option<Config>) {
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    let documents = yaml::read_bytes(path.to_owned(), bytes, &mut sources, &mut diagnostics);
    let config = reader::read(&documents, folder, &mut diagnostics);
    let mut diagnostics = config.lints.apply(diagnostics);
    diagnostics.sort(&sources);
    let config = (!diagnostics.has_errors()).then_some(config);
    (sources, diagnostics, config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        assert_eq!(discover(&inner).unwrap(), None);
        let outer = folder.path().join("hookctl.yaml");
        fs::write(&outer, "prune: true").unwrap();
        assert_eq!(discover(&inner).unwrap(), Some(outer.clone()));
        let near = folder.path().join("a/hookctl.yml");
        fs::write(&near, "").unwrap();
        assert_eq!(discover(&inner).unwrap(), Some(near));
        fs::write(folder.path().join("a/hookctl.yaml"), "").unwrap();
        assert!(matches!(discover(&inner), Err(DiscoverError::Both { .. })));

        let (_, diagnostics, config) = load(&outer);
        assert!(diagnostics.is_empty());
        let config = config.unwrap();
        assert!(config.prune);
        assert_eq!(config.webhooks_dir, folder.path().join("webhooks.d"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let (_, diagnostics, config) = load(&folder.path().join("none.yaml"));
        assert_eq!(diagnostics.iter().next().unwrap().code, Code::Unreadable);
        assert_eq!(config, None);
    }
}
