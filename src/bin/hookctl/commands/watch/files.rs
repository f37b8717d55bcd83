//! The files as they are now, and as they last validated.

use std::path::PathBuf;

use hookctl::declaration::{Declarations, Loaded};
use hookctl::secret::SecretSource;

use crate::commands::presenter::{load, show_diagnostics, with_load_options};
use crate::environment::Environment;
use crate::settings::Settings;
use crate::ui::Ui;

/// What is remembered of the files between two looks.
#[derive(Default)]
pub(super) struct Files {
    /// A digest of all content, problems included.
    digest: Option<blake3::Hash>,
    /// The texts that last validated.
    good: Option<Vec<(PathBuf, String)>>,
    /// The files that secrets come from.
    of_secrets: Vec<PathBuf>,
}

/// What a look brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The same as before.
    Same,
    /// Something else, that validates.
    Changed,
    /// Something else, that does not validate: what validated before stays.
    Invalid,
}

impl Files {
    /// Reads the files; what is wrong with them is shown once.
    pub(super) fn look(&mut self, ui: &Ui, settings: &Settings, environment: &Environment) -> Look {
        let loaded = load(settings, environment);
        if let Some(declarations) = &loaded.declarations {
            self.of_secrets = secret_files(declarations);
        }
        let digest = self.digest(&loaded);
        if self.digest == Some(digest) {
            return Look::Same;
        }
        self.digest = Some(digest);
        show_diagnostics(ui, &loaded.diagnostics, &loaded.sources, loaded.files);
        if loaded.declarations.is_none() {
            return Look::Invalid;
        }
        self.good = Some(
            loaded
                .sources
                .files()
                .map(|file| (file.path().to_owned(), file.text().to_owned()))
                .collect(),
        );
        Look::Changed
    }

    /// What last validated, read again: variables may have other values by now.
    pub(super) fn declarations(
        &self,
        settings: &Settings,
        environment: &Environment,
    ) -> Option<Declarations> {
        let good = self.good.as_ref()?;
        with_load_options(settings, environment, |options| {
            hookctl::declaration::load_texts(good, options)
        })
        .declarations
    }

    /// The files that secrets come from.
    pub(super) fn secret_files(&self) -> &[PathBuf] {
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
            part(&std::fs::read(path).unwrap_or_default());
        }
        hasher.finalize()
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
