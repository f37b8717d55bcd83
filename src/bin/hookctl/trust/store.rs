//! Stored consent: one small file per grant, in the user's own folder, never in a repository.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hookctl::input::read_regular;
use hookctl::outside::Outside;
use hookctl::trust::{Checkout, Digest, Grant};
use serde::{Deserialize, Serialize};

use super::shown::places;
use crate::environment::Environment;
use crate::output_file::put;

/// The most that is read of one file, in bytes. Grants are truncated well below.
const MOST_READ: u64 = 1024 * 1024;

/// Stored consent. The digest is the file name; the other fields are informational.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stored {
    format_version: String,
    /// The digest of the grant.
    pub(crate) digest: String,
    /// The root of the repository.
    pub(crate) checkout: String,
    /// The grant, as text.
    pub(crate) what: String,
    /// The locations in the files.
    pub(crate) place: String,
    /// When consent was given, in RFC 3339.
    pub(crate) when: String,
}

/// The folder of stored consent.
pub(crate) struct Store(Result<PathBuf, Unavailable>);

/// Why the folder of stored consent cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error("neither XDG_STATE_HOME nor HOME is set")]
    NoHome,
    #[error("its folder {} is in the repository", Outside::path(.0))]
    InCheckout(PathBuf),
    #[error("other users can write to its folder {}", Outside::path(.0))]
    OthersWrite(PathBuf),
}

impl Store {
    /// Finds the folder. It must not be in the repository, whose files would then grant their own consent.
    pub(crate) fn of(environment: &Environment, checkout: &Checkout) -> Self {
        let absolute = |name: &str| {
            let folder = environment.setting(name).map(PathBuf::from);
            folder.filter(|folder| folder.is_absolute())
        };
        let state = absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
        let Some(state) = state else {
            return Self(Err(Unavailable::NoHome));
        };
        let folder = state.join("hookctl").join("trust");
        if checkout.holds(&folder) || checkout.holds(&real(&folder)) {
            return Self(Err(Unavailable::InCheckout(folder)));
        }
        for own in [folder.as_path(), &state.join("hookctl")] {
            if others_write(own) {
                return Self(Err(Unavailable::OthersWrite(own.to_owned())));
            }
        }
        if let Some(above) = state.ancestors().find(|above| others_replace(above)) {
            return Self(Err(Unavailable::OthersWrite(above.to_owned())));
        }
        Self(Ok(folder))
    }

    fn file(folder: &Path, digest: &str) -> PathBuf {
        folder.join(format!("{digest}.json"))
    }

    /// Returns whether consent to a grant is stored.
    pub(crate) fn has(&self, digest: Digest) -> bool {
        let digest = digest.to_string();
        self.0
            .as_ref()
            .ok()
            .and_then(|folder| read(&Self::file(folder, &digest)))
            .is_some_and(|stored| stored.digest == digest)
    }

    /// Stores consent to grants.
    pub(crate) fn put(&self, grants: &[&Grant], checkout: &Checkout) -> io::Result<()> {
        let folder = self
            .0
            .as_ref()
            .map_err(|error| io::Error::other(error.clone()))?;
        make(folder)?;
        for grant in grants {
            let digest = grant.digest().to_string();
            let stored = Stored {
                format_version: "1".to_owned(),
                checkout: checkout.root().to_string_lossy().into_owned(),
                what: grant.what().to_string(),
                place: places(grant),
                when: jiff::Timestamp::now().to_string(),
                digest,
            };
            let text = serde_json::to_vec_pretty(&stored)?;
            put(&Self::file(folder, &stored.digest), &text)?;
        }
        Ok(())
    }

    /// Returns all stored consent, sorted by repository.
    pub(crate) fn list(&self) -> io::Result<Vec<Stored>> {
        let folder = self
            .0
            .as_ref()
            .map_err(|error| io::Error::other(error.clone()))?;
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut all = Vec::new();
        for entry in entries {
            let path = entry?.path();
            // Other files in the folder are ignored.
            all.extend(read(&path).filter(|stored| path == Self::file(folder, &stored.digest)));
        }
        all.sort_by(|one, other| {
            (&one.checkout, &one.what, &one.digest).cmp(&(
                &other.checkout,
                &other.what,
                &other.digest,
            ))
        });
        Ok(all)
    }

    /// Deletes the consent stored for a repository. Returns how many grants that were.
    pub(crate) fn revoke(&self, checkout: &Checkout) -> io::Result<usize> {
        let root = checkout.root().to_string_lossy();
        let mut revoked = 0;
        for stored in self.list()? {
            if let (true, Ok(folder)) = (stored.checkout == root, &self.0) {
                fs::remove_file(Self::file(folder, &stored.digest))?;
                revoked += 1;
            }
        }
        Ok(revoked)
    }
}

fn read(path: &Path) -> Option<Stored> {
    let bytes = read_regular(path, MOST_READ).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Resolves links in the existing part of a path.
fn real(path: &Path) -> PathBuf {
    for folder in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (fs::canonicalize(folder), path.strip_prefix(folder)) {
            return real.join(rest);
        }
    }
    path.to_owned()
}

#[cfg(unix)]
fn make(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

#[cfg(not(unix))]
fn make(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// Returns whether another user could write to a folder.
#[cfg(unix)]
fn others_write(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let own = rustix::process::geteuid().as_raw();
    fs::metadata(folder)
        .is_ok_and(|metadata| metadata.mode() & 0o022 != 0 || ![0, own].contains(&metadata.uid()))
}

/// Returns whether any user could replace the folders inside this one.
#[cfg(unix)]
fn others_replace(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    fs::metadata(folder).is_ok_and(|metadata| metadata.mode() & 0o1002 == 0o002)
}

#[cfg(not(unix))]
fn others_replace(_: &Path) -> bool {
    false
}

#[cfg(not(unix))]
fn others_write(_: &Path) -> bool {
    false
}
