//! What the files say: from a folder of YAML files to desired state.
//!
//! The way of a declaration: `discover` finds the files and reads them; for many of them at once, by
//! `parallel`, the YAML reader makes trees, `document` takes the trees apart into raw declarations, and
//! `validate` (with `fields`) makes valid ones of those; `lints` looks at all of them side by side, and
//! [`Declarations::into_desired`] hands over. Every problem of every file is collected; nothing stops at
//! the first.
//!
//! It resolves no secret: it says where each comes from, and takes back what came of it. It knows
//! nothing of the API, of the cache, or of how a diagnostic is shown.

mod declarations;
mod discover;
mod document;
mod fields;
mod interpolate;
mod lints;
mod parallel;
mod presence;
mod schema;
mod url;
mod validate;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use crate::diagnostic::{Code, Diagnostics, Lints, SourceMap, Span};
use crate::secret_source::PlaintextSecrets;
use crate::yaml;
use discover::Bounds;
use hookctl_secrets::KeySources;
use parallel::{Part, Unread};
use validate::Found;

pub use declarations::Declarations;
pub use discover::{MAX_FILES, MAX_TOTAL_BYTES};
#[cfg(test)]
pub(crate) use document::FIELDS;
pub use document::MAX_SHARED_NODES;
pub use interpolate::{MAX_TEXT_BYTES, VARIABLE_PREFIX};
pub use schema::json_schema;

/// What the meaning of the files depends on beside their text.
pub struct LoadOptions<'a> {
    /// The folder that paths are shown relative to.
    pub display_root: &'a Path,
    /// The folder that a relative path of a secret's file may not leave.
    pub repository_root: &'a Path,
    /// Folders that a link may lead into, beside the repository and the folder of declarations.
    pub link_roots: &'a [PathBuf],
    /// Whether a person named the folder of declarations, so that it may lie outside of all of these, or be a link.
    /// Where a file of the repository names it, it may not.
    pub folder_is_named: bool,
    /// The target that the declarations are for.
    pub target: &'a str,
    /// All targets that there are; empty if that is not known, so that no name of one is refused.
    pub known_targets: &'a [String],
    /// The target's variables, for public fields and commands.
    pub vars: &'a BTreeMap<String, String>,
    /// Answers for the variables of the environment. A public field asks for `HOOKCTL_VAR_NAME`, before
    /// `vars`; for `NAME` it asks only whether there is one, so as to say that it is not read.
    pub environment: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// Where the keys of hookctl.yaml come from, which no token may name.
    pub keys: &'a KeySources,
    /// What is said of a secret in plain text.
    pub plaintext_secrets: PlaintextSecrets,
    /// What becomes of warnings; None for all of them as they are.
    pub lints: Option<&'a Lints>,
}

static NO_VARS: BTreeMap<String, String> = BTreeMap::new();
static NO_KEYS: KeySources = KeySources::new();

impl<'a> LoadOptions<'a> {
    /// For the repository below a folder: the target `default` and no other that is known, no variables,
    /// and a warning for a secret in plain text.
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
            plaintext_secrets: PlaintextSecrets::Warn,
            lints: None,
        }
    }
}

/// What came of reading the files.
pub struct Loaded {
    /// The files, for whoever shows the diagnostics.
    pub sources: SourceMap,
    /// Everything there is to say, in the order of a reader.
    pub diagnostics: Diagnostics,
    /// The declarations; None if and only if there is an error among the diagnostics.
    pub declarations: Option<Declarations>,
    /// How many files were read.
    pub files: usize,
}

/// A file that was read: where relative paths in it start, and its documents.
struct ReadFile {
    folder: PathBuf,
    documents: Vec<yaml::Document>,
    /// Whether all of it could be read. If not, what is missing may be in the part that could not.
    is_complete: bool,
}

/// Reads all declarations below a folder. A file or folder that cannot be read is an error among the
/// diagnostics, never an absence.
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

/// Reads declarations from texts, each with the path that it is shown under; relative paths in them
/// start at that path's folder below the display root. Nothing on disk is read.
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

/// Makes one of the parts, each of which begins where the one before ends.
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

/// What makes two diagnostics the same one.
type Same = (Code, Option<Span>, Option<PathBuf>, String);

/// Each problem once: a value that many webhooks share by `defaults` or alias is wrong once.
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
