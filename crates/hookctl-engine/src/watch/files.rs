//! The files as they are now, and as they last validated.

use std::path::{Path, PathBuf};

use zeroize::{Zeroize as _, Zeroizing};

use hookctl_core::secret::SecretSource;
use hookctl_files::declaration::{self, Declarations, LoadOptions, Loaded};
use hookctl_secrets::MAX_SECRET_BYTES;
use hookctl_system::input::read_regular;

/// What is remembered of the files between two looks.
#[derive(Default)]
pub struct Files {
    /// A digest of all content, problems included.
    digest: Option<blake3::Hash>,
    /// The texts that last validated.
    good: Option<Vec<(PathBuf, String)>>,
    /// The files that secrets come from.
    of_secrets: Vec<PathBuf>,
}

/// What a look at the files brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The same as before.
    Same,
    /// Something else, that validates.
    Changed,
    /// Something else, that does not validate: what validated before stays.
    Invalid,
}

impl Files {
    /// Reads a folder. What was read is given back if it differs from the last look, for whoever shows the
    /// diagnostics.
    pub fn look(&mut self, root: &Path, options: &LoadOptions<'_>) -> (Look, Option<Loaded>) {
        let loaded = declaration::load(root, options);
        if let Some(declarations) = &loaded.declarations {
            self.of_secrets = secret_files(declarations);
        }
        let digest = self.digest(&loaded);
        if self.digest == Some(digest) {
            return (Look::Same, None);
        }
        self.digest = Some(digest);
        if loaded.declarations.is_none() {
            return (Look::Invalid, Some(loaded));
        }
        self.good = Some(
            loaded
                .sources
                .files()
                .map(|file| (file.path().to_owned(), file.text().to_owned()))
                .collect(),
        );
        (Look::Changed, Some(loaded))
    }

    /// What last validated, read again, since variables may have other values by now; none if nothing ever
    /// validated, or does not with those values.
    pub fn declarations(&self, options: &LoadOptions<'_>) -> Option<Declarations> {
        declaration::load_texts(self.good.as_ref()?, options).declarations
    }

    /// The files that secrets come from.
    pub fn secret_files(&self) -> &[PathBuf] {
        &self.of_secrets
    }

    fn digest(&self, loaded: &Loaded) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        };
        for file in loaded.sources.files() {
            part(file.path().as_os_str().as_encoded_bytes());
            part(file.text().as_bytes());
        }
        for diagnostic in loaded.diagnostics.iter() {
            part(diagnostic.message.as_bytes());
        }
        for path in &self.of_secrets {
            let content = read_regular(path, MAX_SECRET_BYTES).unwrap_or_default();
            part(&Zeroizing::new(content));
        }
        let digest = hasher.finalize();
        // It holds the end of what it was given.
        hasher.zeroize();
        digest
    }
}

fn secret_files(declarations: &Declarations) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = declarations
        .secret_sources()
        .filter_map(|(_, source)| match source {
            SecretSource::File { path, .. } => Some(path.clone()),
            _ => None,
        })
        .collect();
    files.sort_unstable();
    files.dedup();
    files
}
