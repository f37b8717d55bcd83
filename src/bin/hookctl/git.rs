//! The Git repository that files are in: its root, found without Git, and answers of Git that no setting
//! of the user or the environment changes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

    fn run(&self, arguments: &[&str]) -> Option<std::process::Output> {
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
            .stderr(Stdio::null())
            .output()
            .ok()
    }
}
