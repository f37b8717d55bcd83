//! The Git commit of the files, for the history.

use std::path::Path;

use hookctl::record::Provenance;

use crate::git::{Repository, is_hash};

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
