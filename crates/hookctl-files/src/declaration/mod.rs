//! Loads YAML files as desired state.
//!
//! `discover` finds and reads the files. For many files at once, `parallel` runs the YAML reader; `document` parses its
//! trees into raw declarations, `merge` returns their fields in a target, and `validate` (with `fields`) validates those. `lints` compares all of them, and
//! [`Declarations::into_desired`] converts them to desired state. Problems of all files are collected.
//!
//! Secrets are not resolved here: declarations name their sources, and take evidence about them. This module does not
//! depend on the API, the record, or the rendering of diagnostics.

mod declarations;
mod discover;
mod document;
mod elsewhere;
mod fields;
mod interpolate;
mod lints;
mod merge;
mod overrides;
mod parallel;
mod presence;
mod raw;
mod schema;
mod target_names;
mod typed;
mod url;
mod validate;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Code, Diagnostics, Lints, SourceMap, Span};
use crate::secret_source::PlaintextSecrets;
use crate::yaml;
use discover::Bounds;
use hookctl_core::secret::KeySources;
use hookctl_core::secret::ProviderName;
use parallel::{Part, Unread};
use validate::Found;

pub use declarations::Declarations;
pub use discover::{MAX_FILES, MAX_TOTAL_BYTES};
pub use document::MAX_SHARED_NODES;
pub use interpolate::{MAX_TEXT_BYTES, VARIABLE_PREFIX};
pub(crate) use raw::FIELDS;
pub use schema::json_schema;

/// What the meaning of the files depends on, besides their text.
pub struct LoadOptions<'a> {
    /// The folder that displayed paths are relative to.
    pub display_root: &'a Path,
    /// The folder that relative paths of secret files may not leave.
    pub repository_root: &'a Path,
    /// Folders that links may lead into, besides the repository and the folder of declarations.
    pub link_roots: &'a [PathBuf],
    /// Whether the user named the folder of declarations. Only then may it be a link, or outside the folders above.
    pub folder_is_named: bool,
    /// The selected target.
    pub target: &'a str,
    /// The names of all targets. If empty, any name is accepted.
    pub known_targets: &'a [String],
    /// The variables of the target, for public fields and commands.
    pub vars: &'a BTreeMap<String, String>,
    /// Returns the values of environment variables. A public field looks up `HOOKCTL_VAR_NAME` before `vars`, and `NAME` only to
    /// report that it is not read.
    pub environment: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// The sources of the keys in hookctl.yaml, which no token may share.
    pub keys: &'a KeySources,
    /// The names of the registered secret providers, each a form of `bearer_token`: see `Providers::names` of the
    /// module `secret`.
    pub providers: &'a [ProviderName],
    /// How secrets in plain text are reported.
    pub plaintext_secrets: PlaintextSecrets,
    /// The levels of warnings. `None` keeps all of them as warnings.
    pub lints: Option<&'a Lints>,
}

impl fmt::Debug for LoadOptions<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LoadOptions")
            .field("display_root", &self.display_root)
            .field("repository_root", &self.repository_root)
            .field("target", &self.target)
            .field("providers", &self.providers)
            .field("plaintext_secrets", &self.plaintext_secrets)
            .finish_non_exhaustive()
    }
}

static NO_VARS: BTreeMap<String, String> = BTreeMap::new();
static NO_KEYS: KeySources = KeySources::new();

impl<'a> LoadOptions<'a> {
    /// Creates options for a repository: the target `default` alone, no variables, and warnings for secrets in plain
    /// text.
    pub fn below(root: &'a Path) -> Self {
        Self {
            display_root: root,
            repository_root: root,
            link_roots: &[],
            folder_is_named: true,
            target: "default",
            known_targets: &[],
            vars: &NO_VARS,
            environment: &|_| None,
            keys: &NO_KEYS,
            providers: &[],
            plaintext_secrets: PlaintextSecrets::Warn,
            lints: None,
        }
    }
}

/// The result of loading files.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The files, for rendering diagnostics.
    pub sources: SourceMap,
    /// The diagnostics, sorted for display.
    pub diagnostics: Diagnostics,
    /// The declarations. `None` if and only if a diagnostic is an error.
    pub declarations: Option<Declarations>,
    /// The number of files.
    pub files: usize,
}

/// A file: the folder for its relative paths, and its documents.
struct ReadFile {
    folder: PathBuf,
    documents: Vec<yaml::Document>,
    /// Whether all of it was parsed. If not, a missing field may be in the rest.
    is_complete: bool,
}

/// Loads all declarations below a folder. An unreadable file or folder is an error, never treated as missing.
pub fn load(directory: &Path, options: &LoadOptions<'_>) -> Loaded {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let directory = absolute(directory);
    let display_root = absolute(options.display_root);
    let shown = |path: &Path| {
        path.strip_prefix(&display_root)
            .unwrap_or(path)
            .to_path_buf()
    };
    let mut diagnostics = Diagnostics::default();
    let mut unread = Vec::new();
    let mut bytes_left = MAX_TOTAL_BYTES;
    let own = options.folder_is_named.then_some(directory.as_path());
    let roots = options.link_roots.iter().map(PathBuf::as_path);
    let mut bounds = Bounds::of(roots.chain([options.repository_root]).chain(own));
    for file in discover::discover(&directory, &bounds, &shown, &mut diagnostics) {
        let path = &file.path;
        match discover::read(&file, &mut bounds, &shown(path), &mut bytes_left) {
            Ok(bytes) => unread.push(Unread {
                folder: path.parent().unwrap_or(path).to_owned(),
                shown: shown(path),
                bytes,
            }),
            Err(problem) => {
                let ends = problem.code == Code::FilesTooLarge;
                diagnostics.push(*problem);
                if ends {
                    break;
                }
            }
        }
    }
    read(unread, diagnostics, options)
}

/// Loads declarations from texts, each with its displayed path. Relative paths in them start at that path's folder
/// below the display root. Reads nothing from disk.
pub fn load_texts(texts: &[(PathBuf, String)], options: &LoadOptions<'_>) -> Loaded {
    let unread = texts.iter().map(|(path, text)| {
        let absolute = options.display_root.join(path);
        Unread {
            folder: absolute.parent().unwrap_or(&absolute).to_owned(),
            shown: path.clone(),
            bytes: text.clone().into_bytes(),
        }
    });
    read(unread.collect(), Diagnostics::default(), options)
}

fn read(unread: Vec<Unread>, diagnostics: Diagnostics, options: &LoadOptions<'_>) -> Loaded {
    let files = unread.len();
    let mut loaded = merge(
        parallel::read(unread, options).into_iter(),
        diagnostics,
        files,
    );
    if let Some(lints) = options.lints {
        loaded.diagnostics = lints.apply(loaded.diagnostics);
        if loaded.diagnostics.has_errors() {
            loaded.declarations = None;
        }
    }
    loaded
}

/// Merges the parts, which are in order.
fn merge(parts: impl Iterator<Item = Part>, mut diagnostics: Diagnostics, files: usize) -> Loaded {
    let mut sources = SourceMap::default();
    let mut found = Found::default();
    for part in parts {
        sources.append(part.sources);
        diagnostics.extend(part.diagnostics);
        found.append(part.found);
    }
    let declarations = found.finish(&mut diagnostics);
    let mut kept = Diagnostics::default();
    keep_new(diagnostics, &mut HashSet::new(), &mut kept);
    let mut diagnostics = kept;
    diagnostics.sort(&sources);
    Loaded {
        declarations: (!diagnostics.has_errors()).then_some(declarations),
        diagnostics,
        files,
        sources,
    }
}

/// The identity of a diagnostic.
type Same = (Code, Option<Span>, Option<PathBuf>, String);

/// Drops repeated diagnostics: a value shared by `defaults` or an alias is reported once.
fn keep_new(said: Diagnostics, seen: &mut HashSet<Same>, kept: &mut Diagnostics) {
    for diagnostic in said {
        let same = (
            diagnostic.code,
            diagnostic.primary.as_ref().map(|label| label.span),
            diagnostic.path.clone(),
            diagnostic.message.clone(),
        );
        if seen.insert(same) {
            kept.push(diagnostic);
        }
    }
}

#[cfg(test)]
mod tests;
