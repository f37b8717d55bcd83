//! The configurations in effect before this change of the files, from Git.
//!
//! A change can move or delete the file, add a nearer one, or replace it or its folder by a link. So each earlier
//! commit is searched for the file that would have been found there; the path of today's file does not matter.

use std::path::{Component, Path, PathBuf};

use hookctl::config::{Config, load_text};

use super::commits::{Found, Request, ask};
use super::history::{Baselines, baselines};
use crate::environment::Environment;
use crate::git::{Repository, gave_no_answer};

/// How the file was found.
pub(crate) enum Sought {
    /// By walking up from this folder.
    From(PathBuf),
    /// At this path, which the user named.
    At(PathBuf),
}

/// The configurations before this change.
#[derive(Default)]
pub(super) struct Earlier {
    /// One for each commit to compare with.
    pub(super) configs: Vec<Config>,
    /// Why the comparison is missing or incomplete.
    pub(super) unread: Option<String>,
}

/// Finds the configurations at HEAD and where the branch left the server's branches. Without such branches, uses the
/// parent commits.
pub(super) fn find(sought: &Sought, environment: &Environment) -> Earlier {
    let mut earlier = Earlier::default();
    let Some((starts, name)) = starts(sought, environment) else {
        return earlier;
    };
    let Some(repository) = starts.first().and_then(|real| Repository::around(real)) else {
        return earlier;
    };
    let Baselines {
        mut commits,
        missing,
    } = baselines(&repository, environment);
    earlier.unread = missing;
    let own = below(&starts, repository.root());
    let mut inner = None;
    if let Some(outer) = repository.above() {
        inner = in_superproject(&repository, &outer, environment, &mut earlier.unread);
        commits.extend(inner.iter().flat_map(|inner| inner.commits.iter().cloned()));
    }
    let request =
        |commit: &str, folders: &[PathBuf]| Request::new(commit, folders, name.as_deref());
    for found in ask(
        &repository,
        commits.iter().map(|commit| request(commit, &own)),
    ) {
        earlier.take(found);
    }
    if let Some(InSuperproject {
        outer, at, trees, ..
    }) = inner
    {
        let own: Vec<PathBuf> = own.iter().map(|folder| at.join(folder)).collect();
        for found in ask(&outer, trees.iter().map(|commit| request(commit, &own))) {
            earlier.take(found);
        }
    }
    if gave_no_answer() {
        earlier.unread = Some("the output of Git was incomplete".to_owned());
    }
    earlier
}

impl Earlier {
    /// Records why the comparison is incomplete. The first reason wins, since its commit is the nearest.
    fn doubt(&mut self, why: String) {
        self.unread.get_or_insert(why);
    }

    fn take(&mut self, found: Found) {
        match found {
            Found::Nothing => self.configs.push(Config::default()),
            Found::Unread(why) => self.doubt(why),
            Found::File { path, text } => {
                let (_, _, config) = load_text(Path::new(&path), Path::new("/"), text);
                match config {
                    Some(config) => self.configs.push(config),
                    None => self.doubt(format!("{path} was invalid")),
                }
            }
            Found::NewFolder(then) => {
                self.doubt("this folder did not exist".to_owned());
                self.take(*then);
            }
        }
    }
}

/// Returns the folders from which the file is looked for, by real path first and then as written, and the name of a
/// file that the user named.
fn starts(sought: &Sought, environment: &Environment) -> Option<(Vec<PathBuf>, Option<String>)> {
    let (folder, written, name) = match sought {
        Sought::From(folder) => {
            let written = environment.setting("PWD").map(PathBuf::from);
            (folder.as_path(), written, None)
        }
        Sought::At(path) => {
            let folder = path.parent()?;
            let name = path.file_name()?.to_str()?.to_owned();
            (folder, Some(folder.to_owned()), Some(name))
        }
    };
    let real = std::fs::canonicalize(folder).ok()?;
    let written = written.filter(|written| {
        let is_plain = written
            .components()
            .all(|part| !matches!(part, Component::ParentDir | Component::CurDir));
        is_plain && *written != real && std::fs::canonicalize(written).is_ok_and(|led| led == real)
    });
    Some(([real].into_iter().chain(written).collect(), name))
}

/// Returns the paths relative to the repository's root.
fn below(starts: &[PathBuf], root: &Path) -> Vec<PathBuf> {
    let below = starts
        .iter()
        .filter_map(|start| start.strip_prefix(root).ok());
    below.map(Path::to_owned).collect()
}

/// A submodule as its superproject sees it.
struct InSuperproject {
    outer: Repository,
    /// The path of the submodule.
    at: PathBuf,
    /// Earlier commits of the superproject that have a plain folder in its place.
    trees: Vec<String>,
    /// Earlier commits of the submodule.
    commits: Vec<String>,
}

fn in_superproject(
    repository: &Repository,
    outer: &Repository,
    environment: &Environment,
    unread: &mut Option<String>,
) -> Option<InSuperproject> {
    let at = repository.root().strip_prefix(outer.root()).ok()?;
    let mut found = InSuperproject {
        outer: Repository::around(outer.root())?,
        at: at.to_owned(),
        trees: Vec::new(),
        commits: Vec::new(),
    };
    for commit in baselines(outer, environment).commits {
        let entry = outer.ask(&["ls-tree", "-z", "--full-tree", &commit, "--", at.to_str()?])?;
        let mut words = entry.split([' ', '\t']);
        match (words.next(), words.next(), words.next()) {
            (Some("040000"), _, _) => found.trees.push(commit),
            (Some("160000"), _, Some(own)) => {
                let name = format!("{own}^{{commit}}");
                if repository.agrees(&["cat-file", "-e", &name]) == Some(true) {
                    found.commits.push(own.to_owned());
                } else {
                    *unread = Some("the submodule was at a commit that is missing here".to_owned());
                }
            }
            _ => {}
        }
    }
    Some(found)
}
