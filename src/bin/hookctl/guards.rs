//! Which settings of hookctl.yaml make a plan less careful, and what this change of files did to them.
//!
//! What a flag or a variable says instead is not among them: it does not come with the files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hookctl::config::{Config, Guard, load_text};
use hookctl::diagnostic::SourceMap;
use hookctl::input::read_regular;
use hookctl::render::{LooseSetting, SettingChange};
use hookctl::yaml::MAX_FILE_BYTES;

use crate::git::Repository;

/// The branch of the server that changes are made against, by the names that it mostly has.
const TRUNKS: [&str; 3] = [
    "refs/remotes/origin/HEAD",
    "refs/remotes/origin/main",
    "refs/remotes/origin/master",
];

/// What hookctl.yaml says, as far as a plan shows it.
pub(crate) struct Guards {
    /// The file; `None` if there is none.
    path: Option<PathBuf>,
    /// Where each setting stands: the file as it is shown, and the line.
    places: BTreeMap<String, (PathBuf, usize)>,
    config: Config,
    target: String,
    /// Settings that a flag or a variable says.
    overridden: Vec<&'static str>,
}

impl Guards {
    /// Of a file that was read, and its path.
    pub(crate) fn new(
        config: Config,
        file: Option<(&SourceMap, &Path)>,
        target: &str,
        overridden: Vec<&'static str>,
    ) -> Self {
        let guards = config.guards(target, &config);
        let places = guards.into_iter().filter_map(|guard| {
            let location = file?.0.location(guard.span?);
            Some((guard.name, (location.path.to_path_buf(), location.line)))
        });
        Self {
            places: places.collect(),
            path: file.map(|(_, path)| path.to_owned()),
            config,
            target: target.to_owned(),
            overridden,
        }
    }

    /// The settings that let more pass than their defaults do, or than they did before this change of files. Asks Git.
    pub(crate) fn loose(&self) -> Vec<LooseSetting> {
        let Some(path) = &self.path else {
            return Vec::new();
        };
        let before = before(path);
        let usual = Config {
            request_timeout: self.config.request_timeout,
            ..Config::default()
        };
        let other = before.as_ref().unwrap_or(&usual);
        let now = self.config.guards(&self.target, other);
        let usual = usual.guards(
            &self.target,
            &Config {
                lints: merged(&self.config, other),
                ..usual.clone()
            },
        );
        let earlier = other.guards(&self.target, &self.config);
        let known = before.is_some();
        now.iter()
            .zip(&usual)
            .zip(&earlier)
            .filter(|((now, _), _)| !self.overridden.contains(&now.name.as_str()))
            .filter(|((now, usual), earlier)| {
                now.is_looser_than(usual) || (known && now.is_looser_than(earlier))
            })
            .map(|((now, usual), earlier)| LooseSetting {
                name: now.name.clone(),
                value: now.value.clone(),
                default: usual.value.clone(),
                place: self.places.get(&now.name).cloned(),
                change: known.then(|| change(now, earlier)),
            })
            .collect()
    }
}

/// The lints of both, so that each is compared with its default.
fn merged(one: &Config, other: &Config) -> hookctl::diagnostic::Lints {
    let mut lints = one.lints.clone();
    for (code, level) in other.lints.levels() {
        lints.set(code, level);
    }
    lints
}

fn change(now: &Guard, earlier: &Guard) -> SettingChange {
    if now.slack == earlier.slack {
        SettingChange::Same
    } else {
        SettingChange::From(earlier.value.clone())
    }
}

/// What the file said before this change of files: at HEAD if the work tree differs from it, else where the branch left
/// the server's, else in the commit before. None if Git cannot tell.
fn before(path: &Path) -> Option<Config> {
    let folder = path.parent()?;
    let repository = Repository::around(folder)?;
    let absolute = std::path::absolute(path).ok()?;
    let below = absolute.strip_prefix(repository.root()).ok()?.to_str()?;
    let at = |commit: &str| {
        let listed = repository.ask(&["ls-tree", "-z", "--full-tree", commit, "--", below])?;
        if listed.is_empty() {
            // There was no file, so the defaults held.
            return Some(None);
        }
        let name = format!("{commit}:{below}");
        repository.ask(&["cat-file", "blob", &name]).map(Some)
    };
    let now = read_regular(path, MAX_FILE_BYTES as u64).ok()?;
    let head = at("HEAD")?;
    let text = if head.as_ref().is_none_or(|head| head.as_bytes() != now) {
        head
    } else {
        at(&base(&repository)?)?
    };
    match text {
        None => Some(Config::default()),
        Some(text) => load_text(path, folder, text).2,
    }
}

/// The commit that the change of files began at.
fn base(repository: &Repository) -> Option<String> {
    let commit = |name: &str| {
        let name = format!("{name}^{{commit}}");
        let found = repository.ask(&[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &name,
        ])?;
        Some(found.trim().to_owned())
    };
    let head = commit("HEAD")?;
    let forked = TRUNKS.iter().find_map(|trunk| {
        let trunk = commit(trunk)?;
        let found = repository.ask(&["merge-base", &head, &trunk])?;
        Some(found.trim().to_owned())
    });
    // On the trunk itself, and in the merge commit that a CI system makes of a pull request.
    forked
        .filter(|forked| *forked != head)
        .or_else(|| commit("HEAD^1"))
}
