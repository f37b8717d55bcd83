//! The Git commit that the files are at, for the history.

use std::path::Path;
use std::process::{Command, Stdio};

use hookctl::record::Provenance;

/// Asks git; none if there is no git or no repository.
pub(crate) fn of(directory: &Path) -> Option<Provenance> {
    let head = git(directory, &["log", "-1", "--format=%H%n%an"])?;
    let (commit, author) = head.split_once('\n')?;
    let status = git(directory, &["status", "--porcelain", "--", "."])?;
    Some(Provenance {
        commit: commit.to_owned(),
        author: author.trim_end().to_owned(),
        modified: !status.is_empty(),
    })
}

fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(["-c", "core.fsmonitor=false"])
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
