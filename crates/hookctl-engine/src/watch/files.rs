//! The current and the last valid state of the declaration files.

use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::{Zeroize as _, Zeroizing};

use hookctl_core::secret::SecretSource;
use hookctl_files::declaration::{self, Declarations, LoadOptions, Loaded};
use hookctl_secrets::MAX_SECRET_BYTES;
use hookctl_system::input::read_regular;

/// The state of the files as of the last scan.
#[derive(Default)]
pub struct Files {
    /// A digest of all content, problems included.
    digest: Option<blake3::Hash>,
    /// The last valid texts.
    last_valid: Option<Vec<(PathBuf, String)>>,
    /// The files that secrets are read from.
    secrets: Vec<PathBuf>,
}

/// The result of a scan of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanResult {
    /// The content has not changed.
    Same,
    /// The content changed and is valid.
    Changed,
    /// The content changed and is invalid. The last valid content stays in effect.
    Invalid,
}

/// Shows the paths of the files: the texts may contain secrets.
impl fmt::Debug for Files {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = |texts: &Vec<(PathBuf, String)>| -> Vec<PathBuf> {
            texts.iter().map(|(path, _)| path.clone()).collect()
        };
        formatter
            .debug_struct("Files")
            .field("last_valid", &self.last_valid.as_ref().map(paths))
            .field("secrets", &self.secrets)
            .finish_non_exhaustive()
    }
}

impl Files {
    /// Scans a folder. Also returns the loaded files if they differ from the last scan, so that the caller can show
    /// their diagnostics.
    pub fn scan(&mut self, root: &Path, options: &LoadOptions<'_>) -> (ScanResult, Option<Loaded>) {
        let loaded = declaration::load(root, options);
        if let Some(declarations) = &loaded.declarations {
            self.secrets = secret_files(declarations);
        }
        let digest = self.digest(&loaded);
        if self.digest == Some(digest) {
            return (ScanResult::Same, None);
        }
        self.digest = Some(digest);
        if loaded.declarations.is_none() {
            return (ScanResult::Invalid, Some(loaded));
        }
        self.last_valid = Some(
            loaded
                .sources
                .files()
                .map(|file| (file.path().to_owned(), file.text().to_owned()))
                .collect(),
        );
        (ScanResult::Changed, Some(loaded))
    }

    /// Parses the last valid texts again, since variables may have changed. Returns `None` if no texts were ever
    /// valid, or if they are invalid with the current variables.
    pub fn declarations(&self, options: &LoadOptions<'_>) -> Option<Declarations> {
        declaration::load_texts(self.last_valid.as_ref()?, options).declarations
    }

    /// The files that secrets are read from.
    pub fn secret_files(&self) -> &[PathBuf] {
        &self.secrets
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
        for path in &self.secrets {
            let content = read_regular(path, MAX_SECRET_BYTES).unwrap_or_default();
            part(&Zeroizing::new(content));
        }
        let digest = hasher.finalize();
        // The hasher's buffer may still hold the end of a secret.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_contains_paths_and_no_texts() {
        let folder = tempfile::tempdir().unwrap();
        let text = "webhooks: { a: { url: 'https://a.example.com', actions: all, \
                    bearer_token: hunter2-token } }";
        std::fs::write(folder.path().join("a.yaml"), text).unwrap();
        let mut files = Files::default();
        let options = LoadOptions::below(folder.path());
        let (result, loaded) = files.scan(folder.path(), &options);
        assert_eq!(result, ScanResult::Changed);
        let inputs = super::super::Inputs {
            declarations: files.declarations(&options).unwrap(),
            secrets: [(
                hookctl_core::webhook::Key::parse("a").unwrap(),
                hookctl_core::secret::Secret::new("hunter2".to_owned()).unwrap(),
            )]
            .into(),
        };
        let shown = format!("{files:?} {loaded:?} {inputs:?}");
        assert!(
            shown.contains("a.yaml") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
