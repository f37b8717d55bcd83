//! The configuration that held before this change of files, as Git knows it.
//!
//! A change can move the file, delete it, put a nearer one before it, or make it a link: what counts is which file would
//! have been found at the earlier commit, not what the file of today said then.

use std::path::{Component, Path, PathBuf};

use hookctl::config::{Config, FILE_NAMES, load_text};
use hookctl::input::read_regular;
use hookctl::yaml::MAX_FILE_BYTES;

use crate::git::Repository;

/// The branch of the server that changes are made against, by the names that it mostly has.
const TRUNKS: [&str; 3] = [
    "refs/remotes/origin/HEAD",
    "refs/remotes/origin/main",
    "refs/remotes/origin/master",
];

/// How many links are followed to a file in a commit.
const MOST_LINKS: usize = 8;

/// How the file was looked for.
pub(crate) enum Sought {
    /// By walking up from this folder.
    From(PathBuf),
    /// At this path, which a person named.
    At(PathBuf),
}

/// What held before this change of files.
pub(super) enum Earlier {
    /// Git cannot tell: there is no repository, or no earlier commit here.
    Untold,
    /// There was something, and this is why it cannot be compared.
    Unread(String),
    /// This.
    Config(Box<Config>),
}

/// The file of a commit.
#[derive(PartialEq, Eq)]
enum Found {
    Nothing,
    /// Its path in the repository, and its text.
    File(String, String),
    Unread(String),
}

/// Looks for it where the branch left the server's; on that branch itself at HEAD if the work tree differs from it, else
/// in the commit before.
pub(super) fn find(sought: &Sought) -> Earlier {
    let found = History::around(sought).and_then(|history| history.before());
    match found {
        None => Earlier::Untold,
        Some(Found::Nothing) => Earlier::Config(Box::default()),
        Some(Found::Unread(why)) => Earlier::Unread(why),
        Some(Found::File(path, text)) => {
            let folder = Path::new("/");
            let (_, _, config) = load_text(Path::new(&path), folder, text);
            match config {
                Some(config) => Earlier::Config(Box::new(config)),
                None => Earlier::Unread(format!("{path} was not valid")),
            }
        }
    }
}

struct History {
    repository: Repository,
    /// What is looked for, the nearest first: the paths in the repository of which at most one may be there.
    candidates: Vec<Vec<String>>,
}

impl History {
    fn around(sought: &Sought) -> Option<Self> {
        let (folder, name) = match sought {
            Sought::From(folder) => (folder.as_path(), None),
            Sought::At(path) => (path.parent()?, Some(path.file_name()?.to_str()?)),
        };
        let folder = std::fs::canonicalize(folder).ok()?;
        let repository = Repository::around(&folder)?;
        let below = folder.strip_prefix(repository.root()).ok()?;
        let path = |folder: &Path, name: &str| Some(folder.join(name).to_str()?.to_owned());
        let candidates = match name {
            Some(name) => vec![vec![path(below, name)?]],
            None => below
                .ancestors()
                .map(|folder| FILE_NAMES.iter().map(|name| path(folder, name)).collect())
                .collect::<Option<_>>()?,
        };
        Some(Self {
            repository,
            candidates,
        })
    }

    fn before(&self) -> Option<Found> {
        let head = self.commit("HEAD")?;
        let forked = TRUNKS.iter().find_map(|trunk| {
            let trunk = self.commit(trunk)?;
            let found = self.repository.ask(&["merge-base", &head, &trunk])?;
            Some(found.trim().to_owned())
        });
        if let Some(forked) = forked.filter(|forked| *forked != head) {
            return self.at(&forked);
        }
        let committed = self.at(&head)?;
        if committed == self.now() {
            self.at(&self.commit("HEAD^1")?)
        } else {
            Some(committed)
        }
    }

    fn commit(&self, name: &str) -> Option<String> {
        let name = format!("{name}^{{commit}}");
        let found = self.repository.ask(&[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &name,
        ])?;
        Some(found.trim().to_owned())
    }

    /// What the work tree has.
    fn now(&self) -> Found {
        let root = self.repository.root();
        let there = self.candidates.iter().flatten().find_map(|path| {
            let file = root.join(path);
            std::fs::symlink_metadata(&file).ok()?;
            let text = read_regular(&file, MAX_FILE_BYTES as u64).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            Some(Found::File(path.clone(), text))
        });
        there.unwrap_or(Found::Nothing)
    }

    /// What a commit has. None if Git does not say.
    fn at(&self, commit: &str) -> Option<Found> {
        for paths in &self.candidates {
            let mut there = Vec::new();
            for path in paths {
                match self.entry(commit, path)? {
                    Kind::Nothing => {}
                    kind => there.push((path, kind)),
                }
            }
            match there.as_slice() {
                [] => {}
                [(path, kind)] => return self.content(commit, path, *kind),
                _ => {
                    let why = format!("there was both {}", paths.join(" and "));
                    return Some(Found::Unread(why));
                }
            }
        }
        Some(Found::Nothing)
    }

    /// What stands at a path of a commit. None if Git does not say.
    fn entry(&self, commit: &str, path: &str) -> Option<Kind> {
        let listed = self
            .repository
            .ask(&["ls-tree", "-z", "--full-tree", commit, "--", path])?;
        Some(match listed.split(' ').next() {
            None | Some("") => Kind::Nothing,
            Some("100644" | "100755") => Kind::File,
            Some("120000") => Kind::Link,
            Some(_) => Kind::Other,
        })
    }

    /// The text of a file, links followed as far as they stay in the repository.
    fn content(&self, commit: &str, path: &str, kind: Kind) -> Option<Found> {
        let (mut at, mut kind) = (path.to_owned(), kind);
        for _ in 0..MOST_LINKS {
            let blob = || {
                let name = format!("{commit}:{at}");
                self.repository.ask(&["cat-file", "blob", &name])
            };
            match kind {
                Kind::File => return Some(Found::File(path.to_owned(), blob()?)),
                Kind::Nothing | Kind::Other => break,
                Kind::Link => {
                    let Some(target) = target(&at, &blob()?) else {
                        break;
                    };
                    at = target;
                    kind = self.entry(commit, &at)?;
                }
            }
        }
        Some(Found::Unread(format!(
            "{path} was no file of the repository"
        )))
    }
}

/// What stands at a path.
#[derive(Clone, Copy)]
enum Kind {
    Nothing,
    File,
    Link,
    Other,
}

/// Where a link leads, as a path in the repository. None if it leaves it.
fn target(link: &str, text: &str) -> Option<String> {
    let mut parts: Vec<&str> = link.split('/').collect();
    parts.pop();
    for part in Path::new(text).components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => parts.push(name.to_str()?),
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_in_the_repository() {
        for (link, text, leads) in [
            ("a/hookctl.yaml", "../ops/h.yaml", Some("ops/h.yaml")),
            ("hookctl.yaml", "./x/y.yaml", Some("x/y.yaml")),
            ("hookctl.yaml", "../x.yaml", None),
            ("a/hookctl.yaml", "/etc/passwd", None),
        ] {
            assert_eq!(target(link, text).as_deref(), leads, "{link} -> {text}");
        }
    }
}
