//! The Git repository that files are in: its root, found without Git, and answers of Git that no setting
//! of the user or the environment changes.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long an answer of Git may take.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// How much of an answer is read, in bytes.
const MOST_PRINTED: u64 = 4 * 1024 * 1024;

/// What Git gets of the environment.
const KEPT: [&str; 4] = ["PATH", "SystemRoot", "TMPDIR", "TEMP"];

/// A repository with a work tree.
pub(crate) struct Repository {
    root: PathBuf,
}

impl Repository {
    /// Looks for the repository that a folder is in: the nearest folder that holds `.git`.
    pub(crate) fn around(folder: &Path) -> Option<Self> {
        let folder = std::path::absolute(folder).ok()?;
        // One that cannot be looked at counts: a root further up would let paths leave this repository.
        let root = folder
            .ancestors()
            .find(|folder| folder.join(".git").try_exists().unwrap_or(true))?;
        Some(Self {
            root: root.to_owned(),
        })
    }

    /// The root of its work tree.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Asks Git, and returns what it printed. Only commands whose output does not depend on settings are to
    /// be asked. None if there is no Git, or it failed.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Option<String> {
        self.run(arguments)
            .filter(|output| output.status.success())
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Asks Git a question that it answers by its exit code: 0 for yes, 1 for no.
    pub(crate) fn agrees(&self, arguments: &[&str]) -> Option<bool> {
        match self.run(arguments)?.status.code() {
            Some(0) => Some(true),
            Some(1) => Some(false),
            _ => None,
        }
    }

    fn run(&self, arguments: &[&str]) -> Option<Output> {
        let mut command = Command::new("git");
        command.env_clear();
        for name in KEPT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .current_dir(&self.root)
            .arg("--git-dir")
            .arg(self.root.join(".git"))
            .arg("--work-tree")
            .arg(&self.root)
            .args(["-c", "core.fsmonitor=false"])
            .args(["-c", "core.hooksPath=/dev/null"])
            .args(["-c", "safe.bareRepository=explicit"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        answer(&mut command, TIME_LIMIT)
    }
}

/// Runs a program, and ends one that takes too long: a repository may hold a FIFO where a file should be.
fn answer(command: &mut Command, limit: Duration) -> Option<Output> {
    let mut child = command.spawn().ok()?;
    let mut printed = child.stdout.take()?.take(MOST_PRINTED);
    let (done, read) = mpsc::sync_channel(1);
    let reader = std::thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        let read = printed.read_to_end(&mut bytes).map(|_| bytes);
        // A caller that gave up does not need it.
        let _ = done.send(read);
    });
    let read = reader.ok().and_then(|_| read.recv_timeout(limit).ok());
    let Some(Ok(stdout)) = read else {
        let _ = child.kill();
        let _ = child.wait();
        return None;
    };
    Some(Output {
        status: child.wait().ok()?,
        stdout,
        stderr: Vec::new(),
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_program_that_does_not_end_or_prints_for_ever_is_ended() {
        let run = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]).stdout(Stdio::piped());
            answer(&mut command, Duration::from_secs(2))
        };
        let begun = Instant::now();
        assert_eq!(run("printf yes").unwrap().stdout, b"yes");
        assert!(run("exec sleep 60").is_none());
        let endless = run("exec cat /dev/zero").unwrap();
        assert!(!endless.status.success());
        assert_eq!(endless.stdout.len() as u64, MOST_PRINTED);
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
