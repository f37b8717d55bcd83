//! The Git commit of the files, and the name of the run, for the history.

use std::path::Path;

use hookctl::clock::{Clock as _, SystemClock};
use hookctl::record::Provenance;

use crate::environment::Environment;
use crate::git::{Repository, is_hash};
use crate::mask;

/// The variables that name the job of a CI system.
const JOB_URLS: [&str; 3] = ["CI_JOB_URL", "BUILD_URL", "BUILDKITE_BUILD_URL"];

/// The maximum length of the name of a run, in characters.
const LONGEST_RUN: usize = 200;

/// Names this run, for the history and for people who find the record held by it.
pub(crate) fn run(environment: &Environment) -> String {
    let github = || {
        let server = environment.setting("GITHUB_SERVER_URL")?;
        let repository = environment.setting("GITHUB_REPOSITORY")?;
        let id = environment.setting("GITHUB_RUN_ID")?;
        Some(format!("{server}/{repository}/actions/runs/{id}"))
    };
    let job = || JOB_URLS.iter().find_map(|name| environment.setting(name));
    let process = || {
        let user = environment
            .setting("USER")
            .or_else(|| environment.setting("USERNAME"));
        let host = SystemClock::new().now().writer.host;
        let user = user.as_deref().unwrap_or("unknown");
        format!("{user}@{host}, process {}", std::process::id())
    };
    let text = mask::masked(&github().or_else(job).unwrap_or_else(process));
    text.chars()
        .filter(|character| !character.is_control())
        .take(LONGEST_RUN)
        .collect()
}

/// Returns the commit of a folder's files, which may be in a submodule. Returns `None` without Git, a repository, or a
/// commit.
pub(crate) fn of(directory: &Path, named: &Path) -> Option<Provenance> {
    let repository = Repository::around_part(directory, named)?;
    let head = repository.ask(&["rev-parse", "--verify", "--end-of-options", "HEAD^{commit}"])?;
    let commit = head.trim();
    if !is_hash(commit) {
        return None;
    }
    let text = repository.ask(&["cat-file", "commit", commit])?;
    Some(Provenance {
        commit: commit.to_owned(),
        author: author(&text)?.to_owned(),
        modified: is_modified(&repository, directory)?,
    })
}

/// Returns the name in the `author` line of a commit.
fn author(commit: &str) -> Option<&str> {
    let line = commit
        .lines()
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.strip_prefix("author "))?;
    line.rsplit_once(" <").map(|(name, _)| name)
}

/// Returns whether the files differ from the commit: in the work tree, in the index, or by untracked files.
fn is_modified(repository: &Repository, directory: &Path) -> Option<bool> {
    let path = repository.literal(directory)?;
    let files = repository.ask_of_files(&[
        "ls-files",
        "-z",
        "--modified",
        "--deleted",
        "--others",
        "--exclude-standard",
        "--",
        &path,
    ])?;
    let index = [
        "diff-index",
        "--cached",
        "--quiet",
        "--no-ext-diff",
        "--no-textconv",
        "HEAD",
        "--",
        &path,
    ];
    Some(!files.is_empty() || !repository.agrees(&index)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_author_is_read_from_the_commit_itself() {
        let commit = "tree 1\nparent 2\nauthor A <b> C <a@example.com> 1700000000 +0100\n\
                      committer D <d@example.com> 1 +0000\n\nauthor X <x>\n";
        assert_eq!(author(commit), Some("A <b> C"));
        assert_eq!(author("tree 1\n\nauthor X <x>\n"), None);
    }
}
