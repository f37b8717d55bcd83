//! The files that a validation is about: all of them, or the named ones.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hookctl::config::FILE_NAMES;
use hookctl::declaration::{Declarations, Loaded, load_texts};
use hookctl::diagnostic::{Diagnostics, SourceFile, SourceMap};
use hookctl::outside::Outside;

use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::files::{load, with_load_options};
use crate::settings::Settings;

/// The result of a validation.
pub(super) struct Checked {
    pub(super) sources: SourceMap,
    pub(super) diagnostics: Diagnostics,
    /// The number of files that it is about.
    pub(super) files: usize,
    /// The number of webhooks in them; 0 if they have errors.
    pub(super) webhooks: usize,
}

/// Checks all files. If some are named, keeps what concerns them: a key may be declared in another file too.
pub(super) fn check(
    named: &[PathBuf],
    config: Option<&Path>,
    settings: &Settings,
    environment: &Environment,
) -> Result<Checked, CommandError> {
    let loaded = load(settings, environment);
    let is_config = |path: &PathBuf| is_config(path, config, settings);
    // A change of the configuration concerns every file.
    if named.is_empty() || named.iter().any(is_config) {
        return Ok(Checked {
            webhooks: loaded.declarations.as_ref().map_or(0, Declarations::len),
            sources: loaded.sources,
            diagnostics: loaded.diagnostics,
            files: loaded.files,
        });
    }
    let mut paths = BTreeSet::new();
    for path in named {
        paths.extend(found(path, settings, &loaded)?);
    }
    let texts: Vec<(PathBuf, String)> = loaded
        .sources
        .files()
        .filter(|file| paths.contains(file.path()))
        .map(|file| (file.path().to_owned(), file.text().to_owned()))
        .collect();
    let alone = with_load_options(settings, environment, |options| load_texts(&texts, options));
    Ok(Checked {
        diagnostics: loaded.diagnostics.concerning(&paths, &loaded.sources),
        sources: loaded.sources,
        files: paths.len(),
        webhooks: alone.declarations.as_ref().map_or(0, Declarations::len),
    })
}

/// Returns whether a path is that of the configuration.
fn is_config(path: &Path, config: Option<&Path>, settings: &Settings) -> bool {
    let real = real(path);
    let discovered = FILE_NAMES.iter().map(|name| settings.root.join(name));
    let config = config.map(Path::to_owned).into_iter().chain(discovered);
    settings.has_file && config.into_iter().any(|config| real == self::real(&config))
}

/// Returns the loaded files at a path or below it, as they are displayed. A file that could not be read counts, too.
fn found(path: &Path, settings: &Settings, loaded: &Loaded) -> Result<Vec<PathBuf>, CommandError> {
    let shown = Outside::path(path);
    let usage = |message: String| CommandError::new("usage", message).status(ExitStatus::Usage);
    let folder = real(&settings.webhooks_dir);
    let real_path = real(path);
    let Ok(below) = real_path.strip_prefix(&folder) else {
        let folder = Outside::path(&settings.webhooks_dir);
        return Err(usage(format!(
            "{shown} is not in the folder of declarations, {folder}"
        ))
        .hint("name files of that folder, or another folder with --dir"));
    };
    let displayed = settings.webhooks_dir.join(below);
    let displayed = displayed.strip_prefix(&settings.root).unwrap_or(&displayed);
    let unread = loaded
        .diagnostics
        .iter()
        .filter_map(|one| one.path.as_deref());
    let all: Vec<&Path> = loaded.sources.files().map(SourceFile::path).collect();
    let mut found: Vec<PathBuf> = all
        .iter()
        .copied()
        .chain(unread)
        .filter(|path| path.starts_with(displayed))
        .map(Path::to_owned)
        .collect();
    if found.is_empty() {
        // A file that is reached by a link.
        let same = |path: &&Path| real(&settings.root.join(path)) == real_path;
        found.extend(all.into_iter().filter(same).map(Path::to_owned));
    }
    if !found.is_empty() {
        return Ok(found);
    }
    Err(if real_path.exists() {
        usage(format!("{shown} is not a declaration file"))
            .hint("declarations are .yaml and .yml files that are neither hidden nor a backup")
    } else {
        usage(format!("{shown} does not exist"))
    })
}

fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path)
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_owned())
}
